from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest

from nlpkit.errors import ConfigError, NlpkitError
from nlpkit.files import only_writer, write_whole


def test_s15_a_file_is_on_the_disk_before_it_takes_its_place(
    tmp_path: Path, on_disk: Callable[[Path], bool]
) -> None:
    placed: list[bool] = []
    real = os.replace
    with patch("os.replace", lambda old, new: (placed.append(on_disk(Path(old))), real(old, new))):
        write_whole(tmp_path / "run.json", "{}")
    assert placed == [True]
    assert (tmp_path / "run.json").read_text() == "{}"


def test_of_two_writers_the_second_is_refused_until_the_first_is_dead(tmp_path: Path) -> None:
    path, lock = tmp_path / "watch.json", tmp_path / "new" / ".watch.json.lock"
    hold = (
        "import sys, time; from pathlib import Path; from nlpkit.files import only_writer\n"
        "with only_writer(Path(sys.argv[1]), Path(sys.argv[2])): print(flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", hold, path, lock], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(NlpkitError, match=r"watch.json: another process is writing it; hint: wait"):
            only_writer(path, lock).__enter__()
        holder.kill()
    with only_writer(path, lock):
        assert lock.exists()
    assert not lock.exists()


def test_a_folder_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"watch.json: cannot be written: .*; hint: name another file"):
        only_writer(tmp_path / "watch.json", tmp_path / "file" / "lock").__enter__()
