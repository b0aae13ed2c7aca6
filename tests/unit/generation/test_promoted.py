"""Which run is served: the file names it, and is whole whenever it is read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nlpkit.errors import RunError
from nlpkit.generation.promoted import promote, promoted_run
from nlpkit.run import Run


def test_the_promoted_run_is_found_again_wherever_the_folder_goes(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "run.json").write_text("{}", encoding="utf-8")
    file = promote(Run(tmp_path / "runs" / "first"))
    assert promoted_run(file).path == tmp_path / "runs" / "first"
    assert promote(Run(tmp_path / "runs" / "second")) == file
    assert sorted(one.name for one in (tmp_path / "runs").iterdir()) == ["first", "promoted.json", "second"]
    (tmp_path / "runs").rename(tmp_path / "elsewhere")
    assert promoted_run(tmp_path / "elsewhere" / "promoted.json").path == tmp_path / "elsewhere" / "second"


@pytest.mark.parametrize("text", ["", "{}", "[]", "3", '{"run": 3}'])
def test_a_file_that_names_no_run_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "promoted.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(RunError, match=r"promoted\.json: names no run"):
        promoted_run(file)


def test_a_run_that_is_gone_is_refused(tmp_path: Path) -> None:
    (tmp_path / "promoted.json").write_text(json.dumps({"run": "gone"}), encoding="utf-8")
    with pytest.raises(RunError, match="no such run"):
        promoted_run(tmp_path / "promoted.json")


def test_a_missing_file_is_named_with_a_way_on(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"promoted\.json: no such file; hint: name the folder of a run"):
        promoted_run(tmp_path / "promoted.json")
