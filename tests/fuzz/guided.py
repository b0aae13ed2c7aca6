"""Fuzz targets by coverage: `python -m tests.fuzz.guided --seconds 600 csv http`; atheris must be installed.

atheris changes bytes so that they reach new lines of nlpkit; hypothesis makes of them what the check takes.
It prints a line a target, and writes the findings into a JSON file, as tests.fuzz does. It ends with 1
where there is a finding.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

from tests.fuzz.results import record

PARTS = ("nlpkit", "demo")
"""What is instrumented."""
BYTES = 4096
"""Of an input at most."""


def fuzz(name: str, seconds: int, folder: Path) -> None:
    """Fuzz one target in this process, which libFuzzer ends; write what was tried."""
    import atheris
    from hypothesis import HealthCheck, Phase, given, settings

    with atheris.instrument_imports(include=list(PARTS)):
        from tests.fuzz.targets import TARGETS

        target = TARGETS[name]

    corpus = folder / "corpus"
    """Inputs that reached lines which none before them did."""
    corpus.mkdir()
    found: dict[str, dict[str, str]] = {}
    executions, begun = 0, time.monotonic()

    def attempt(value: Any) -> None:
        nonlocal executions
        executions += 1
        try:
            target.check(value, folder)
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}"
            found.setdefault(place, {"error": f"{error}"[:500], "input": repr(value)[:2000]})

    def write() -> None:
        tried_so_far = {
            "executions": executions,
            "seconds": round(time.monotonic() - begun, 1),
            "kept": len(list(corpus.iterdir())),
            "findings": [{"where": where, **details} for where, details in found.items()],
        }
        (folder / "tried.json").write_text(json.dumps(tried_so_far), encoding="utf-8")

    plan = settings(
        database=None, deadline=None, phases=(Phase.generate,), suppress_health_check=list(HealthCheck)
    )
    test: Any = plan(given(target.values)(attempt))

    def from_bytes(data: bytes) -> None:
        test.hypothesis.fuzz_one_input(data)
        if executions % 50 == 0 or time.monotonic() > begun + seconds:
            write()

    limits = [f"-max_total_time={seconds}", f"-max_len={BYTES}", "-timeout=60", "-rss_limit_mb=4096"]
    atheris.Setup([sys.argv[0], *limits, "-verbosity=0", str(corpus)], from_bytes)
    atheris.Fuzz()


def main() -> int:
    """Fuzz each target in a process of its own."""
    parser = argparse.ArgumentParser(description="Fuzz what strangers' data reaches, guided by coverage.")
    parser.add_argument("targets", nargs="+")
    parser.add_argument("--seconds", type=int, default=600, help="for each target; default: 600")
    parser.add_argument("--out", type=Path, default=Path("guided.json"), help="default: guided.json")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.folder:
        fuzz(given.targets[0], given.seconds, given.folder)
        return 0
    results = {}
    for name in given.targets:
        with tempfile.TemporaryDirectory() as folder:
            words = ("-m", "tests.fuzz.guided", name, "--seconds", str(given.seconds), "--folder", folder)
            ended = subprocess.run(
                [sys.executable, "-W", "ignore", *words], stderr=subprocess.PIPE, text=True, check=False
            )
            written = Path(folder) / "tried.json"
            results[name] = json.loads(written.read_text(encoding="utf-8")) if written.exists() else {}
        if ended.returncode or not results[name]:
            results[name].setdefault("findings", []).append({"where": name, "error": ended.stderr[-2000:]})
        tried = results[name]
        print(
            f"{name}: {tried.get('executions', 0):,} executions in {tried.get('seconds', 0)} s, "
            f"{tried.get('kept', 0)} inputs kept, {len(tried['findings'])} findings",
            flush=True,
        )
        for finding in tried["findings"]:
            print(f"  {finding['where']}: {finding['error'][-300:]!r}", flush=True)
        given.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    record("atheris", results)
    return int(any(tried["findings"] for tried in results.values()))


if __name__ == "__main__":
    sys.exit(main())
