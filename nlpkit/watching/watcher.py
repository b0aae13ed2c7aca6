"""Watch texts as they come: three detectors, and sums from which sizes are estimated."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nlpkit.watching.bets import BOTH, LOWER, STEPS, Martingale, Ranks
from nlpkit.watching.reference import CERTAINTY, LENGTH, UNUSUAL, Reference, TextAnswers

if TYPE_CHECKING:
    from numpy.typing import NDArray

LABELS, TEXTS, CONFIDENCE = "labels", "texts", "confidence"
DETECTORS = (LABELS, TEXTS, CONFIDENCE)
MOST_PERIODS = 200
"""Periods whose sums are kept; where there are more, every two become one."""
SUMS = ("mass", "products", "sums", "squares", "given")
KEPT = ("capitals", "sums", "lowest", "starts")
"""What is kept of a martingale."""


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """The first time that a detector's evidence was strong enough."""

    detector: str
    score: str
    """What gave it: a label, or what is measured."""
    text: int
    """The number of the text, from 1."""
    since: int
    """The likeliest first text of the change, from 1."""


@dataclass(kw_only=True)
class Period:
    """Sums over some texts that came after one another."""

    first: int
    """The number of the first, from 1."""
    date: str
    """Of the first; empty without dates."""
    texts: int
    mass: list[float]
    """(labels,): the sum of the probabilities."""
    products: list[list[float]]
    """(labels, labels)."""
    sums: list[float]
    """(measures,)."""
    squares: list[float]
    given: list[float]
    """(labels,): texts with each true label; empty where they are not known."""
    evidence: list[float]
    """(detectors,): the decimal logarithm of the capital after the last text, over what makes an alarm."""

    def add(self, later: Period) -> None:
        """Take in a period that comes after this one."""
        self.texts += later.texts
        for name in SUMS:
            setattr(self, name, np.add(getattr(self, name), getattr(later, name)).tolist())
        self.evidence = later.evidence


