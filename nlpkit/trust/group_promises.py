"""Promises that hold in every group of a file alike, such as in every language: each group has its own
threshold, from its own labeled rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlpkit.classifiers.classifier import Classifier
from nlpkit.errors import DataError
from nlpkit.trust.calibration_rows import CalibrationRows
from nlpkit.trust.prediction_sets import least_probabilities
from nlpkit.trust.promise import CONFIDENCE, Bounds, Promise, refuse_unlike, tally_of
from nlpkit.trust.sampled_texts import sampled_texts
from nlpkit.trust.shares import FEWEST, Tally

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_SHOWN = 10
"""Groups of a kind that the words name."""


@dataclass(frozen=True, kw_only=True)
class GroupPromises:
    """In each group at most `max_error` of the answers are wrong, with 95% confidence for all together."""

    by: str
    """The column that holds the groups."""
    max_error: float
    held_out: str
    promises: Mapping[str, Promise]
    """Group -> its promise; there is at least one."""
    refused: Mapping[str, str]
    """Group -> why there is no promise: its texts get no label."""
    texts: Mapping[str, int]
    """Group -> its texts in the file."""

    @property
    def ranked(self) -> list[str]:
        """The groups with a promise, the one of whose texts the smallest share gets a label first."""
        return sorted(self.promises, key=lambda group: (self.promises[group].answered, group))

    @property
    def answered(self) -> float:
        """The expected share of the file's texts that get a label."""
        answered = sum(made.answered * self.texts[group] for group, made in self.promises.items())
        return answered / sum(self.texts.values())

    def in_words(self) -> list[str]:
        """Return the promise as a sentence, and a line for each group, the worst first."""
        first = next(iter(self.promises.values()))
        several = len(self.promises) > 1
        lines = [
            f"at most {self.max_error:.1%} of the {first.what}s given are wrong in "
            f"{f'each of {len(self.promises)} groups' if several else 'one group'} of {self.by!r}, with "
            f"{CONFIDENCE:.0%} confidence{' for all of them together' if several else ''}, as far as texts "
            f"look like the labeled rows of their group ({self.held_out}); about {self.answered:.0%} of the "
            f"texts get {first.one}"
        ]
        for group in self.ranked[:MOST_SHOWN]:
            made, worst = self.promises[group], "worst group, " if several and group == self.ranked[0] else ""
            lines.append(
                f"{worst}{group}: about {made.answered:.0%} of {self.texts[group]:,} texts get {made.one} "
                f"({made.held_out_rows:,} labeled rows)"
            )
        if hidden := self.ranked[MOST_SHOWN:]:
            lines.append(f"and {len(hidden):,} groups of whose texts a larger share gets {first.one}")
        largest = sorted(self.refused, key=lambda group: (-self.texts[group], group))
        for group in largest[:MOST_SHOWN]:
            lines.append(f"no {first.what} for {self.texts[group]:,} texts of {group}: {self.refused[group]}")
        if hidden := largest[MOST_SHOWN:]:
            texts = sum(self.texts[group] for group in hidden)
            lines.append(f"no {first.what} for {texts:,} texts of {len(hidden):,} more groups")
        return lines


def promises_by_group(
    rows: CalibrationRows,
    tallies: Mapping[str, Tally],
    *,
    by: str,
    texts: Mapping[str, int],
    max_error: float,
    is_set: bool = False,
    seed: int = 1,
) -> GroupPromises:
    """Return a promise for each group of a file, so that with 95% confidence all of them are kept.

    Of several groups each has a higher confidence (Bonferroni). A group with too few labeled rows or texts
    has no promise, nor has one whose texts are not like its rows, or whose promise no threshold keeps.

    Args:
        rows: what the classifier answers to rows whose labels and groups are known.
        tallies: of the texts of each group, or of a sample of them.
        by: what the groups are called: the column.
        texts: group -> how many texts the file has of it.
        max_error: the share of wrong labels among those given in a group.
        is_set: whether a text has any number of labels, or of opinions.
        seed: draws the resamples.

    Raises:
        DataError: no group has a promise; says why.
    """
    bounds, refused = bounds_by_group(
        rows, tallies, groups=texts, max_error=max_error, is_set=is_set, seed=seed
    )
    promises: dict[str, Promise] = {}
    for group, of_group in bounds.items():
        try:
            promises[group] = of_group.promise(max_error)
        except DataError as refusal:
            refused[group] = _reason(refusal)
    if not promises:
        reasons = "; ".join(f"{group}: {refused[group]}" for group in list(refused)[:MOST_SHOWN])
        raise DataError(
            f"no promise of at most {max_error:.1%} errors in any of {len(refused):,} groups of {by!r}: "
            f"{reasons}; hint: more labeled rows of each group with --held-out FILE, or leave out --by"
        )
    return GroupPromises(
        by=by, max_error=max_error, held_out=rows.source, promises=promises, refused=refused, texts=texts
    )


