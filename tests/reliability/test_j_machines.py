"""The same commands on other machines: less memory, one core, older instructions, another place and time."""

from __future__ import annotations

import csv
import ctypes
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.conftest import sentences
from tests.reliability.record import Tally

Before: TypeAlias = Callable[[], None] | None
"""What the process does before it runs the command."""

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
ROWS = 300
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1
"""Of <linux/prctl.h> and <linux/capability.h>."""
ODD = ("İstanbul ılık ve güzel", "straße groß", "naïve café 🙂", "夜が好き")
"""Texts that some locales change the case of, or cannot write."""
LEGACY = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}
MACHINES: dict[str, dict[str, str]] = {
    "no locale": LEGACY,
    "Turkish": {"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8"},
    "the first time zone": {"TZ": "Pacific/Kiritimati"},
    "a time zone of half an hour": {"TZ": "America/St_Johns"},
}


def nlpkit(
    *words: str, more: dict[str, str] | None = None, before: Before = None
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), **(more or {})}
    return subprocess.run(
        [sys.executable, "-m", "nlpkit", *words], cwd=ROOT, env=environment, preexec_fn=before,
        capture_output=True, text=True, encoding="utf-8", errors="replace", timeout=300, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [(text, f"2026-{1 + at % 12:02}-28T23:30:00Z") for at, (text, _) in enumerate(sentences(ROWS))]
    rows += [(text, "2026-03-01T00:15:00+14:00") for text in ODD]
    path = tmp_path_factory.mktemp("in") / "in.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("text", "date"), *rows])
    return path


@pytest.fixture(scope="module")
def expected(toy_run: Path, texts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("expected")
    scored = nlpkit("score", str(toy_run), str(texts), "-o", str(folder / "scored.csv"))
    assert scored.returncode == 0, scored.stderr
    return folder


def score_there(
    run: Path, texts: Path, folder: Path, more: dict[str, str] | None = None, *, before: Before = None
) -> bytes:  # fmt: skip
    done = nlpkit("score", str(run), str(texts), "-o", str(folder / "scored.csv"), more=more, before=before)
    assert done.returncode == 0, done.stderr
    return (folder / "scored.csv").read_bytes()


@pytest.mark.parametrize("where", MACHINES)
def test_the_place_changes_no_byte(
    where: str, toy_run: Path, texts: Path, expected: Path, tmp_path: Path, tally: Tally
) -> None:
    found = score_there(toy_run, texts, tmp_path, MACHINES[where])
    assert found == (expected / "scored.csv").read_bytes()
    tally(1, "places")


def test_a_time_zone_moves_no_date(toy_run: Path, texts: Path, tmp_path: Path, tally: Tally) -> None:
    """A text counts for the day that its row says, wherever it is analyzed."""
    tables = []
    for zone in ("UTC", "Pacific/Kiritimati", "America/St_Johns"):
        folder = tmp_path / zone.replace("/", "-")
        folder.mkdir()
        words = ("--time", "date", "--every", "month", "-o", str(folder / "page.html"))
        done = nlpkit("analyze", str(toy_run), str(texts), *words, more={"TZ": zone})
        assert done.returncode == 0, done.stderr
        tables.append({path.name: path.read_bytes() for path in sorted(folder.rglob("*.csv"))})
    assert tables[0]
    assert tables[0] == tables[1] == tables[2]
    tally(3, "time zones")


def test_one_core_and_instructions_of_2013_move_a_probability_by_rounding_only(
    toy_run: Path, texts: Path, expected: Path, tmp_path: Path, tally: Tally
) -> None:
    def one_core() -> None:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

    score_there(toy_run, texts, tmp_path, AVX2, before=one_core)
    assert_equal(tmp_path / "scored.csv", expected / "scored.csv")
    tally(1, "machines")


def assert_equal(one: Path, other: Path) -> None:
    with one.open(encoding="utf-8") as first, other.open(encoding="utf-8") as second:
        for here, there in zip(csv.DictReader(first), csv.DictReader(second), strict=True):
            assert here["label"] == there["label"]
            assert float(here["p_positive"]) == pytest.approx(float(there["p_positive"]), abs=1e-4)


@contextmanager
def at_most(megabytes: int) -> Iterator[Callable[[], None]]:
    """A group of processes with so much memory; what lets a process join it."""
    for folder, limit in (
        (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),
        (Path("/sys/fs/cgroup"), "memory.max"),
    ):
        group = folder / f"nlpkit-{os.getpid()}"
        try:
            group.mkdir()
            (group / limit).write_text(str(megabytes * 2**20))
        except OSError:
            continue
        members = group / "cgroup.procs"

        def join(members: Path = members) -> None:
            members.write_text(str(os.getpid()))

        try:
            yield join
        finally:
            group.rmdir()
        return
    pytest.skip("needs a control group for memory, which only root can make")


def test_two_gigabytes_are_enough_to_score_and_to_train(
    toy_run: Path, toy_config: Path, texts: Path, expected: Path, tmp_path: Path, tally: Tally
) -> None:
    with at_most(2048) as join:
        found = score_there(toy_run, texts, tmp_path, before=join)
        assert found == (expected / "scored.csv").read_bytes()
        trained = nlpkit("train", str(toy_config), f"output={tmp_path}", before=join)
        assert trained.returncode == 0, trained.stderr
    tally(2, "commands")


def test_too_little_memory_ends_the_command_and_the_same_one_resumes(
    toy_run: Path, texts: Path, expected: Path, tmp_path: Path, tally: Tally
) -> None:
    """The kernel kills it without a word; nothing half stays where the output belongs."""
    with at_most(150) as join:
        done = nlpkit("score", str(toy_run), str(texts), "-o", str(tmp_path / "scored.csv"), before=join)
    assert done.returncode == -9
    assert not (tmp_path / "scored.csv").exists()
    assert score_there(toy_run, texts, tmp_path) == (expected / "scored.csv").read_bytes()
    tally(1, "kills")


def test_a_home_that_cannot_be_written(
    toy_run: Path, texts: Path, expected: Path, tmp_path: Path, tally: Tally
) -> None:
    def without_overriding() -> None:
        """Root, too, is then asked for permissions."""
        if sys.platform == "linux" and os.geteuid() == 0:
            ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE)

    home = tmp_path / "home"
    home.mkdir(mode=0o555)
    more = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "NLPKIT_CACHE": ""}
    found = score_there(toy_run, texts, tmp_path, more, before=without_overriding)
    assert found == (expected / "scored.csv").read_bytes()
    assert not list(home.iterdir())
    # Where a command has to keep something there, it names the place
    refused = nlpkit("sources", "fetch", "minilm-l6", more=more, before=without_overriding)
    assert refused.returncode == 1
    assert f"could not be written to {home}" in refused.stderr
    assert refused.stderr.endswith("Permission denied; hint: name another folder in NLPKIT_CACHE\n")
    tally(2, "commands")
