"""Fuzz the targets, one after the other, each for some time: `python -m tests.fuzz --seconds 600 csv http`.

It prints a line a target and writes a JSON file: executions, seconds, peak memory, and findings, each with
the smallest input that shows it. It ends with 1 where there is a finding.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import resource
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings

from tests.fuzz.results import record
from tests.fuzz.targets import TARGETS, Target

ROOT = Path(__file__).parents[2]
ROUND = 250
"""Examples that one call of hypothesis draws."""
SLOW = 5.0
"""Seconds of the processor: an input that takes longer is a finding."""


def place_of(error: BaseException) -> str:
    """Return the error's type and the last line of this project that it went through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(ROOT)]
    last = own[-1] if own else frames[-1]
    return f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}"


def seconds_of(target: Target, value: Any, folder: Path) -> float:
    """Return the processor time that a check takes."""
    begun = time.process_time()
    target.check(value, folder)
    return time.process_time() - begun


def fuzz(target: Target, seconds: float, first_seed: int, folder: Path) -> dict[str, Any]:
    """Return what was tried and found. Once the input of an error is small, the error is passed over."""
    found: dict[str, dict[str, str]] = {}
    smallest: dict[str, Any] = {}
    executions, number, begun = 0, first_seed, float("inf")

    def attempt(value: Any) -> None:
        nonlocal executions
        if time.monotonic() > begun + 1.2 * seconds:
            return  # in the middle of a round, or of making an input smaller
        executions += 1
        try:
            if seconds_of(target, value, folder) > SLOW < seconds_of(target, value, folder):  # imports once
                raise TimeoutError(f"more than {SLOW:.0f} s")
        except Exception as error:
            if (place := place_of(error)) in found:
                return
            smallest[place] = value
            raise

    plan = settings(
        max_examples=3, deadline=None, database=None, report_multiple_bugs=False, verbosity=Verbosity.quiet,
        phases=(Phase.generate, Phase.shrink), suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    while number == first_seed or time.monotonic() < begun + seconds:
        try:
            seed(number)(plan(given(target.values)(attempt)))()
        except Exception as error:
            # Of one that comes and goes, hypothesis keeps what it was
            error = getattr(error, "exceptions", (error,))[0]
            place = place_of(error)
            found[place] = {
                "error": f"{type(error).__name__}: {error}"[:500],
                "input": repr(smallest.get(place))[:2000],
            }
        if number == first_seed:  # all is imported now, and the time begins
            plan, begun = settings(plan, max_examples=ROUND), time.monotonic()
        number += 1
    return {
        "executions": executions,
        "seconds": round(time.monotonic() - begun, 1),
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "findings": [{"where": where, **details} for where, details in found.items()],
    }


def main() -> int:
    """Fuzz what the command line names; everything where it names nothing."""
    parser = argparse.ArgumentParser(description="Fuzz what strangers' data reaches.")
    parser.add_argument("targets", nargs="*", help=f"of {', '.join(TARGETS)}; default: all")
    parser.add_argument("--seconds", type=float, default=600, help="for each target; default: 600")
    parser.add_argument("--seed", type=int, default=0, help="draws the inputs")
    parser.add_argument("--out", type=Path, default=Path("fuzz.json"), help="default: fuzz.json")
    given = parser.parse_args()
    if unknown := set(given.targets) - set(TARGETS):
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    results = {}
    for name in given.targets or TARGETS:
        with tempfile.TemporaryDirectory() as folder:
            results[name] = fuzz(TARGETS[name], given.seconds, given.seed, Path(folder))
        tried = results[name]
        print(
            f"{name}: {tried['executions']:,} executions in {tried['seconds']} s, "
            f"{len(tried['findings'])} findings",
            flush=True,
        )
        for finding in tried["findings"]:
            print(
                f"  {finding['where']}: {finding['error'][:200]!r}\n    {finding['input'][:300]}", flush=True
            )
        versions = {
            name: importlib.metadata.version(name) for name in ("hypothesis", "pyarrow", "pydantic", "torch")
        }
        report = {"python": sys.version.split()[0], "versions": versions, "targets": results}
        given.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    record("hypothesis", results)
    return int(any(tried["findings"] for tried in results.values()))


if __name__ == "__main__":
    sys.exit(main())
