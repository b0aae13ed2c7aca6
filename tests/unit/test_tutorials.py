"""Tutorials: the notebooks are those of the pages, and what counts as the same output."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from tests import tutorials


def test_the_files_are_those_that_the_script_makes(tmp_path: Path) -> None:
    script = runpy.run_path(str(tutorials.FOLDER / "make_data.py"))
    for name, rows in (
        ("reviews", script["reviews"](1_200, seed=1)),
        ("chats", script["chats"](120, seed=1)),
    ):
        script["write"](tmp_path / name, rows)
        assert (tmp_path / name).read_bytes() == (tutorials.FOLDER / f"{name}.csv").read_bytes()


@pytest.mark.parametrize("page", tutorials.PAGES, ids=lambda page: page.stem)
def test_the_notebook_is_that_of_the_page(page: Path) -> None:
    notebook = page.with_suffix(".ipynb").read_text(encoding="utf-8")
    assert notebook == tutorials.written(page), "run python -m tests.tutorials"


def test_a_page_becomes_cells_with_files_commands_and_outputs() -> None:
    page = (
        '# Title\n\n```yaml title="a.yaml"\nname: a\n```\n\nThen:\n\n'
        "```sh\nnlpkit train a.yaml\nnlpkit runs\n```\n\n```text\nrows 3\n```\n\n"
        "```python\nprint(1)\n```\n\nThe end.\n"
    )
    made = tutorials.notebook(page)["cells"]
    assert [(cell["cell_type"], cell["source"]) for cell in made] == [
        ("markdown", "# Title"),
        ("code", "%%writefile a.yaml\nname: a"),
        ("markdown", "Then:"),
        ("code", "%%sh\nnlpkit train a.yaml\nnlpkit runs"),
        ("code", "print(1)"),
        ("markdown", "The end."),
    ]
    assert [output["text"] for cell in made for output in cell.get("outputs", ())] == ["rows 3\n"]
