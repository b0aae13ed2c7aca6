"""Whether rows that name a group of people have other labels than rows that name other groups of its kind."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from nlpkit.data.check_findings import Excerpt, Finding
from nlpkit.data.examples import TextExample
from nlpkit.data.identities import Mention, swapper

FEWEST = 20
"""Rows that name a group, and the other groups of its kind, below which nothing is said."""
MOST_LABELS = 20
"""More labels than these are numbers, or too many to compare each."""
LEVEL = 0.05
"""Of all comparisons together."""
SHOWN = 10


@dataclass(frozen=True, kw_only=True)
class _Rate:
    """How many rows that name a group have a label, and of those that name others of its kind."""

    mention: Mention
    label: str
    count: int
    of: int
    other_count: int
    other_of: int

    @property
    def p(self) -> float:
        """Two-sided, by Fisher's exact test."""
        from scipy.stats import fisher_exact

        rest, other_rest = self.of - self.count, self.other_of - self.other_count
        return float(fisher_exact([[self.count, rest], [self.other_count, other_rest]]).pvalue)

    @property
    def words(self) -> str:
        return (
            f"{self.mention.group}: {self.count / self.of:.0%} {self.label!r} of {self.of:,} rows, "
            f"{self.other_count / self.other_of:.0%} of {self.other_of:,} rows that name others"
        )


def identity_findings(splits: Mapping[str, Sequence[TextExample]]) -> Iterator[Finding]:
    """Yield, for the rows to train on, the groups whose labels differ, all comparisons considered."""
    for name, part in list(splits.items())[:1]:
        rates = _rates(part)
        ranked = sorted(((rate.p, rate) for rate in rates), key=lambda pair: pair[0])
        differing = []
        for rank, (p, rate) in enumerate(ranked):  # Holm 1979
            if p * (len(ranked) - rank) >= LEVEL:
                break
            differing.append(rate)
        if differing:
            yield Finding(
                kind="labels of groups",
                severity="warning",
                part=name,
                rows=sum({rate.mention: rate.of for rate in differing}.values()),
                message="labels differ with the group of people that a text names: "
                + "; ".join(rate.words for rate in differing[:3]),
                hint="A model learns this; data.swaps: true trains on copies with groups exchanged, and "
                "nlpkit audit measures the run",
                examples=tuple(Excerpt(part=name, where="", text=rate.words) for rate in differing[3:SHOWN]),
            )


def _rates(part: Sequence[TextExample]) -> list[_Rate]:
    labels = sorted({label for example in part for label in example.labels})
    if not 1 < len(labels) <= MOST_LABELS:
        return []
    swap = swapper()
    rows: dict[str, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    for row, example in enumerate(part):
        for mention in swap.mentions(example.text):
            rows[mention.kind][mention.group].add(row)
    rates = []
    for kind, groups in rows.items():
        for group, members in groups.items():
            others = set().union(*groups.values()) - members
            if min(len(members), len(others)) < FEWEST:
                continue
            for label in labels if len(labels) > 2 else labels[:1]:
                rates.append(
                    _Rate(
                        mention=Mention(kind, group),
                        label=label,
                        count=sum(label in part[row].labels for row in members),
                        of=len(members),
                        other_count=sum(label in part[row].labels for row in others),
                        other_of=len(others),
                    )
                )
    return rates
