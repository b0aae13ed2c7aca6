"""How many of the texts that a run is measured on it was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nlpkit.data.text_hashes import count_trained_on
from nlpkit.reports.parts import Overlap
from nlpkit.reports.report import Report
from nlpkit.run import Run
from nlpkit.tasks.answers.family import Family


def with_overlap(
    report: Report, run: Run, family: Family, examples: Sequence[Any], baseline: Run | None = None
) -> Report:
    """Return the report with how many of its texts the run was trained on; one is too many.

    Raises:
        RunError: the run's hashes have changed.
    """
    texts = [text for example in examples for text in family.texts(example)[-1:]]
    unit = report.data_card.unit
    overlap = Overlap(trained_on=count_trained_on(run, texts), of=len(texts))
    warnings, sentences = list(report.warnings), list(report.summary)
    (warnings if overlap.trained_on else sentences).append(overlap.in_words(report.run, unit))
    if baseline is not None and baseline.path.resolve() != run.path.resolve():
        theirs = Overlap(trained_on=count_trained_on(baseline, texts), of=len(texts))
        if theirs.trained_on:
            warnings.append(theirs.in_words(baseline.name, unit))
    return report.model_copy(
        update={"overlap": overlap, "warnings": tuple(warnings), "summary": tuple(sentences)}
    )
