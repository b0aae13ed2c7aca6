"""The machine that a number was measured on, and child processes whose cost is measured from outside."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nlpkit.errors import NlpkitError
from nlpkit.run import versions

BUSY = 0.5
"""Load average for each core above which other work disturbs a timing."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What a timing depends on besides the code."""

    processor: str = field(default_factory=lambda: _processor())
    cores: int = field(
        default_factory=lambda: (
            len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        )
    )
    """The cores that this process may use."""
    system: str = field(default_factory=lambda: f"{platform.system()} {platform.machine()}")
    python: str = field(default_factory=platform.python_version)
    versions: Mapping[str, str] = field(default_factory=versions)
    load: float = field(default_factory=lambda: os.getloadavg()[0])
    """The load average of the last minute, before the measuring began."""

    @property
    def warning(self) -> str | None:
        """The reason not to trust a timing of this machine; None when it is idle."""
        if self.load <= BUSY * self.cores:
            return None
        return (
            f"the machine is busy (load {self.load:.1f} on {self.cores} cores): "
            "believe CPU seconds and ratios, not wall times"
        )

    def lines(self, *, timed: bool) -> list[str]:
        """Describe the machine in lines of Markdown."""
        libraries = ", ".join(
            f"{name} {version}"
            for name, version in self.versions.items()
            if name in ("nlpkit", "torch", "transformers")
        )
        about = f"{self.processor}, {self.cores} cores, {self.system}, Python {self.python}, {libraries}"
        if not timed:
            return [f"{about}."]
        return [
            f"{about}; load {self.load:.1f} before.",
            *([f"**Warning:** {self.warning}."] if self.warning else []),
        ]


@dataclass(frozen=True, kw_only=True)
class Child:
    """A process that succeeded: its output and its cost, start and imports included."""

    output: str
    seconds: float
    cpu_seconds: float
    """User and system time of all its threads."""
    peak_mb: float
    """The most memory that was resident at once."""


def run_child(arguments: Sequence[str], *, threads: int) -> Child:
    """Run `python ARGUMENTS...`, with so many threads for every library in it.

    The caller should be small itself: Linux counts the parent's memory at the start as the child's.

    Raises:
        NlpkitError: it failed.
    """
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.PIPE, env=_environment(threads), text=True
    )
    with process:
        output = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise NlpkitError(
            f"python {' '.join(arguments)}: ended with {process.returncode}; its message stands above"
        )
    return Child(
        output=output,
        seconds=time.perf_counter() - started,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        peak_mb=usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3),
    )


def _environment(threads: int) -> dict[str, str]:
    pools = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")
    return {
        **os.environ,
        **dict.fromkeys(pools, str(threads)),
        "HF_HUB_OFFLINE": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
