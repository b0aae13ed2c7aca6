"""The rounds of labeling that led to a run: what each gained per 100 labels, and whether to stop."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from nlpkit.errors import RunError
from nlpkit.files import write_whole
from nlpkit.metrics.score import PairedTest, Part, Score
from nlpkit.run import Run

THRESHOLD = 0.5
"""Points of accuracy that 100 labels have to be worth."""
WINDOW = 4
"""How many rounds, at most, the gain is measured over: over a single one its interval is too wide."""


class Gain(Part):
    """How much more accurate a run is than an earlier one on the same held-out rows."""

    since: str
    """The earlier run."""
    labels: int
    """How many labels were added since."""
    test: PairedTest

    def per_100(self) -> Score:
        """Return the gain in points of accuracy per 100 labels, with its interval."""
        values = (self.test.difference, self.test.low, self.test.high)
        value, low, high = (None if each is None else 1e4 * each / self.labels for each in values)
        return Score(value=value, low=low, high=high, count=self.test.count, title="Points per 100 labels")

    def is_below(self, threshold: float) -> bool:
        """Return whether 100 labels are worth less than a threshold in points, with 97.5% confidence."""
        high = self.per_100().high
        return high is not None and high < threshold


class Round(Part):
    """A run, the labels that were added for it, and what they gained."""

    run: str
    """Its name."""
    path: str
    added: int
    """Labels that were added for it."""
    labels: int
    """Labels that were added since the first run of the loop."""
    held_out: str
    """A hash of the rows that it is measured on: gains are measured between rounds that share it."""
    accuracy: Score
    gain: Gain | None = None
    """Over the last rounds, at most WINDOW; None of the first run, and where the held-out rows changed."""
    last_gain: Gain | None = None
    """Over the last round alone."""
    threshold: float = THRESHOLD
    stop: bool = False
    """Whether 100 labels were worth less than the threshold."""


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


def compared_with(rounds: Sequence[Round], held_out: str) -> Round | None:
    """Return the earliest of the last rounds that has the same held-out rows and whose run is still there."""
    for earlier in rounds[-WINDOW:]:
        if earlier.held_out == held_out and Run(Path(earlier.path)).is_completed:
            return earlier
    return None
