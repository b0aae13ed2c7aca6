"""Plant the faults of planted.toml, one at a time: `python -m tests.faults.planted journal`.

Words in the command line choose those whose file or name holds one of them; `--missing` those that no
result says are caught. A fault whose text is gone from its file, or that its test does not notice, is a
failure. Each result goes into planted.json, and from there into the table of docs/hardening.md.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import math
import sys
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from nlpkit.files import write_whole
from tests.faults import tables
from tests.faults.patched import ROOT, Patched, Trial

RESULTS = Path(__file__).with_suffix(".json")


class Fault(NamedTuple):
    """A change that breaks a promise."""

    name: str
    file: str
    old: str
    new: str
    test: str
    """What must fail."""

    @property
    def digest(self) -> str:
        """What a result belongs to: it ends with any change of the fault."""
        return hashlib.sha256("\0".join(self).encode()).hexdigest()[:16]

    def planted_in(self, text: str) -> str:
        """Return a source with the fault.

        Raises:
            ValueError: what it changes is not there, or several times.
        """
        if (count := text.count(self.old)) != 1:
            raise ValueError(f"{self.file}: its text is there {count} times")
        return text.replace(self.old, self.new)


FAULTS = [
    Fault(**fields) for fields in tomllib.loads(Path(__file__).with_suffix(".toml").read_text())["fault"]
]


def read_results() -> dict[str, dict[str, Any]]:
    """Return the last result of each fault by its name, without those of faults that changed since."""
    results = tables.read_results(RESULTS)
    return {
        fault.name: results[fault.name]
        for fault in FAULTS
        if results.get(fault.name, {}).get("fault") == fault.digest
    }


def replay(fault: Fault, tests: Patched) -> Trial:
    """Plant one fault, and run its test."""
    path = ROOT / fault.file
    return tests.tried_on(path, fault.planted_in(path.read_text(encoding="utf-8")), [fault.test])


def result_of(fault: Fault, trial: Trial) -> dict[str, Any]:
    """Return what is kept of a replay: `caught_by` is empty where the test passes."""
    return {
        "fault": fault.digest,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "caught_by": trial.failed,
        "seconds": round(trial.seconds, 1),
    }


def page() -> str:
    """Return the page with today's table."""
    results = read_results()
    caught = sum(bool(result["caught_by"]) for result in results.values())
    rows = [
        f"The list has {len(FAULTS)} faults. {len(results)} were replayed, and {caught} of them were caught.",
        "",
        "| fault | in | its test | result | replayed | seconds |",
        "|---|---|---|---|---|---:|",
        *(_row(fault, results.get(fault.name)) for fault in sorted(FAULTS, key=lambda fault: fault.file)),
    ]
    return tables.with_table("make plant", rows)


def _row(fault: Fault, result: dict[str, Any] | None) -> str:
    first = f"| {fault.name} | `{fault.file.removeprefix('nlpkit/')}` | `{fault.test.partition('::')[2]}` "
    if result is None:
        return f"{first}| not replayed | | |"
    said = "caught" if result["caught_by"] else "missed"
    return f"{first}| {said} | {result['date']} | {math.ceil(result['seconds'])} |"


def main() -> int:
    """Print a line a fault; end with 1 where one is not caught."""
    parser = argparse.ArgumentParser(description="Plant faults, one at a time, on the tests that must fail.")
    parser.add_argument("words", nargs="*", help="parts of names or files; default: all faults")
    parser.add_argument("--missing", action="store_true", help="only faults that no result says are caught")
    given = parser.parse_args()
    known = read_results()
    chosen = [
        fault
        for fault in FAULTS
        if (not given.words or any(word in f"{fault.file} {fault.name}" for word in given.words))
        and not (given.missing and known.get(fault.name, {}).get("caught_by"))
    ]
    tests, caught = Patched(list(dict.fromkeys(fault.test for fault in chosen))), 0
    for fault in chosen:
        trial = replay(fault, tests)
        known[fault.name] = result_of(fault, trial)
        tables.write_results(RESULTS, known)
        write_whole(tables.PAGE, page())
        caught += bool(trial.failed)
        said = f"caught by {trial.failed}: {trial.reason}" if trial.failed else f"MISSED by {fault.test}"
        print(f"{fault.name} ({fault.file}), {trial.seconds:.1f} s: {said}", flush=True)
    print(f"{caught} of {len(chosen)} planted faults caught")
    return int(caught < len(chosen) or not chosen)


if __name__ == "__main__":
    sys.exit(main())
