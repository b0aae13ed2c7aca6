"""What each part of a post is worth: runs trained on texts alone, on pictures alone and on both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from nlpkit.classifiers.classifier import Classifier
from nlpkit.metrics.intervals import bootstrap, paired
from nlpkit.reports.sections import Table, columns
from nlpkit.reports.wording import difference
from nlpkit.run import Run

Part = TypeVar("Part", bound=str)

ALL = "all"
"""The row of all examples."""


def ablation_table(
    run: Run, alone: Mapping[Part, Run], examples: Sequence[Any], given: Mapping[Part, Sequence[Any]]
) -> Table:
    """Return the scores of a run and of those that were trained on one part, on the same rows.

    Args:
        run: trained on both parts.
        alone: by part, the run that was trained on it alone.
        examples: the held-out rows; those of a group have a row of their own.
        given: by part, the examples with that part alone.
    """
    both = Classifier.load(run)
    family, seed = both.task.family, run.read().seed
    metric = family.best_by
    inputs = {name: [both.task.input(example) for example in rows] for name, rows in given.items()}
    answers = {
        "both": both.predict([both.task.input(example) for example in examples]),
        **{str(name): Classifier.load(each).predict(inputs[name]) for name, each in alone.items()},
    }
    groups: dict[str, list[int]] = {ALL: list(range(len(examples)))}
    for group in sorted({example.group for example in examples} - {""}):
        groups[group] = [row for row, example in enumerate(examples) if example.group == group]
    table = []
    for group, numbers in groups.items():
        rows = [examples[number] for number in numbers]
        outcomes = {
            name: family.outcomes(rows, [of_part[number] for number in numbers])
            for name, of_part in answers.items()
        }
        scores = {name: bootstrap(each, (metric,), seed=seed)[metric.name] for name, each in outcomes.items()}
        gains = [
            difference(scores["both"], paired(metric, outcomes["both"], outcomes[name], seed=seed))
            for name in alone
        ]
        shown = [scores[name].shown_with_interval for name in (*map(str, alone), "both")]
        table.append((group, len(rows), *shown, *gains))
    return Table(
        id="parts",
        title=f"{metric.title} by text, by picture and by both",
        nav="Parts",
        note="Three runs with the same settings, each trained and measured on what its column names. "
        "Differences are on the same rows, with 95% intervals by paired bootstrap: where one holds 0, the "
        "two may not differ.",
        columns=columns(
            "Rows of", "Rows", *(f"{name.capitalize()} only" for name in alone), "Both",
            *(f"Both minus {name}" for name in alone),
        ),
        rows=tuple(table),
    )  # fmt: skip
