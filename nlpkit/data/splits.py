"""Splits: what is learnt from and what is held out, so that nothing held out has been seen in training."""

from __future__ import annotations

import bisect
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nlpkit.data.examples import LabeledText
from nlpkit.data.near import near_groups
from nlpkit.errors import DataError

BINS = 10
"""Values are stratified by this many quantile bins."""

_PARTS = ("train", "validation", "test")


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """The parts; every example given is in exactly one, in the order given."""

    train: tuple[LabeledText, ...]
    validation: tuple[LabeledText, ...] = ()
    test: tuple[LabeledText, ...] = ()
    kept_together: int = 0
    """How many examples stayed on one side because another is equal or near-equal."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldOut:
    """What is left to train on, and what was dropped because it stands in the held-out texts."""

    train: tuple[LabeledText, ...]
    dropped: tuple[LabeledText, ...]

    def __iter__(self) -> Iterator[tuple[LabeledText, ...]]:
        """`kept, dropped = hold_out(...)`."""
        return iter((self.train, self.dropped))


def split(
    examples: Sequence[LabeledText], *, validation: float, test: float, seed: int, near_duplicates: float
) -> Split:
    """The examples in three parts: the same for the same seed, each label spread alike, near-equal texts on one side.

    The parts have the sizes that the shares ask for, as far as groups of near-equal texts allow: a held-out part is never larger,
    and smaller by less than the smallest group that is trained on. The largest groups go first, and mostly to training.

    Raises:
        DataError: a part that was asked for stays empty.
    """
    groups = near_groups([one.text for one in examples], threshold=near_duplicates, seed=seed)
    places = parted(
        groups, strata(examples), validation=validation, test=test, seed=seed, near_duplicates=near_duplicates
    )
    found = {name: tuple(examples[place] for place in chosen) for name, chosen in places.items()}
    return Split(**found, kept_together=companions(groups))


def parted(
    groups: Sequence[int],
    labels: Sequence[str],
    *,
    validation: float,
    test: float,
    seed: int,
    near_duplicates: float,
    what: str = "rows",
) -> dict[str, list[int]]:
    """The places of what is in each part, in order: groups stay whole, and each label is spread alike.

    Raises:
        DataError: a part that was asked for stays empty.
    """
    parts = _assign(groups, labels, {"test": test, "validation": validation}, random.Random(seed))  # noqa: S311
    places: dict[str, list[int]] = {name: [] for name in _PARTS}
    for place, group in enumerate(groups):
        places[parts[group]].append(place)
    for name, share in (("train", 1.0), ("validation", validation), ("test", test)):
        if share and not places[name]:
            raise DataError(_empty(name, share, what, len(groups), len(parts), near_duplicates))
    return places


def companions(groups: Sequence[int]) -> int:
    """How many are not alone in their group."""
    return sum(size for size in Counter(groups).values() if size > 1)


def hold_out(train: Sequence[LabeledText], held: Sequence[LabeledText], near_duplicates: float) -> HeldOut:
    """The training examples without those whose text is equal or near-equal to a held-out one, and those dropped.

    A text that is near-equal only through a chain of others is dropped too, as `split` would keep it on one side.

    Raises:
        DataError: nothing is left to train on.
    """
    groups = near_groups([one.text for one in (*train, *held)], threshold=near_duplicates, seed=0)
    taken = set(groups[len(train) :])
    kept = tuple(one for one, group in zip(train, groups, strict=False) if group not in taken)
    dropped = tuple(one for one, group in zip(train, groups, strict=False) if group in taken)
    if not kept:
        found = (
            f"all {len(train)} training texts are equal or near-equal to held-out ones"
            if train
            else "no training rows"
        )
        raise DataError(
            f"held-out rows: {found}; expected training rows of their own; hint: name other files for validation and test"
        )
    return HeldOut(train=kept, dropped=dropped)


def strata(examples: Sequence[LabeledText]) -> list[str]:
    """What each example is balanced by: its label, or the quantile bin of its value."""
    values = sorted(one.value for one in examples if one.value is not None)
    count = min(BINS, len(values) // BINS)
    edges = [values[len(values) * place // count] for place in range(1, count)] if count > 1 else []

    def stratum(one: LabeledText) -> str:
        if one.label is not None or one.value is None:
            return f"label {one.label}"
        return f"bin {bisect.bisect_right(edges, one.value)}"

    return [stratum(one) for one in examples]


def _assign(
    groups: Sequence[int], labels: Sequence[str], shares: dict[str, float], rng: random.Random
) -> dict[int, str]:
    """The part of each group: greedily the one that lacks most of the group's labels, large groups first."""
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
    """How many examples of each label each part should have: whole numbers that add up to the shares of the whole."""
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
    """The part that lacks most of these labels among those that the group fits in; training always fits."""
    fits = [name for name in _PARTS if name == "train" or lacking[name].total() >= count.total()]
    return max(fits, key=lambda name: sum(lacking[name][label] * many for label, many in count.items()))


def _fill(
    parts: dict[int, str],
    counts: dict[int, Counter[str]],
    lacking: dict[str, Counter[str]],
    order: Sequence[int],
) -> None:
    """Move groups from training until no held-out part could take another: first those whose labels are wanted."""
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
    """Why a part is empty, and what to do."""
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
        f"expected at least one group for each part; hint: give more {what}, name a file for the part, or raise near_duplicates"
    )
