"""Watch texts as they come: three detectors, and sums from which sizes are estimated."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nlpkit.watching.bets import BOTH, LOWER, STEPS, Martingale, Ranks
from nlpkit.watching.reference import CERTAINTY, LENGTH, UNUSUAL, Reference, TextAnswers

if TYPE_CHECKING:
    from numpy.typing import NDArray

LABELS, TEXTS, CONFIDENCE = "labels", "texts", "confidence"
DETECTORS = (LABELS, TEXTS, CONFIDENCE)
MOST_PERIODS = 200
"""Periods whose sums are kept; where there are more, every two become one."""


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
    texts: int = 0
    mass: list[float] = field(default_factory=list)
    """(labels,): the sum of the probabilities."""
    products: list[list[float]] = field(default_factory=list)
    """(labels, labels)."""
    sums: list[float] = field(default_factory=list)
    """(measures,)."""
    squares: list[float] = field(default_factory=list)
    given: list[int] = field(default_factory=list)
    """(labels,): texts with each true label; empty where they are not known."""
    evidence: list[float] = field(default_factory=list)
    """(detectors,): the decimal logarithm of the capital after the last text, over what makes an alarm."""

    def add(self, later: Period) -> None:
        """Take in a period that comes after this one."""
        import numpy as np

        self.texts += later.texts
        for name in ("mass", "products", "sums", "squares", "given"):
            ours, theirs = getattr(self, name), getattr(later, name)
            setattr(self, name, (np.array(ours) + np.array(theirs)).tolist() if ours else theirs)
        self.evidence = later.evidence


class Watcher:
    """Compares a stream with a reference, text by text.

    Args:
        reference: what is as it should be.
        alarms: the probability of any alarm ever, while nothing changes.
        with_truth: whether the true label of each text is known.
        seed: breaks ties.
    """

    def __init__(self, reference: Reference, *, alarms: float, with_truth: bool, seed: int) -> None:
        import numpy as np

        self.reference, self.rate, self.with_truth, self.seed = reference, alarms, with_truth, seed
        self.texts = 0
        self.highest = -math.inf
        """The decimal logarithm of the strongest evidence so far, over what makes an alarm; of this call
        alone."""
        self.alarms: list[Alarm] = []
        self.periods: list[Period] = []
        truth = reference.truth if with_truth else None
        names = reference.labels
        alike = np.zeros(len(reference.measures), dtype=int)
        within = alike if truth is None else truth
        parts = {LABELS: names, TEXTS: (UNUSUAL, LENGTH), CONFIDENCE: (CERTAINTY,)}
        self._scores = [(detector, name) for detector, of in parts.items() for name in of]
        columns = np.hstack([reference.probabilities, reference.measures])
        if truth is not None:
            columns[:, : len(names)] = truth[:, None] == np.arange(len(names))
        self._ranks, self._martingales, self._least = [], [], []
        for number, (detector, name) in enumerate(self._scores):
            is_label, rows = detector == LABELS, reference.rows_for(name)
            edges = np.array([0.5]) if is_label and truth is not None else reference.edges_of(name)
            categories, count = (alike, 1) if is_label or truth is None else (within, len(names))
            self._ranks.append(Ranks(edges, columns[rows, number], categories[rows], count))
            self._martingales.append(Martingale(LOWER if detector == CONFIDENCE else BOTH))
            self._least.append(len(DETECTORS) * len(parts[detector]) / alarms)

    @property
    def is_alarmed(self) -> bool:
        """Whether any detector has given an alarm."""
        return bool(self.alarms)

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
        import numpy as np

        measures = self.reference.measured(texts)
        columns = np.hstack([texts.probabilities, measures])
        alike = np.zeros(len(texts), dtype=int)
        within = alike
        if self.with_truth and texts.truth is not None:
            within = texts.truth
            labels = np.arange(len(self.reference.labels))
            columns[:, : len(labels)] = within[:, None] == labels
        uniform = _uniform(self.seed, self.texts, len(texts))
        evidence = dict.fromkeys(DETECTORS, -math.inf)
        for number, (detector, name) in enumerate(self._scores):
            categories = alike if detector == LABELS else within
            p = self._ranks[number].p_values(columns[:, number], categories, uniform)
            strength = self._martingales[number].bet(p) / self._least[number]
            evidence[detector] = max(evidence[detector], math.log10(strength[-1]))
            self.highest = max(self.highest, math.log10(strength.max()))
            self._note(detector, name, strength, self._martingales[number].since)
        self._keep(texts, measures, date, list(evidence.values()))
        self.texts += len(texts)

    def _note(self, detector: str, name: str, strength: NDArray[Any], since: int) -> None:
        """Note the first alarm of a detector."""
        if (strength < 1).all() or any(alarm.detector == detector for alarm in self.alarms):
            return
        text = self.texts + int((strength >= 1).argmax()) + 1
        self.alarms.append(Alarm(detector=detector, score=name, text=text, since=min(since + 1, text)))

    def _keep(self, texts: TextAnswers, measures: NDArray[Any], date: str, evidence: Sequence[float]) -> None:
        import numpy as np

        given: list[int] = []
        if self.with_truth and texts.truth is not None:
            given = np.bincount(texts.truth, minlength=len(self.reference.labels)).tolist()
        period = Period(
            first=self.texts + 1, date=date, texts=len(texts), evidence=list(evidence),
            mass=texts.probabilities.sum(axis=0).tolist(),
            products=(texts.probabilities.T @ texts.probabilities).tolist(),
            sums=measures.sum(axis=0).tolist(), squares=(measures**2).sum(axis=0).tolist(),
            given=given,
        )  # fmt: skip
        self.periods.append(period)
        if len(self.periods) > MOST_PERIODS:
            for earlier, later in zip(self.periods[::2], self.periods[1::2], strict=False):
                earlier.add(later)
            self.periods = self.periods[::2]

    def since(self, text: int) -> list[Period]:
        """Return the periods that begin at a text or later; the last one, where there are none."""
        later = [period for period in self.periods if period.first >= text]
        return later or self.periods[-1:]

    def as_dict(self) -> dict[str, Any]:
        """Return where it stands, without the reference, as plain values for JSON."""
        return {
            "alarm_rate": self.rate, "with_truth": self.with_truth, "seed": self.seed, "texts": self.texts,
            "alarms": [vars(alarm) for alarm in self.alarms],
            "periods": [vars(period) for period in self.periods],
            "ranks": [ranks.counts.tolist() for ranks in self._ranks],
            "bets": [
                {name: getattr(each, name).tolist() for name in ("capitals", "sums", "lowest", "starts")}
                for each in self._martingales
            ],
        }  # fmt: skip

    @classmethod
    def from_dict(cls, reference: Reference, tree: Mapping[str, Any]) -> Watcher:
        """Return the watcher that stands where `as_dict` said."""
        import numpy as np

        watcher = cls(reference, alarms=tree["alarm_rate"], with_truth=tree["with_truth"], seed=tree["seed"])
        watcher.texts = tree["texts"]
        watcher.alarms = [Alarm(**alarm) for alarm in tree["alarms"]]
        watcher.periods = [Period(**period) for period in tree["periods"]]
        for ranks, counts in zip(watcher._ranks, tree["ranks"], strict=True):
            ranks.counts = np.array(counts, dtype=np.int64)
        for martingale, kept in zip(watcher._martingales, tree["bets"], strict=True):
            martingale.texts = watcher.texts
            for name, values in kept.items():
                setattr(martingale, name, np.array(values))
        return watcher


def _uniform(seed: int, start: int, count: int) -> NDArray[Any]:
    """Return random numbers for texts, which depend on the seed and the place of each alone."""
    import numpy as np

    source = np.random.Philox(key=seed)
    source.advance(start // 4)  # four numbers a step
    drawn: NDArray[Any] = np.random.Generator(source).random(start % 4 + count)[start % 4 :]
    return drawn
