"""The model card: what a run is, for whoever finds it on a hub or in a folder, with the metadata that the hub
reads.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from nlpkit.data.codebook import Codebook
from nlpkit.reports.card_sections import (
    audit_words,
    group_section,
    no_audit_words,
    promise_section,
    use_section,
)
from nlpkit.reports.guide import label_list
from nlpkit.reports.markdown import baseline_table, score_table
from nlpkit.reports.parts import ReportContent
from nlpkit.reports.privacy import privacy_sentences
from nlpkit.reports.usage import Usage
from nlpkit.reports.wording import cell
from nlpkit.sources import hub_id


def model_card(
    report: ReportContent,
    record: Mapping[str, Any],
    usage: Usage,
    *,
    audit: ReportContent | None = None,
    codebook: Codebook | None = None,
    language: str | None = None,
    license: str | None = None,
) -> str:
    """Return README.md of a run: the hub's metadata, how to use it with and without nlpkit, its numbers and
    its limits.

    Args:
        report: of the held-out rows.
        record: what `run.json` holds.
        usage: what a run of this family of answers is, and how it is used.
        audit: the report of an audit of the run, if there is one.
        codebook: the run's labels in words, if it has them.
        language: ISO 639 code of the texts, where known.
        license: of the adapter, as the hub spells it, where known.
    """
    from huggingface_hub import ModelCard, ModelCardData

    source = str(record["base"]["source"])
    base = hub_id(source)
    values = {
        "record": record,
        "reader": record.get("reader"),
        "is_plain": not (record.get("reader") or record.get("mean_pooled")),
        "is_calibrated": not record.get("reader") or record["data"]["rows"].get("calibration"),
        "base": base or source,
        "revision": record["base"].get("revision") if source.startswith("hub:") else None,
    }
    data = ModelCardData(
        base_model=base,
        library_name="peft" if values["is_plain"] else "nlpkit",
        model_name=report.run,
        eval_results=_hub_results(report, usage.pipeline_tag) or None,
        language=language,
        license=license,
        pipeline_tag=usage.pipeline_tag,
        tags=["nlpkit", "zero-shot" if record.get("reader") else "lora", *usage.tags],
    )
    body = _render(
        "card.md.jinja",
        report=report,
        usage=usage,
        intro=_render(usage.template, part="intro", usage=usage, **values).strip(),
        lines=_render(usage.template, part="lines", usage=usage, **values).strip(),
        scores=score_table(report.scores),
        baselines=[(row.name, baseline_table(report.scores, row)) for row in report.baselines],
        uses=use_section(usage),
        groups=group_section(report, audit_words(audit) if audit else no_audit_words(report, usage)),
        promise=promise_section(report, usage),
        privacy=privacy_sentences(record["privacy"]) if record.get("privacy") else (),
        license=license,
        codebook=label_list(codebook) if codebook else "",
        **values,
    )
    return str(ModelCard(f"---\n{data.to_yaml()}\n---\n\n{body}"))


def _render(template: str, **values: Any) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    # Markdown, not HTML: `cell` is what escapes here.
    environment = Environment(  # noqa: S701
        loader=PackageLoader("nlpkit.reports", "templates"), undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["cell"] = cell
    environment.globals.update(python=repr, list=list)
    return environment.get_template(template).render(**values)


def _hub_results(report: ReportContent, task: str) -> list[Any]:
    """Return the scores that have a value, as the hub's model index wants them."""
    from huggingface_hub import EvalResult

    return [
        EvalResult(
            task_type=task,
            dataset_type=re.sub(r"[^A-Za-z0-9._/-]+", "-", report.data).strip("-") or "data",
            dataset_name=report.data,
            metric_type=score.hub_name or name,
            metric_name=score.title or name,
            metric_value=round(score.value, 4),
        )
        for name, score in report.scores.items()
        if score.value is not None
    ]