class Watcher:
    """Compares a stream with a reference, text by text.

    Args:
        reference: what is as it should be.
        rate: the probability of any alarm ever, while nothing changes.
        with_truth: whether the true label of each text is known.
        seed: breaks ties.
    """

    def __init__(self, reference: Reference, *, rate: float, with_truth: bool, seed: int) -> None:
        self.reference = reference
        self.rate = rate
        self.with_truth = with_truth
        self.seed = seed
        self.texts: int = 0
        self.highest: float = -math.inf
        """The decimal logarithm of the strongest evidence so far, over what makes an alarm; of this call
        alone."""
        self.alarms: list[Alarm] = []
        """The earliest first."""
        self.periods: list[Period] = []
        self._width = STEPS
        """Most texts of a period."""
        parts = {LABELS: reference.labels, TEXTS: (UNUSUAL, LENGTH), CONFIDENCE: (CERTAINTY,)}
        self._scores = [(detector, name) for detector, of in parts.items() for name in of]
        self._least = [len(DETECTORS) * len(parts[detector]) / rate for detector, _ in self._scores]
        self._martingales = [
            Martingale(LOWER if detector == CONFIDENCE else BOTH) for detector, _ in self._scores
        ]
        columns, labels = self._ranked(reference.probabilities, reference.measures, reference.truth)
        self._ranks = []
        for number, (detector, name) in enumerate(self._scores):
            rows, within = reference.rows_for(name), labels * (detector != LABELS)
            edges = np.array([0.5]) if with_truth and detector == LABELS else reference.edges_of(name)
            self._ranks.append(Ranks(edges, columns[rows, number], within[rows], within.max() + 1))

    def _ranked(
        self, probabilities: NDArray[Any], measures: NDArray[Any], truth: NDArray[Any] | None
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return (texts, scores) that are ranked, and (texts,) the label within which measures are ranked.

        Where true labels are watched, they stand for the probabilities.
        """
        if not self.with_truth or truth is None:
            return np.hstack([probabilities, measures]), np.zeros(len(measures), dtype=int)
        return np.hstack([np.eye(len(self.reference.labels))[truth], measures]), truth

    def see(self, texts: TextAnswers, dates: Sequence[str] = ()) -> None:
        """Watch the next texts.

        Args:
            texts: in order; with the true labels where they are known.
            dates: of each; empty where there are none.
        """
        for start in range(0, len(texts), STEPS):
            part = texts.taken(slice(start, start + STEPS))
            self._see(part, dates[start] if dates else "")

    def _see(self, texts: TextAnswers, date: str) -> None:
        measures = self.reference.measured(texts)
        columns, labels = self._ranked(texts.probabilities, measures, texts.truth)
        uniform = _uniform(self.seed, self.texts, len(texts))
        evidence = dict.fromkeys(DETECTORS, -math.inf)
        for number, (detector, name) in enumerate(self._scores):
            martingale, within = self._martingales[number], labels * (detector != LABELS)
            p = self._ranks[number].p_values(columns[:, number], within, uniform)
            strength = martingale.bet(p) / self._least[number]
            evidence[detector] = max(evidence[detector], math.log10(strength[-1]))
            self.highest = max(self.highest, math.log10(strength.max()))
            if strength.max() >= 1 and all(alarm.detector != detector for alarm in self.alarms):
                text = self.texts + int((strength >= 1).argmax()) + 1
                since = min(martingale.since + 1, text)
                self.alarms.append(Alarm(detector=detector, score=name, text=text, since=since))
        self.alarms.sort(key=lambda alarm: alarm.text)
        given = np.bincount(labels, minlength=len(self.reference.labels)) if self.with_truth else np.zeros(0)
        self._keep(
            Period(
                first=self.texts + 1, date=date, texts=len(texts), evidence=list(evidence.values()),
                mass=texts.probabilities.sum(axis=0).tolist(),
                products=(texts.probabilities.T @ texts.probabilities).tolist(),
                sums=measures.sum(axis=0).tolist(), squares=(measures**2).sum(axis=0).tolist(),
                given=given.tolist(),
            )
        )  # fmt: skip
        self.texts += len(texts)

    def _keep(self, period: Period) -> None:
        if self.periods and self.periods[-1].texts + period.texts <= self._width:
            self.periods[-1].add(period)
        else:
            self.periods.append(period)
        if len(self.periods) > MOST_PERIODS:
            for earlier, later in zip(self.periods[::2], self.periods[1::2], strict=False):
                earlier.add(later)
            self.periods, self._width = self.periods[::2], 2 * self._width

    def since(self, text: int) -> list[Period]:
        """Return the periods that begin at a text or later; the last one, where there are none."""
        later = [period for period in self.periods if period.first >= text]
        return later or self.periods[-1:]

    def as_dict(self) -> dict[str, Any]:
        """Return where it stands, without the reference, for JSON with arrays as lists."""
        return {
            "alarm_rate": self.rate, "with_truth": self.with_truth, "seed": self.seed, "texts": self.texts,
            "width": self._width,
            "alarms": [vars(alarm) for alarm in self.alarms],
            "periods": [vars(period) for period in self.periods],
            "ranks": [ranks.counts for ranks in self._ranks],
            "bets": [{name: getattr(each, name) for name in KEPT} for each in self._martingales],
        }  # fmt: skip

    @classmethod
    def from_dict(cls, reference: Reference, tree: Mapping[str, Any]) -> Watcher:
        """Return the watcher that stands where `as_dict` said."""
        watcher = cls(reference, rate=tree["alarm_rate"], with_truth=tree["with_truth"], seed=tree["seed"])
        watcher.texts, watcher._width = tree["texts"], tree["width"]
        watcher.alarms = [Alarm(**alarm) for alarm in tree["alarms"]]
        watcher.periods = [Period(**period) for period in tree["periods"]]
        for ranks, counts in zip(watcher._ranks, tree["ranks"], strict=True):
            ranks.counts = np.array(counts, dtype=np.int64)
        for martingale, kept in zip(watcher._martingales, tree["bets"], strict=True):
            martingale.texts = watcher.texts
            for name in KEPT:
                setattr(martingale, name, np.array(kept[name]))
        return watcher


def _uniform(seed: int, start: int, count: int) -> NDArray[Any]:
    """Return random numbers for texts, which depend on the seed and the place of each alone."""
    source = np.random.Philox(key=seed)
    source.advance(start // 4)  # four numbers a step
    drawn: NDArray[Any] = np.random.Generator(source).random(start % 4 + count)[start % 4 :]
    return drawn