def bounds_by_group(
    rows: CalibrationRows,
    tallies: Mapping[str, Tally],
    *,
    groups: Iterable[str],
    max_error: float,
    is_set: bool = False,
    seed: int = 1,
) -> tuple[dict[str, Bounds], dict[str, str]]:
    """Return bounds for the groups of a file that hold together, and why other groups have none.

    The arguments are those of `promises_by_group`; `max_error` stands in the reasons.
    """
    labeled = rows.by_group()
    tried: dict[str, tuple[CalibrationRows, Tally]] = {}
    refused: dict[str, str] = {}
    for group in sorted(groups):
        try:
            of_group = _enough(labeled.get(group))
            refuse_unlike(of_group, tallies[group], max_error=max_error, is_set=is_set, seed=seed)
            tried[group] = of_group, tallies[group]
        except DataError as refusal:
            refused[group] = _reason(refusal)
    bounds = {
        group: Bounds.of(of_group, tally, is_set=is_set, groups=len(tried), seed=seed)
        for group, (of_group, tally) in tried.items()
    }
    return bounds, refused


def group_promises_for_file(
    classifier: Classifier,
    rows: CalibrationRows,
    file: Path | str,
    *,
    by: str,
    max_error: float,
    text: str = "text",
    format: str | None = None,
    encoding: str | None = None,
    skips_bad_rows: bool = False,
    seed: int = 1,
) -> GroupPromises:
    """Return the promises for the groups of a file or folder, by what the classifier answers to at most
    SAMPLE of its texts.

    Raises:
        ConfigError: the file can be read only once.
        DataError: the file or a row is wrong, it lacks the column, or no group has a promise.
    """
    sampled = sampled_texts(
        file, text=text, by=by, groups=set(rows.groups), format=format, encoding=encoding,
        skips_bad_rows=skips_bad_rows, seed=seed,
    )  # fmt: skip
    tallies = {group: tally_of(classifier, rows, texts, seed) for group, texts in sampled.texts.items()}
    is_set = "label" not in classifier.columns
    return promises_by_group(
        rows, tallies, by=by, texts=sampled.counts, max_error=max_error, is_set=is_set, seed=seed
    )


def sets_by_group(rows: CalibrationRows, coverage: float) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Return for each group the least probability with which each label is in the set, (labels,), and why
    other groups have none.

    Raises:
        DataError: none has.
    """
    least: dict[str, NDArray[Any]] = {}
    refused: dict[str, str] = {}
    for group, of_group in sorted(rows.by_group().items()):
        try:
            least[group] = least_probabilities(of_group, coverage)
        except DataError as refusal:
            last, refused[group] = refusal, _reason(refusal)
    if not least:
        raise DataError(f"no group has rows enough: {last}")
    return least, refused


def _enough(rows: CalibrationRows | None) -> CalibrationRows:
    """Return the labeled rows of a group.

    Raises:
        DataError: there are too few.
    """
    count = 0 if rows is None else len(rows)
    if rows is None or count < FEWEST:
        raise DataError(f"{count or 'no'} labeled rows; expected at least {FEWEST}")
    return rows


def _reason(refusal: DataError) -> str:
    """Return why there is no promise, without the hint, which is about a file without groups."""
    return str(refusal).partition("; hint:")[0]
