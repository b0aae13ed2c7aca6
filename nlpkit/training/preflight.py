"""Preflight: what will be learnt, cut and dropped, said before step 1; what cannot be meant is refused."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from nlpkit.errors import DataError
from nlpkit.tasks.encoding import Encoded
from nlpkit.training.rows import Rows


@dataclass(frozen=True, kw_only=True)
class Preflight:
    """The facts, in the order in which they are said."""

    lines: tuple[str, ...]
    warnings: tuple[str, ...]


def preflight(
    rows: Rows, train: Sequence[Encoded], *, max_tokens: int, trainable: int, total: int, steps: int
) -> Preflight:
    """What this training will do.

    Raises:
        DataError: nothing to learn: too few rows, one class only, labels that never occur, every text cut.
    """
    _refuse(rows, train, max_tokens)
    lengths = sorted(len(one.input_ids) for one in train)
    cut = sum(one.cut > 0 for one in train)
    lost = sum(one.cut for one in train)
    lines = [
        f"rows       {len(rows.train):,} to train on, {len(rows.validation):,} to choose on, {len(rows.test):,} to report on",
        *_targets(rows),
        f"tokens     median {int(statistics.median(lengths))}, 95% within {lengths[int(0.95 * (len(lengths) - 1))]}, "
        f"longest {lengths[-1]} of {max_tokens}",
        f"cut        {cut:,} texts ({cut / len(train):.1%}) lose {lost:,} tokens at their end",
        f"dropped    {rows.dropped:,} training rows that stand, nearly equal, in the held-out ones",
        f"learnt     {trainable:,} of {total:,} weights ({trainable / total:.1%}) in {steps:,} steps",
    ]
    return Preflight(lines=tuple(lines), warnings=tuple(_warnings(rows, cut / len(train))))


def _targets(rows: Rows) -> list[str]:
    if rows.task.kind == "intensity":
        values = [row.value for row in rows.train if row.value is not None]
        return [f"values     from {min(values):g} to {max(values):g}, mean {statistics.fmean(values):.2f}"]
    counts = Counter(str(row.label) for row in rows.train)
    shown = ", ".join(
        f"{label} {counts[label]:,} ({counts[label] / len(rows.train):.0%})"
        for label in rows.task.id2label.values()
    )
    return [f"labels     {shown}"]


def _refuse(rows: Rows, train: Sequence[Encoded], max_tokens: int) -> None:
    if not rows.validation:
        raise DataError(
            "no validation rows: nothing to choose and calibrate on; cure: data.validation: 0.1, or a file"
        )
    if all(one.cut for one in train):
        cure = "cure: a larger base.max_tokens, or shorter texts"
        raise DataError(f"all {len(train):,} training texts are cut at {max_tokens} tokens; {cure}")
    if not any(one.weight > 0 for one in train):
        raise DataError(
            "every training row has the weight 0: there is nothing to learn; cure: look at data.train.*.weight"
        )
    if rows.task.kind == "intensity":
        if len({row.value for row in rows.train}) < 2:
            raise DataError(
                f"all training rows hold the value {rows.train[0].value}; expected a number that varies"
            )
        return
    seen = {str(row.label) for row in rows.train}
    if len(seen) < 2:
        raise DataError(f"the training rows hold only the label {seen.pop()!r}; expected at least two")
    never = [label for label in rows.task.id2label.values() if label not in seen]
    if never:
        raise DataError(
            f"the label {never[0]!r} of the config never occurs in the training rows; found: {', '.join(sorted(seen))}"
        )


def _warnings(rows: Rows, cut: float) -> list[str]:
    found = []
    if cut > 0.2:
        found.append(f"{cut:.0%} of the training texts are cut; a larger base.max_tokens reads more of them")
    counts = Counter(str(row.label) for row in rows.train if row.label is not None)
    if counts and max(counts.values()) > 10 * min(counts.values()):
        rarest = min(counts, key=lambda label: counts[label])
        found.append(
            f"the label {rarest!r} is rare ({counts[rarest]:,} rows); training.class_weights: balanced may help"
        )
    missing = set(counts) - {str(row.label) for row in rows.validation}
    if missing:
        found.append(f"the validation rows never hold {', '.join(sorted(missing))}: scores say nothing of it")
    if len(rows.validation) < 100:
        found.append(
            f"only {len(rows.validation)} validation rows: the choice of checkpoint and the calibration are uncertain"
        )
    return found
