"""Training rows seen again with other groups of people, or none, so that no label is learned from a group."""

from __future__ import annotations

import dataclasses
import itertools
import random
from collections.abc import Sequence
from typing import Any

from nlpkit.data.identities import swapper
from nlpkit.errors import ConfigError
from nlpkit.settings import Settings
from nlpkit.settings.data import Data
from nlpkit.tasks.task import Task


def swapped_rows(
    examples: Sequence[Any], held: Sequence[Any], task: Task, data: Settings, *, seed: int
) -> dict[int, Any] | None:
    """Return a copy of each example that names a group, with the same answer and another group of its kind,
    by the example's number.

    Of groups that an audit compares with sentences that name none, every other copy names none, where the
    words can be left out. A copy that is equal or near-equal to a held-out example is left out.
    None where `data` asks for no copies.

    Args:
        examples: of a task that reads texts, with an answer to the whole text.
        held: the held-out examples.
        task: theirs.
        data: the settings of the data.
        seed: draws the other group.

    Raises:
        ConfigError: the answers are about places in a text, or a text is a turn.
    """
    if not (isinstance(data, Data) and data.swaps):
        return None
    head = getattr(task, "head", None)
    if head is None or head.level != "text" or getattr(task, "turns", None) is not None:
        raise ConfigError(
            f"data.swaps: the task {task.kind!r} has no answers to whole texts alone; hint: data.swaps=false"
        )
    draws = random.Random(seed)  # noqa: S311
    copies = {
        number: dataclasses.replace(example, text=text, where=f"{example.where}, with groups exchanged")
        for number, example in enumerate(examples)
        if (text := _swapped(example.text, draws)) != example.text
    }
    if not held:
        return copies
    groups = task.family.groups([*copies.values(), *held], near_duplicates=data.near_duplicates, seed=0)
    taken = set(groups[len(copies) :])
    kept = [group not in taken for group in groups[: len(copies)]]
    return dict(itertools.compress(copies.items(), kept))


def _swapped(text: str, draws: random.Random) -> str:
    swap = swapper()
    for kind, group in {mention.kind: mention.group for mention in swap.mentions(text)}.items():
        others = [name for name in swap.kinds[kind] if name != group]
        names_none = kind in swap.compared_with_none and draws.random() < 0.5
        shorter = swap.unnamed(text, kind, group) if names_none else text
        text = shorter if shorter != text else swap.exchange(text, kind, group, draws.choice(others))
    return text
