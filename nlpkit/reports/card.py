"""The model card: what a run is, for whoever finds it on a hub or in a folder, with the metadata that the hub reads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from nlpkit.reports.dialogue_report import DialogueReport
from nlpkit.reports.report import Report
from nlpkit.reports.wording import cell, score_table
from nlpkit.sources import hub_id

HUB_METRICS = {
    "accuracy": "accuracy",
    "macro_f1": "f1",
    "mcc": "matthews_correlation",
    "auroc": "roc_auc",
    "brier": "brier_score",
    "pearson": "pearsonr",
    "spearman": "spearmanr",
    "mae": "mae",
}
"""What the hub calls our metrics; the others keep their names."""
FEW = 50
"""A label with fewer test texts than this has numbers that are hardly more than anecdotes."""


def model_card(
    report: Report, record: Mapping[str, Any], *, language: str | None = None, licence: str | None = None
) -> str:
    """README.md of a run: the hub's metadata, what it is, how to use it with and without nlpkit, its numbers and its limits.

    Args:
        report: of the held-out rows.
        record: what `run.json` holds.
        language: ISO 639 code of the texts, where known.
        licence: of the adapter, as the hub spells it, where known.
    """
    task = "text-classification"
    return card(
        "card.md.jinja",
        report,
        record,
        metadata={
            "eval_results": hub_results(report, task, HUB_METRICS) or None,
            "language": language,
            "license": licence,
            "pipeline_tag": task,
            "tags": ["nlpkit", "lora", "sentiment", *(["regression"] if report.kind == "values" else [])],
        },
        labels=report.findings.labels,
        few=[one for one in report.findings.per_class if one.support < FEW],
        count=max((score.count for score in report.scores.values()), default=0),
    )


def card(
    template: str,
    report: Report | DialogueReport,
    record: Mapping[str, Any],
    *,
    metadata: Mapping[str, Any],
    **values: Any,
) -> str:
    """A model card of `templates/`, with what every kind of run says of itself, under the hub's metadata."""
    from huggingface_hub import ModelCard, ModelCardData
    from jinja2 import Environment, PackageLoader, StrictUndefined

    source = str(record["base"]["source"])
    base = hub_id(source)
    data = ModelCardData(base_model=base, library_name="peft", model_name=report.run, **metadata)
    # Markdown, not HTML: `cell` is what escapes here.
    environment = Environment(  # noqa: S701
        loader=PackageLoader("nlpkit.reports", "templates"), undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["cell"] = cell
    body = environment.get_template(template).render(
        report=report,
        record=record,
        base=base or source,
        revision=record["base"].get("revision") if source.startswith("hub:") else None,
        scores=score_table(report.scores),
        python=repr,
        list=list,
        licence=metadata["license"],
        **values,
    )
    return str(ModelCard(f"---\n{data.to_yaml()}\n---\n\n{body}"))


def hub_results(report: Report | DialogueReport, task: str, names: Mapping[str, str]) -> list[Any]:
    """The scores that have a value, as the hub's model index wants them; `names` are those that the hub knows them by."""
    from huggingface_hub import EvalResult

    return [
        EvalResult(
            task_type=task,
            dataset_type=re.sub(r"[^A-Za-z0-9._/-]+", "-", report.data).strip("-") or "data",
            dataset_name=report.data,
            metric_type=names.get(name, name),
            metric_name=score.title or name,
            metric_value=round(score.value, 4),
        )
        for name, score in report.scores.items()
        if score.value is not None
    ]
