"""A command that is killed in a pass over the rows goes on there, and writes the same bytes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nlpkit.analysis import passes, scored_rows
from nlpkit.analysis.scored_rows import Batch, ScoredRows
from nlpkit.files import write_whole
from nlpkit.models.encoder import Encoder
from tests.reliability.record import Tally
from tests.unit.analysis.test_about import TopicCounter, analyzed, planted

ROOT = Path(__file__).parents[2]
WORK = "import sys; from tests.reliability.test_i_analysis_kill import work; work(sys.argv[1])"


def work(dies_at: str) -> None:
    """Analyze the reviews of this folder, and die before a checkpoint is written, counted from 1."""
    written = 0

    def write_or_die(path: Path, text: str) -> None:
        nonlocal written
        written += 1
        if written == int(dies_at):
            os.kill(os.getpid(), signal.SIGKILL)
        write_whole(path, text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passes, "write_whole", write_or_die)
        patch.setattr(passes, "SECONDS", -1)  # a checkpoint after each batch
        patch.setattr(scored_rows, "BATCH", 100)
        patch.setattr(Encoder, "load", lambda base: TopicCounter())
        analyzed(Path("reviews.csv"), Path("report.html"), "auto")


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the content of each file, but for the time that it was made at."""
    times = re.compile(rb'"created": "[^"]*"|\d+ \w+ \d{4}, \d\d:\d\d UTC')
    return {str(path.relative_to(folder)): times.sub(b"", path.read_bytes())
            for path in sorted(folder.rglob("*")) if path.is_file()}  # fmt: skip


def test_a_killed_command_goes_on_and_writes_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tally: Tally
) -> None:
    """780 rows are 8 batches, and each of three passes writes 9 checkpoints: the last one is its end."""
    for name in ("killed", "whole"):
        (tmp_path / name).mkdir()
        assert len(planted(tmp_path / name / "reviews.csv")) == 780
    monkeypatch.chdir(tmp_path / "killed")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    # Left are 3 batches of the survey; then 5 of the counts, after 6 checkpoints; then 6 themes, after 4
    for dies_at, left_by in ((4, "survey"), (12, "counts"), (11, "themes")):
        child = subprocess.run([sys.executable, "-c", WORK, str(dies_at)], env=environment, check=False)
        assert child.returncode == -signal.SIGKILL
        assert Path(f"report.tables/.passes/{left_by}.json").exists()
    skipped = []
    batches = ScoredRows.batches

    def counted(self: ScoredRows, *, answers: bool, skip: int = 0) -> Iterator[Batch]:
        skipped.append(skip)
        return batches(self, answers=answers, skip=skip)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ScoredRows, "batches", counted)
        work("0")
    assert skipped == [0, 6]  # the sample, and the rest of the themes
    monkeypatch.chdir(tmp_path / "whole")
    work("0")
    killed, whole = files_of(tmp_path / "killed"), files_of(tmp_path / "whole")
    assert killed.keys() == whole.keys()
    assert [name for name in whole if killed[name] != whole[name]] == []
    tally(3, "kills")
