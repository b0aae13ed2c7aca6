"""The audit of the user's own texts: groups exchanged in them, and how often each group gets a label."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlpkit.config import validate
from nlpkit.data.identities import Mention, swapper
from nlpkit.data.records import read_records, text_of
from nlpkit.errors import ConfigError, DataError
from nlpkit.settings.data import DataSource
from nlpkit.tasks.answers.showing import answer_of
from nlpkit.tasks.own_settings import source_for
from nlpkit.tasks.prediction import Prediction, turns_read_by
from nlpkit.tasks.reading import read_examples
from nlpkit.trust.gaps import Gap, Swapped, corrected, mean_of

FEWEST = 10
"""Texts that name a group or one of a pair, or that have a label, below which nothing is said of them."""
EXAMPLES = 3

Answers = Callable[[Sequence[str]], Sequence[Prediction]]


@dataclass(frozen=True, kw_only=True)
class LabeledTexts:
    """The texts of a file, with their labels where those are known."""

    name: str
    texts: tuple[str, ...]
    where: tuple[str, ...]
    labels: tuple[str, ...] | None = None

    def for_labels(self, is_known: bool) -> LabeledTexts:
        """Return the texts for a reader of the same labels, or without labels for one of others."""
        return self if is_known else dataclasses.replace(self, labels=None)


@dataclass(frozen=True, kw_only=True)
class Odds:
    """How far groups of a kind are from equalized odds (Hardt et al. 2016, arXiv:1610.02413)."""

    kind: str
    difference: float
    """The largest difference between two groups of the share of texts that are given a label, among
    those that have it or among those that don't, over all labels."""
    label: str
    rate: str
    """`true positives` or `false positives`."""
    highest: str
    """The group with the highest rate."""
    lowest: str
    groups: int


@dataclass(frozen=True, kw_only=True)
class FileAudit:
    """How alike a run treats the groups that texts name."""

    name: str
    texts: int
    naming: int
    """Texts that name a group."""
    gaps: tuple[Gap, ...]
    left_out: dict[str, int]
    """Pairs of groups with too few texts, and how many each has."""
    accuracy: float | None = None
    odds: tuple[Odds, ...] = ()
    right: tuple[bool, ...] = ()
    """Whether each text got its label; empty without labels."""
    accuracy_paid: dict[str, float] | None = None
    """By how much the accuracy of what it is compared with is higher, with the ends of the interval."""

    def paid(self, compared: FileAudit, seed: int) -> FileAudit:
        """Return this audit with what it lacks of another one's accuracy, on the same texts."""
        if not self.right or not compared.right:
            return self
        differences = [
            float(theirs) - float(ours) for ours, theirs in zip(self.right, compared.right, strict=True)
        ]
        mean = mean_of(differences, seed)
        paid = {"difference": mean.mean, "low": mean.low, "high": mean.high}
        return dataclasses.replace(self, accuracy_paid=paid)


def read_texts(task: Any, file: Path | str, *, text: str, **fields: Any) -> LabeledTexts:
    """Read the texts of a file, and their labels where `label` names a column.

    Raises:
        ConfigError: a field means nothing to the task, or the run reads turns.
        DataError: the file or a row is wrong, or there are no rows.
    """
    if turns_read_by(task) is not None:
        raise ConfigError(
            f"{file}: the run reads turns, and texts alone are audited; hint: leave the file out"
        )
    source = validate({**fields, "text": text, "source": str(file)}, DataSource, where=Path(str(file)))
    if fields.keys() & {"label", "labels", "bins"}:
        examples = read_examples(task, [source_for(task, source)], seed=0).examples
        labels = [example.label for example in examples]
        return LabeledTexts(
            name=str(file),
            texts=tuple(example.text for example in examples),
            where=tuple(example.where for example in examples),
            labels=None if None in labels else tuple(labels),
        )
    records = list(read_records(Path(file), format=source.format, encoding=source.encoding))
    if not records:
        raise DataError(f"{file}: no rows; expected texts")
    return LabeledTexts(
        name=str(file),
        texts=tuple(text_of(record, text) for record in records),
        where=tuple(record.where for record in records),
    )


def audit_texts(answers: Answers, texts: LabeledTexts, seed: int) -> FileAudit:
    """Exchange groups in texts, and compare the answers; with labels, compare how often each is missed.

    Raises:
        DataError: no text names a group.
    """
    swap = swapper()
    mentions = [swap.mentions(text) for text in texts.texts]
    naming = [row for row, groups in enumerate(mentions) if groups]
    if not naming:
        raise DataError(
            f"{texts.name}: none of the {len(texts.texts):,} texts names a group of people in nlpkit's "
            "words; hint: leave the file out, so that sentences made for the audit are measured alone"
        )
    asked = range(len(texts.texts)) if texts.labels else naming
    original = dict(zip(asked, answers([texts.texts[row] for row in asked]), strict=True))
    gaps, left_out = _swap_gaps(answers, texts, mentions, original, seed)
    given = [answer_of(original[row]) for row in asked] if texts.labels else []
    right = tuple(label == true for label, true in zip(given, texts.labels or (), strict=True))
    return FileAudit(
        name=texts.name,
        texts=len(texts.texts),
        naming=len(naming),
        gaps=corrected(gaps),
        left_out=left_out,
        accuracy=sum(right) / len(right) if right else None,
        odds=equalized_odds(mentions, given, texts.labels) if texts.labels else (),
        right=right,
    )


