"""How far a scoring is, how fast it goes and how long it will take."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from nlpkit.scoring.state import State


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a scoring is."""

    rows: int
    """Rows that are done, rejected ones and those of earlier runs included."""
    total: int | None
    """Rows of the input, where they could be counted."""
    resumed_from: int
    seconds: float
    """Since this run began to score."""

    @property
    def rows_per_second(self) -> float:
        """Rows of this run in a second."""
        return (self.rows - self.resumed_from) / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Seconds that the rest will take at this rate."""
        return (
            (self.total - self.rows) / self.rows_per_second
            if self.total is not None and self.rows_per_second > 0
            else None
        )


class ProgressClock:
    """Reports how far the work is, and how fast."""

    def __init__(self, tell: Callable[[Progress], None] | None, *, total: int | None) -> None:
        self._tell, self._total = tell, total
        self._start = time.perf_counter()
        self.resumed_from: int = 0

    @property
    def seconds(self) -> float:
        """Since the work began."""
        return time.perf_counter() - self._start

    def begin(self, state: State) -> None:
        """Start the clock at what is done already."""
        self.resumed_from = state.rows + state.rejected
        self._start = time.perf_counter()
        self.tick(state)

    def tick(self, state: State) -> None:
        """Report how far the work is."""
        if self._tell:
            rows = state.rows + state.rejected
            self._tell(
                Progress(rows=rows, total=self._total, resumed_from=self.resumed_from, seconds=self.seconds)
            )
