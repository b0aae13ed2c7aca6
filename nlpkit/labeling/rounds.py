"""The rounds of labeling that led to a run: what each gained per 100 labels, and whether to stop."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pydantic import TypeAdapter, ValidationError

from nlpkit.errors import RunError
from nlpkit.files import write_whole
from nlpkit.metrics.intervals import NORMAL
from nlpkit.metrics.score import Part, Score
from nlpkit.run import Run

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]

Verdict: TypeAlias = Literal["worse", "stop", "likely enough", "go on"]

THRESHOLD = 0.5
"""Points of accuracy that 100 labels have to be worth."""
WINDOWS = (1, 2, 4)
"""Over how many rounds gains are measured: few rounds see soon that a curve is flat, many see it better."""


class Gain(Part):
    """How much more accurate a run is than an earlier one on the same held-out rows."""

    since: str
    """The earlier run."""
    rounds: int
    """How many rounds before."""
    labels: int
    """How many labels were added since."""
    won: int
    """Held-out rows that only the new run gets right."""
    lost: int
    """Held-out rows that only the earlier run gets right."""
    count: int
    """All held-out rows."""

    @classmethod
    def between(cls, before: Array, after: Array, *, since: str, rounds: int, labels: int) -> Gain:
        """Return the gain from one run to another; both tell, (rows,), which rows they get right."""
        won, lost = int((after & ~before).sum()), int((before & ~after).sum())
        return cls(since=since, rounds=rounds, labels=labels, won=won, lost=lost, count=len(after))

    def score(self) -> Score:
        """Return the difference in accuracy, in points, with its 95% interval.

        It is the adjusted Wald interval for paired shares (Bonett and Price 2012), which does not shrink to
        nothing where two runs give the same answers to few rows.
        """
        rows, won, lost = self.count + 2, self.won + 1, self.lost + 1
        middle = (won - lost) / rows
        half = NORMAL * math.sqrt(((won + lost) / rows - middle**2) / rows)
        value = 100 * (self.won - self.lost) / self.count
        low, high = 100 * max(-1.0, middle - half), 100 * min(1.0, middle + half)
        return Score(value=value, low=low, high=high, count=self.count, title="Gain in points")

    def per_100(self) -> Score:
        """Return the gain in points per 100 labels, with its 95% interval."""
        score = self.score()
        each = {name: 100 * (getattr(score, name) or 0.0) / self.labels for name in ("value", "low", "high")}
        words = {"title": "Points per 100 labels", "meaning": "What 100 labels added to the accuracy."}
        return score.model_copy(update={**each, **words})

    def is_below(self, threshold: float) -> bool:
        """Return whether 100 labels are worth less than a threshold in points, with 97.5% confidence."""
        return (self.per_100().high or 0.0) < threshold


class Round(Part):
    """A run, the labels that were added for it, and what they gained."""

    run: str
    """Its name."""
    added: int
    """Labels that were added for it."""
    labels: int
    """Labels that were added since the first run of the loop."""
    held_out: str
    """A hash of the rows that it is measured on: gains are measured between rounds that share it."""
    accuracy: Score
    right: str
    """Which of these rows it gets right: bits, eight a byte, in hexadecimal."""
    gains: tuple[Gain, ...] = ()
    """Since the last run, and since those before it that WINDOWS names; none of the first run."""
    threshold: float = THRESHOLD

    @property
    def verdict(self) -> Verdict:
        """What follows from the gains; of a run that is worse than the last one nothing about labels."""
        if self.gains and (self.gains[0].score().high or 0.0) < 0:
            return "worse"
        if any(gain.is_below(self.threshold) for gain in self.gains):
            return "stop"
        longest = [gain for gain in self.gains if gain.rounds == WINDOWS[-1]]
        is_enough = any((gain.per_100().value or 0.0) < self.threshold for gain in longest)
        return "likely enough" if is_enough else "go on"

    def as_dict(self) -> dict[str, Any]:
        """Return the round as plain values, with its verdict and the gain that is shown."""
        plain = self.model_dump(mode="json", exclude={"right"})
        per_100 = self.shown.per_100().model_dump(mode="json") if self.shown else None
        return {**plain, "per_100": per_100, "verdict": self.verdict}

    @property
    def shown(self) -> Gain | None:
        """The gain that the rule is shown with: the one whose interval ends lowest."""
        return min(self.gains, key=lambda gain: gain.per_100().high or 0.0, default=None)


def packed(right: Array) -> str:
    """Return which rows are right, (rows,), as text."""
    import numpy as np

    return np.packbits(right.astype(bool)).tobytes().hex()


def gains_of(rounds: Sequence[Round], right: Array, held_out: str, added: int) -> tuple[Gain, ...]:
    """Return what a further round gained over each of WINDOWS, as far as rounds share its held-out rows.

    Args:
        rounds: those before it.
        right: (rows,): which held-out rows it gets right.
        held_out: their hash.
        added: how many labels were added for it.
    """
    import numpy as np

    gains = []
    for window in WINDOWS:
        if window <= len(rounds) and rounds[-window].held_out == held_out:
            since = rounds[-window]
            bits = np.frombuffer(bytes.fromhex(since.right), dtype=np.uint8)
            before = np.unpackbits(bits, count=len(right)).astype(bool)
            labels = rounds[-1].labels + added - since.labels
            gains.append(Gain.between(before, right, since=since.run, rounds=window, labels=labels))
    return tuple(gains)


_ROUNDS = TypeAdapter(tuple[Round, ...])


def read_rounds(run: Run) -> tuple[Round, ...]:
    """Return the rounds that led to a run, the first run of the loop first; none where it led no loop.

    Raises:
        RunError: the file that keeps them is damaged.
    """
    if not run.labeling.is_file():
        return ()
    try:
        return _ROUNDS.validate_json(run.labeling.read_bytes())
    except ValidationError as error:
        raise RunError(
            f"{run.labeling}: damaged: {error.errors(include_url=False)[0]['msg']}; "
            "hint: delete it, and the rounds are counted from this run"
        ) from None


def write_rounds(run: Run, rounds: Sequence[Round]) -> None:
    """Keep the rounds in the folder of the run that they led to."""
    write_whole(run.labeling, _ROUNDS.dump_json(tuple(rounds), indent=2).decode() + "\n")
