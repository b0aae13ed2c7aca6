"""The model card: what a run is, for whoever finds it on a hub or in a folder, with the metadata that the hub reads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from nlpkit.evaluation.report import Report
from nlpkit.evaluation.wording import cell, score_table
from nlpkit.sources import hub_id

HUB_METRICS = {
    "accuracy": "accuracy", "macro_f1": "f1", "mcc": "matthews_correlation", "auroc": "roc_auc", "brier": "brier_score",
    "pearson": "pearsonr", "spearman": "spearmanr", "mae": "mae",
}  # fmt: skip
"""What the hub calls our metrics; the others keep their names."""
FEW = 50
"""A label with fewer test texts than this has numbers that are hardly more than anecdotes."""


def model_card(report: Report, record: Mapping[str, Any], *, language: str | None = None, licence: str | None = None) -> str:
    """README.md of a run: the hub's metadata, what it is, how to use it with and without nlpkit, its numbers and its limits.

    Args:
        report: of the held-out rows.
        record: what `run.json` holds.
        language: ISO 639 code of the texts, where known.
        licence: of the adapter, as the hub spells it, where known.
    """
    from huggingface_hub import ModelCard, ModelCardData
    from jinja2 import Environment, PackageLoader, StrictUndefined

    base = hub_id(record["base"]["source"])
    data = ModelCardData(
        base_model=base,
        eval_results=_results(report) or None,
        language=language,
        library_name="peft",
        license=licence,
        model_name=report.run,
        pipeline_tag="text-classification",
        tags=["nlpkit", "lora", "sentiment", *(["regression"] if report.kind == "values" else [])],
    )
    # Markdown, not HTML: `cell` is what escapes here.
    environment = Environment(loader=PackageLoader("nlpkit.evaluation", "templates"), undefined=StrictUndefined, trim_blocks=True)  # noqa: S701
    environment.filters["cell"] = cell
    body = environment.get_template("card.md.jinja").render(
        report=report,
        record=record,
        base=base or record["base"]["source"],
        revision=record["base"].get("revision") if str(record["base"]["source"]).startswith("hub:") else None,
        labels=report.findings.labels,
        scores=score_table(report.scores),
        few=[one for one in report.findings.per_class if one.support < FEW],
        count=max((score.count for score in report.scores.values()), default=0),
        python=repr,
        list=list,
        licence=licence,
    )
    return str(ModelCard(f"---\n{data.to_yaml()}\n---\n\n{body}"))


def _results(report: Report) -> list[Any]:
    """The scores that have a value, as the hub's model index wants them."""
    from huggingface_hub import EvalResult

    return [
        EvalResult(
            task_type="text-classification",
            dataset_type=re.sub(r"[^A-Za-z0-9._/-]+", "-", report.data).strip("-") or "data",
            dataset_name=report.data,
            metric_type=HUB_METRICS.get(name, name),
            metric_name=score.title or name,
            metric_value=round(score.value, 4),
        )
        for name, score in report.scores.items()
        if score.value is not None
    ]
