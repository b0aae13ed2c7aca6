"""Preflight: what will be learned, cut and dropped, reported before step 1; invalid data is refused."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nlpkit.data.text_language import scripts_of, unreadable_line
from nlpkit.errors import DataError
from nlpkit.settings.training import FEW_STEPS, SMALL_BATCH, TextTraining
from nlpkit.tasks.encoding import is_unreadable
from nlpkit.tasks.reading import SHOWN_REASONS
from nlpkit.tasks.task import TextTask
from nlpkit.training.loaded_base import LoadedBase, count_weights
from nlpkit.training.rows import Rows, TrainingRow


@dataclass(frozen=True, kw_only=True)
class Preflight:
    """The facts, in the order in which they are reported."""

    lines: tuple[str, ...]
    warnings: tuple[str, ...]


def preflight(
    rows: Rows[TextTask],
    train: Sequence[TrainingRow],
    base: LoadedBase,
    model: Any,
    *,
    training: TextTraining,
    steps: int,
    is_private: bool = False,
) -> Preflight:
    """Describe what this training will do; private training may take few steps, of large batches.

    Raises:
        DataError: nothing to learn: too few rows, one class only, labels that never occur, every text cut.
    """
    _refuse(rows, train, base.max_tokens)
    trainable, total = count_weights(model)
    targets = rows.task.family.preflight(rows.train, rows.validation, training, [row.target for row in train])
    lengths = sorted(len(row.input_ids) for row in train)
    cut = sum(row.cut > 0 for row in train)
    lost = sum(row.cut for row in train)
    lines = (
        f"rows       {len(rows.train):,} to train on, {len(rows.validation):,} to choose on, "
        f"{len(rows.test):,} to report on",
        *_swapped(rows),
        *targets.lines,
        f"tokens     median {int(statistics.median(lengths))}, 95% within "
        f"{lengths[int(0.95 * (len(lengths) - 1))]}, "
        f"longest {lengths[-1]} of {base.max_tokens}",
        f"cut        {cut:,} texts ({cut / len(train):.1%}) lose {lost:,} tokens at their end",
        *_turns_cut(train),
        f"dropped    {rows.dropped:,} training rows that stand, nearly equal, in the held-out ones",
        f"learned    {trainable:,} of {total:,} weights ({trainable / total:.1%}) in {steps:,} steps",
    )
    warnings = (
        *_cut_warnings(cut / len(train)),
        *targets.warnings,
        *_swap_warnings(rows),
        *(f"left out: {reason}" for reason in rows.skipped[:SHOWN_REASONS]),
        *_validation_warnings(len(rows.validation)),
        *([] if is_private else _step_warnings(steps, training)),
        *_unreadable_warnings(rows, train, base),
    )
    return Preflight(lines=lines, warnings=warnings)


def _swapped(rows: Rows[TextTask]) -> list[str]:
    """Report the training rows that are copies with groups of people exchanged."""
    if rows.swapped is None:
        return []
    count = len(rows.swapped)
    return [f"swapped    {count:,} of those to train on are copies with groups of people exchanged"]


def _swap_warnings(rows: Rows[TextTask]) -> list[str]:
    if rows.swapped is None or rows.swapped:
        return []
    return ["data.swaps: no training row names a group of people, so there is nothing to exchange"]


def _turns_cut(train: Sequence[TrainingRow]) -> list[str]:
    """Report the turns before a turn that do not fit with it."""
    cut = sum(row.turns_cut > 0 for row in train)
    if not cut:
        return []
    lost = sum(row.turns_cut for row in train)
    return [
        f"           {cut:,} turns ({cut / len(train):.1%}) lose {lost:,} earlier turns, the oldest first"
    ]


def _refuse(rows: Rows[TextTask], train: Sequence[TrainingRow], max_tokens: int) -> None:
    if not rows.validation:
        raise DataError(
            "no validation rows: nothing to choose and calibrate on; hint: data.validation: 0.1, or a file"
        )
    if all(row.cut for row in train):
        raise DataError(
            f"all {len(train):,} training texts are cut at {max_tokens} tokens; "
            "hint: a larger base.max_tokens, or shorter texts"
        )
    if not any(row.weight > 0 for row in train):
        raise DataError(
            "every training row has the weight 0: there is nothing to learn; hint: check data.train.*.weight"
        )


def _cut_warnings(cut: float) -> list[str]:
    if cut <= 0.2:
        return []
    return [f"{cut:.0%} of the training texts are cut; a larger base.max_tokens reads more of them"]


def _step_warnings(steps: int, training: TextTraining) -> list[str]:
    """Warn of a training that ends before it has learned: few rows make few steps."""
    if steps >= FEW_STEPS or training.max_steps is not None:
        return []
    if training.batch_size > SMALL_BATCH:
        hint = f"training.batch_size={SMALL_BATCH}"
    else:
        hint = f"training.epochs={math.ceil(training.epochs * FEW_STEPS / steps)}"
    return [f"only {steps} steps, in which little is learned; hint: {hint}"]


def _unreadable_warnings(rows: Rows[TextTask], train: Sequence[TrainingRow], base: LoadedBase) -> list[str]:
    unknown = base.tokenizer.unk_token_id
    scripts = scripts_of(
        rows.task.input(example).text
        for example, row in zip(rows.train, train, strict=True)
        if unknown is not None and is_unreadable(row.input_ids.count(unknown), len(row.input_ids))
    )
    if not scripts:
        return []
    return [
        f"{unreadable_line(scripts, len(train))}; hint: a base that knows their language, such as "
        "base.source: multilingual-e5-small"
    ]


def _validation_warnings(count: int) -> list[str]:
    if count >= 100:
        return []
    return [f"only {count} validation rows: the choice of checkpoint and the calibration are uncertain"]
