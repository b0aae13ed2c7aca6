from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

from nlpkit.files import write_whole


def test_s15_a_file_is_on_the_disk_before_it_takes_its_place(
    tmp_path: Path, on_disk: Callable[[Path], bool]
) -> None:
    placed: list[bool] = []
    real = os.replace
    with patch("os.replace", lambda old, new: (placed.append(on_disk(Path(old))), real(old, new))):
        write_whole(tmp_path / "run.json", "{}")
    assert placed == [True]
    assert (tmp_path / "run.json").read_text() == "{}"
