"""Splits: what is trained on and what is held out, so that nothing held out has been seen in training."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from nlpkit.errors import DataError

Example = TypeVar("Example")

_PARTS = ("train", "validation", "test")


@dataclass(frozen=True, kw_only=True, slots=True)
class Split(Generic[Example]):
    """The parts; every example given is in exactly one, in the order given."""

    train: tuple[Example, ...]
    validation: tuple[Example, ...] = ()
    test: tuple[Example, ...] = ()
    kept_together: int = 0
    """How many examples stayed on one side because another of their group is there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldOut(Generic[Example]):
    """What is left to train on, and what was dropped because it stands in the held-out examples."""

    train: tuple[Example, ...]
    dropped: tuple[Example, ...]


class Splitter(Protocol):
    """How examples of one family are split."""

    @property
    def unit(self) -> str:
        """What messages call the examples."""

    def groups(self, examples: Sequence[Any], *, near_duplicates: float, seed: int) -> list[int]:
        """Return the group of each example: equal and near-equal ones share it, and stay on one side."""

    def strata(self, examples: Sequence[Any]) -> list[str]:
        """Return what each example is balanced by, such as its label."""


def split(
    examples: Sequence[Example],
    by: Splitter,
    *,
    validation: float,
    test: float,
    seed: int,
    near_duplicates: float,
) -> Split[Example]:
    """Split examples into three parts: the same for the same seed, groups whole, each stratum spread alike.

    The parts have the sizes that the shares ask for, as far as groups allow: a held-out part is never larger,
    and smaller by less than the smallest group that is trained on. The largest groups go first, and mostly to
    training.

    Args:
        examples: what is split.
        by: how they are grouped and balanced.
        validation: share that is held out to choose on.
        test: share that is held out to report on.
        seed: of all that is random.
        near_duplicates: examples that share this much (Jaccard similarity of word pairs) stay on one side.

    Raises:
        DataError: a part that was asked for stays empty.
    """
    groups, strata = by.groups(examples, near_duplicates=near_duplicates, seed=seed), by.strata(examples)
    parts = _assign(groups, strata, {"test": test, "validation": validation}, random.Random(seed))  # noqa: S311
    chosen: dict[str, list[Example]] = {name: [] for name in _PARTS}
    for example, group in zip(examples, groups, strict=True):
        chosen[parts[group]].append(example)
    for name, share in (("train", 1.0), ("validation", validation), ("test", test)):
        if share and not chosen[name]:
            raise DataError(_empty(name, share, by.unit, len(groups), len(parts), near_duplicates))
    kept_together = sum(size for size in Counter(groups).values() if size > 1)
    return Split(**{name: tuple(part) for name, part in chosen.items()}, kept_together=kept_together)


def folds(
    examples: Sequence[Example], by: Splitter, *, count: int, seed: int, near_duplicates: float
) -> list[int]:
    """Return the fold of each example, from 1: groups whole, each stratum spread alike.

    Raises:
        DataError: a fold would stay empty.
    """
    import numpy as np
    from sklearn.model_selection import StratifiedGroupKFold

    groups = by.groups(examples, near_duplicates=near_duplicates, seed=seed)
    if len(set(groups)) < count:
        raise DataError(
            f"{len(examples)} {by.unit} in {len(set(groups))} groups of near-equal texts; expected at least "
            f"{count} groups for {count} folds; hint: fewer folds"
        )
    strata = by.strata(examples)
    sizes = Counter(strata)
    largest = max(sizes, key=lambda name: sizes[name])
    common = [name if sizes[name] >= count else largest for name in strata]  # too few to be spread alike
    numbers = np.zeros(len(examples), dtype=int)
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    for number, (_, held) in enumerate(splitter.split(np.zeros(len(examples)), common, groups), start=1):
        numbers[held] = number
    if len(set(numbers.tolist())) < count:
        raise DataError(f"a fold of {count} stays empty; expected smaller groups of near-equal texts")
    return [int(number) for number in numbers]


