"""How the answers of an export differ from those of its run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How far an export may lie from its run."""

    changed: float
    """Share of rows whose label changes."""
    difference: float | None
    """Largest difference of a logit; None where single logits may differ."""
    accuracy: float
    """Share of the rows by which fewer may be right."""
    value: float
    """For numbers: the mean difference in standard deviations of the run's values."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Differences:
    """How the answers of an export differ from those of its run."""

    changed: float | None = None
    """Share of rows whose label changes; None where there are no labels."""
    accuracy: float | None = None
    """Of the run, where the truth is known."""
    exported_accuracy: float | None = None
    failures: tuple[str, ...] = ()
    """What is beyond its limit, in words."""


def changed_answers(
    before: Sequence[str], after: Sequence[str], truth: Sequence[object], limits: Limits
) -> Differences:
    """Count changed labels, and compare accuracy where the truth is known."""
    changed = sum(old != new for old, new in zip(before, after, strict=True)) / len(before)
    failures = []
    if not changed <= limits.changed:
        failures.append(f"{changed:.2%} of the labels change, {limits.changed:.2%} are allowed")
    if not truth:
        return Differences(changed=changed, failures=tuple(failures))
    right, still_right = (
        sum(answer == true for answer, true in zip(answers, truth, strict=True))
        for answers in (before, after)
    )
    accuracy, exported_accuracy = right / len(before), still_right / len(before)
    # Of few rows a single one is more than any share
    if right - still_right > max(limits.accuracy * len(before), 1 if limits.accuracy else 0):
        failures.append(
            f"accuracy falls from {accuracy:.2%} to {exported_accuracy:.2%}, {limits.accuracy:.2%} are "
            "allowed"
        )
    return Differences(
        changed=changed, accuracy=accuracy, exported_accuracy=exported_accuracy, failures=tuple(failures)
    )
