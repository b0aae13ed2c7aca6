"""What some work takes of a machine: time by the clock, processor time, energy."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

COUNTERS = Path("/sys/class/powercap")


@dataclass(frozen=True)
class Spent:
    """Seconds by the clock, and those of all threads of this process."""

    wall: float = 0.0
    cpu: float = 0.0

    def __add__(self, more: Spent) -> Spent:
        return Spent(self.wall + more.wall, self.cpu + more.cpu)

    def times(self, factor: float) -> Spent:
        """Return so many times as much."""
        return Spent(self.wall * factor, self.cpu * factor)


class Stopwatch:
    """Runs from its beginning."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def spent(self) -> Spent:
        """Return what was spent since the last call, or since the beginning."""
        before = self._wall, self._cpu
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        return Spent(self._wall - before[0], self._cpu - before[1])


class EnergyMeter:
    """The processor's energy counters (RAPL), one a package of cores. They count all processes.

    Args:
        folder: where the system shows them.
    """

    def __init__(self, folder: Path = COUNTERS) -> None:
        packages = sorted(folder.glob("intel-rapl:*")) if folder.is_dir() else []
        self._packages = [path for path in packages if path.name.count(":") == 1]
        self._last = self._read()

    def joules(self) -> float | None:
        """Return the energy since the last call, or since the beginning; None where it cannot be read."""
        before, self._last = self._last, self._read()
        if not before or not self._last:
            return None
        spent = 0
        for was, (now, most) in zip((count for count, _ in before), self._last, strict=True):
            spent += now - was if now >= was else now - was + most  # the counter began again at 0
        return spent / 1e6

    def _read(self) -> list[tuple[int, int]]:
        """Return each package's count and where it begins again, in microjoules."""
        try:
            return [
                (int((path / "energy_uj").read_text()), int((path / "max_energy_range_uj").read_text()))
                for path in self._packages
            ]
        except (OSError, ValueError):  # only root may read it on many systems
            return []