def hold_out(
    train: Sequence[Example], held: Sequence[Example], by: Splitter, *, near_duplicates: float
) -> HeldOut[Example]:
    """Drop the training examples that are equal or near-equal to a held-out one, through chains of others
    too.

    Raises:
        DataError: nothing is left to train on.
    """
    groups = by.groups([*train, *held], near_duplicates=near_duplicates, seed=0)
    taken = set(groups[len(train) :])
    kept = tuple(example for example, group in zip(train, groups, strict=False) if group not in taken)
    dropped = tuple(example for example, group in zip(train, groups, strict=False) if group in taken)
    if not kept:
        problem = (
            f"all {len(train)} training {by.unit} are equal or near-equal to held-out ones"
            if train
            else f"no training {by.unit}"
        )
        raise DataError(
            f"held-out {by.unit}: {problem}; expected training {by.unit} of their own; "
            "hint: name other files for validation and test"
        )
    return HeldOut(train=kept, dropped=dropped)


def _assign(
    groups: Sequence[int], labels: Sequence[str], shares: dict[str, float], rng: random.Random
) -> dict[int, str]:
    """Return the part of each group: greedily the one that lacks most of the group's labels, large groups
    first.
    """
    counts: dict[int, Counter[str]] = {}
    for group, label in zip(groups, labels, strict=True):
        counts.setdefault(group, Counter())[label] += 1
    lacking = _targets(Counter(labels), shares, rng)
    order = list(counts)
    rng.shuffle(order)
    order.sort(key=lambda group: -counts[group].total())
    parts = {}
    for group in order:
        parts[group] = _neediest(counts[group], lacking)
        lacking[parts[group]].subtract(counts[group])
    _fill(parts, counts, lacking, order)
    return parts


def _targets(labels: Counter[str], shares: dict[str, float], rng: random.Random) -> dict[str, Counter[str]]:
    """Count the examples of each label that each part should have: whole numbers that add up to the shares of
    the whole.
    """
    left = Counter(labels)
    targets = {}
    for name, share in shares.items():
        size = max(1, round(share * labels.total())) if share else 0
        # The last example of a label is left to train on, unless there would not be enough without.
        spare = 1 if sum(count - 1 for count in left.values()) >= size else 0
        quota = {label: min(share * labels[label], max(0, left[label] - spare)) for label in labels}
        target = Counter({label: int(part) for label, part in quota.items()})
        ranked = sorted(labels, key=lambda label: (target[label] - quota[label], rng.random()))
        while target.total() < size and any(left[label] - spare > target[label] for label in ranked):
            for label in ranked[:]:
                if target.total() < size and left[label] - spare > target[label]:
                    target[label] += 1
        targets[name] = target
        left -= target
    return {"train": left, **targets}


def _neediest(count: Counter[str], lacking: dict[str, Counter[str]]) -> str:
    """Return the part that lacks most of these labels among those that the group fits in; training always
    fits.
    """
    fits = [name for name in _PARTS if name == "train" or lacking[name].total() >= count.total()]
    return max(fits, key=lambda name: sum(lacking[name][label] * many for label, many in count.items()))


def _fill(
    parts: dict[int, str],
    counts: dict[int, Counter[str]],
    lacking: dict[str, Counter[str]],
    order: Sequence[int],
) -> None:
    """Move groups from training until no held-out part could take another: first those whose labels are
    wanted.
    """
    for wanted in (True, False):
        for name in ("test", "validation"):
            for group in reversed(order):
                need = sum(lacking[name][label] * many for label, many in counts[group].items())
                if (
                    parts[group] == "train"
                    and lacking[name].total() >= counts[group].total()
                    and (need > 0 or not wanted)
                ):
                    parts[group] = name
                    lacking[name].subtract(counts[group])
                    lacking["train"].update(counts[group])


def _empty(name: str, share: float, what: str, count: int, groups: int, near_duplicates: float) -> str:
    """Explain why a part is empty, and what to do."""
    where = f"{name} {what}" if name == "train" else f"{name} {what} (share {share})"
    if count == 0:
        return f"{where}: there are no {what} to split; expected at least 1"
    near = (
        f"; texts that share {near_duplicates:.0%} of their word pairs stay together"
        if groups < count
        else ""
    )
    return (
        f"{where}: none left of {count} {what} in {groups} groups of near-equal texts{near}; "
        f"expected at least one group for each part; "
        f"hint: give more {what}, name a file for the part, or raise near_duplicates"
    )
