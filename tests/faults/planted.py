"""Plant the faults of planted.toml, one at a time: `python -m tests.faults.planted journal`.

Words in the command line choose among them, by file and name. A fault whose text is no longer in its file, or
that its test does not notice, is a failure.
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


def outcome(fault: Fault) -> tuple[bool, str]:
    """Return whether a fault is caught, and by what."""
    path = ROOT / fault.file
    text = path.read_text(encoding="utf-8")
    if text.count(fault.old) != 1:
        return False, f"its text is in {fault.file} {text.count(fault.old)} times"
    caught = Patched(fault.test.split(" ", 2)).caught_by(path, text.replace(fault.old, fault.new))
    return bool(caught), caught or f"not by {fault.test}"


def main() -> int:
    """Print a line a fault; end with 1 where one is not caught."""
    words = sys.argv[1:]
    chosen = [fault for fault in FAULTS if all(word in f"{fault.file} {fault.name}" for word in words)]
    missed = 0
    for fault in chosen:
        is_caught, what = outcome(fault)
        missed += not is_caught
        print(f"{'caught' if is_caught else 'MISSED'}: {fault.name} ({fault.file}): {what}", flush=True)
    print(f"{len(chosen) - missed} of {len(chosen)} planted faults caught")
    return int(missed > 0 or not chosen)


if __name__ == "__main__":
    sys.exit(main())
