"""A rater's journal and the state of a watch, whose writers are killed: what was confirmed is there."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

from nlpkit.labeling.journal import journal_of
from tests.reliability.record import Tally
from tests.tries import tries

ROOT = Path(__file__).parents[2]
KILLS = tries(50, 2)

LABELS = """
import itertools, sys
from pathlib import Path
from nlpkit.labeling.journal import journal_of
journal = journal_of(Path(sys.argv[1]), "anna")
for number in range(int(sys.argv[3]), int(sys.argv[4])):
    journal.write("label", f"text {sys.argv[2]} {number} " + "and so on " * 40, "good")
    print(number, flush=True)
"""

WATCH = """
import json, sys
from pathlib import Path
from nlpkit.watching.state import Watch, _load
from tests.unit.watching.test_watcher import texts, watcher
state, last = Path(sys.argv[1]), int(sys.argv[2])
known, seen = _load(state, {}) if state.exists() else (watcher(), {})
watch = Watch(classifier=None, watcher=known, state=state, belongs={}, seen=seen)
while known.texts < last:
    known.see(texts(50, known.texts, truth=False))
    watch.save()
    print(known.texts, flush=True)
"""


def start(script: str, *words: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def confirmed(process: subprocess.Popen[str], seconds: float) -> list[int]:
    """Kill a process some time after its first line, and return the numbers that it printed."""
    assert process.stdout is not None
    first = process.stdout.readline()
    time.sleep(seconds)
    process.kill()
    rest = process.stdout.read()  # `communicate` would pass over what the stream has read ahead
    process.wait(60)
    process.stdout.close()
    # A last line that was cut off was not printed
    return [int(line) for line in (first + rest).splitlines(keepends=True) if line.endswith("\n")]


def test_a_confirmed_label_survives_a_kill(tmp_path: Path, tally: Tally) -> None:
    file, moments, kept = tmp_path / "next.csv", random.Random(3), 0
    file.write_text("text\n")
    for kill in range(KILLS):
        numbers = confirmed(start(LABELS, file, kill, 0, 10**6), moments.uniform(0, 0.3))
        held = [key for key in journal_of(file, "anna").labels() if key.startswith(f"text {kill} ")]
        assert len(numbers) <= len(held) <= len(numbers) + 1
        kept += len(numbers)
    assert kept <= len(journal_of(file, "anna").labels()) <= kept + KILLS
    tally(KILLS, "kills")


def test_two_pages_of_one_rater_lose_no_label(tmp_path: Path, tally: Tally) -> None:
    file, count = tmp_path / "next.csv", tries(1000, 60)
    file.write_text("text\n")
    pages = [start(LABELS, file, page, 0, count) for page in range(2)]
    assert [len(page.communicate(timeout=600)[0].splitlines()) for page in pages] == [count, count]
    assert len(journal_of(file, "anna").labels()) == 2 * count
    assert sorted(path.name for path in tmp_path.iterdir()) == ["next.csv", "next.csv.labels-anna.jsonl"]
    tally(2 * count, "labels")


def test_a_watch_goes_on_where_its_state_stood(tmp_path: Path, tally: Tally) -> None:
    state, whole, moments = tmp_path / "watch.json", tmp_path / "whole.json", random.Random(4)
    for _ in range(KILLS):
        numbers = confirmed(start(WATCH, state, 10**9), moments.uniform(0, 0.3))
        stands = json.loads(state.read_text())["watcher"]["texts"]
        assert stands in (numbers[-1], numbers[-1] + 50)
    assert start(WATCH, whole, stands).communicate(timeout=600)[0]
    assert json.loads(whole.read_text()) == json.loads(state.read_text())
    tally(KILLS, "kills")
