"""Memory of a scoring does not grow with the rows of the file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.reliability.record import Tally

ROOT = Path(__file__).parents[2]
ROWS = 1_000_000
WORK = """
import resource, sys
from nlpkit.scoring.score import score_file
from tests.unit.scoring.conftest import FakeEngine

class Forgetful(FakeEngine):
    def predict(self, texts):
        return [self.answer(text) for text in texts]

score_file(Forgetful(), sys.argv[1], sys.argv[2])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak(folder: Path, rows: int) -> float:
    """Return the most memory of a scoring, in MB."""
    source, target = folder / f"{rows}.csv", folder / f"{rows}-scored.csv"
    with source.open("w") as stream:
        stream.write("text,n\n")
        stream.writelines(f"text {n % 5000} of a shop,{n}\n" for n in range(rows))
    words = [sys.executable, "-c", WORK, str(source), str(target)]
    kilobytes = subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    with target.open() as stream:
        assert sum(1 for _ in stream) == rows + 1
    return int(kilobytes) / 1000


@pytest.mark.reliability
def test_a_million_rows_take_little_more_memory_than_ten_thousand(tmp_path: Path, tally: Tally) -> None:
    assert peak(tmp_path, ROWS) < peak(tmp_path, 10_000) + 200
    tally(ROWS, "rows")