def _swap_gaps(
    answers: Answers,
    texts: LabeledTexts,
    mentions: Sequence[Sequence[Mention]],
    original: dict[int, Prediction],
    seed: int,
) -> tuple[list[Gap], dict[str, int]]:
    """Return the gap of each pair of groups, from texts that name one of the two; and pairs with too few."""
    swap = swapper()
    pairs: dict[tuple[str, str, str], list[tuple[int, int, str]]] = defaultdict(list)
    for row, named in enumerate(mentions):
        for mention in named:
            order = list(swap.kinds[mention.kind])
            for group in swap.counterparts(mention):
                if Mention(mention.kind, group) in named:
                    continue
                first, second = sorted((mention.group, group), key=order.index)
                swapped = swap.exchange(texts.texts[row], mention.kind, first, second)
                sign = 1 if mention.group == first else -1
                pairs[mention.kind, first, second].append((row, sign, swapped))
    few = {
        f"{first} / {second}": len(rows) for (_, first, second), rows in pairs.items() if len(rows) < FEWEST
    }
    large = {pair: rows for pair, rows in sorted(pairs.items()) if len(rows) >= FEWEST}
    predicted = iter(answers([swapped for rows in large.values() for _, _, swapped in rows]))
    gaps = []
    for (kind, first, second), rows in large.items():
        compared = [
            (sign, _swapped(texts, row, swapped, original[row], next(predicted)))
            for row, sign, swapped in rows
        ]
        mean = mean_of([sign * pair.difference for sign, pair in compared], seed)
        shown = sorted(
            (pair for _, pair in compared), key=lambda pair: (not pair.is_changed, -abs(pair.difference))
        )
        gaps.append(
            Gap(
                kind=kind,
                group=first,
                against=second,
                count=len(rows),
                gap=mean.mean,
                low=mean.low,
                high=mean.high,
                p=mean.p,
                changed=sum(pair.is_changed for pair in shown) / len(shown),
                examples=tuple(shown[:EXAMPLES]),
            )
        )
    return gaps, few


def _swapped(texts: LabeledTexts, row: int, swapped: str, before: Prediction, after: Prediction) -> Swapped:
    return Swapped(
        text=texts.texts[row],
        swapped=swapped,
        label=answer_of(before),
        swapped_label=answer_of(after),
        difference=float(before.score or 0.0) - float(after.score or 0.0),
        where=texts.where[row],
    )


def equalized_odds(
    mentions: Sequence[Sequence[Mention]], given: Sequence[str], truth: Sequence[str]
) -> tuple[Odds, ...]:
    """Return how far the groups of each kind are from equalized odds, the largest difference first.

    A text that names two groups counts for both. Rates over fewer than FEWEST texts are left out.
    """
    rows: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for row, named in enumerate(mentions):
        for mention in named:
            rows[mention.kind][mention.group].append(row)
    odds = []
    for kind, groups in rows.items():
        differences = [
            _odds(kind, label, rate, rates)
            for label in sorted(set(truth))
            for rate, has_label in (("true positives", True), ("false positives", False))
            if len(rates := _rates(groups, label, has_label, given, truth)) > 1
        ]
        odds += sorted(differences, key=lambda entry: -entry.difference)[:1]
    return tuple(sorted(odds, key=lambda entry: -entry.difference))


def _rates(
    groups: Mapping[str, Sequence[int]],
    label: str,
    has_label: bool,
    given: Sequence[str],
    truth: Sequence[str],
) -> dict[str, float]:
    """Return for each group how often the label is given, among its texts that have it or that don't."""
    among = {
        group: [row for row in rows if (truth[row] == label) == has_label] for group, rows in groups.items()
    }
    return {
        group: sum(given[row] == label for row in rows) / len(rows)
        for group, rows in among.items()
        if len(rows) >= FEWEST
    }


def _odds(kind: str, label: str, rate: str, rates: Mapping[str, float]) -> Odds:
    highest, lowest = max(rates, key=lambda group: rates[group]), min(rates, key=lambda group: rates[group])
    return Odds(
        kind=kind,
        difference=rates[highest] - rates[lowest],
        label=label,
        rate=rate,
        highest=highest,
        lowest=lowest,
        groups=len(rates),
    )
