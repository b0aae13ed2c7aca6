"""Plant the faults of planted.toml, one at a time: `python -m tests.faults.planted journal`.

Words in the command line choose those whose file or name holds one of them. A fault whose text is gone from
its file, or that its test does not notice, is a failure.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

from tests.faults.patched import ROOT, Patched


class Fault(NamedTuple):
    """A change that breaks a promise."""

    name: str
    file: str
    old: str
    new: str
    test: str
    """What must fail."""


FAULTS = [
    Fault(**fields) for fields in tomllib.loads(Path(__file__).with_suffix(".toml").read_text())["fault"]
]


def main() -> int:
    """Print a line a fault; end with 1 where one is not caught."""
    words = sys.argv[1:]
    chosen = [
        fault for fault in FAULTS if not words or any(word in f"{fault.file} {fault.name}" for word in words)
    ]
    tests, missed = Patched(list(dict.fromkeys(fault.test for fault in chosen))), 0
    for fault in chosen:
        path = ROOT / fault.file
        text = path.read_text(encoding="utf-8")
        if text.count(fault.old) != 1:
            problem = f"its text is there {text.count(fault.old)} times"
        elif not tests.caught_by(path, text.replace(fault.old, fault.new), [fault.test]):
            problem = f"{fault.test} passes"
        else:
            problem = ""
        missed += bool(problem)
        print(f"{'MISSED' if problem else 'caught'}: {fault.name} ({fault.file}) {problem}", flush=True)
    print(f"{len(chosen) - missed} of {len(chosen)} planted faults caught")
    return int(missed > 0 or not chosen)


if __name__ == "__main__":
    sys.exit(main())
