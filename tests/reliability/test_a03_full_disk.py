"""Scoring onto a disk that is full at any point: one sentence, and the same bytes once there is space."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nlpkit.errors import NlpkitError
from nlpkit.scoring.score import score_file
from tests.reliability.record import Tally
from tests.tries import tries
from tests.unit.scoring.conftest import FakeEngine

ROOT = Path(__file__).parents[2]
MOUNTS = ("unshare", "-rm")
"""Runs a program that may mount a file system that nobody else sees."""

WORK = """
import sys
from pathlib import Path
from tests.reliability.test_a03_full_disk import fill
fill(Path(sys.argv[1]), int(sys.argv[2]))
"""


def can_mount() -> bool:
    return bool(shutil.which("unshare")) and not subprocess.run([*MOUNTS, "true"], check=False).returncode


def mount(disk: Path, kilobytes: int, *options: str) -> None:
    size = ",".join([f"size={kilobytes}k", *options])
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "none", disk], check=True)  # noqa: S607


def fill(folder: Path, points: int) -> None:
    """Score onto disks of growing sizes, none of which holds the output."""
    source, whole, disk = folder / "in.csv", folder / "whole.csv", folder / "disk"
    source.write_text("text,n\n" + "".join(f"text {n % 300},{n}\n" for n in range(6000)))
    score_file(FakeEngine(), source, whole)
    most = whole.stat().st_size // 1024
    disk.mkdir()
    for point in range(points):
        mount(disk, 24 + (most - 24) * point // points)
        target = disk / "out.csv"
        target.write_text("an earlier output")
        with pytest.raises(NlpkitError, match=rf"{disk}.*bytes are free there") as full:
            score_file(FakeEngine(), source, target, chunk_rows=100, overwrite=True)
        assert full.value.exit_code == 1
        assert target.read_text() == "an earlier output"
        mount(disk, 4 * most, "remount")
        score_file(FakeEngine(), source, target, chunk_rows=100, overwrite=True)
        assert target.read_bytes() == whole.read_bytes()
        assert [path.name for path in disk.iterdir()] == ["out.csv"]
        subprocess.run(["umount", disk], check=True)  # noqa: S607


@pytest.mark.skipif(not can_mount(), reason="nobody may mount a file system here")
def test_a_full_disk_loses_nothing_and_the_scoring_goes_on(tmp_path: Path, tally: Tally) -> None:
    points = tries(10, 3)
    command = [*MOUNTS, sys.executable, "-c", WORK, str(tmp_path), str(points)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    tally(points, "full disks")
