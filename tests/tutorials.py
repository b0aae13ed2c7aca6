"""The tutorials, each a page and a notebook: `python -m tests.tutorials` writes the notebooks of the pages.

A page is Markdown. Its blocks `sh` and `python` are run in their order, a block with a title is a file, and
a block `text` is what the block above it prints. A line `...` in it stands for any lines.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import sys
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Any
from unittest.mock import patch

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "tutorials"
PAGES = sorted(FOLDER.glob("*.md"))
BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```\n', re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A part of a page: `text` in its language, and what is shown below it."""

    language: str
    text: str
    file: str | None = None
    shown: str | None = None


def cells(page: str) -> list[Cell]:
    """Return the parts of a page, prose as `markdown`."""
    found: list[Cell] = []
    place = 0
    for block in BLOCK.finditer(page):
        prose, place = page[place : block.start()].strip(), block.end()
        language, file, text = block.groups()
        if language == "text" and not prose:
            found[-1] = replace(found[-1], shown=text)
            continue
        if prose:
            found.append(Cell(language="markdown", text=prose))
        found.append(Cell(language=language, text=text.rstrip("\n"), file=file))
    return [*found, Cell(language="markdown", text=page[place:].strip())]


def notebook(page: str) -> dict[str, Any]:
    """Return a page as a notebook of Jupyter (nbformat 4.5), with what the page shows as outputs."""
    made = []
    for number, cell in enumerate(cells(page)):
        common = {"id": f"cell-{number}", "metadata": {}}
        if cell.language == "markdown":
            made.append({**common, "cell_type": "markdown", "source": cell.text})
            continue
        text = cell.text
        if cell.file:
            text = f"%%writefile {cell.file}\n{text}"
        elif cell.language == "sh":
            fails = (cell.shown or "").startswith("error:")  # as it should: the cells below run
            text = f"%%sh{' --no-raise-error' * fails}\n{text}"
        outputs = []
        if cell.shown:
            outputs = [{"output_type": "stream", "name": "stdout", "text": cell.shown}]
        code = {"cell_type": "code", "execution_count": None, "source": text, "outputs": outputs}
        made.append({**common, **code})
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"cells": made, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def written(page: Path) -> str:
    """Return the notebook of a page as its file holds it."""
    made = notebook(page.read_text(encoding="utf-8"))
    return json.dumps(made, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def run(cell: Cell, names: dict[str, Any]) -> str:
    """Run a part of a page in the current folder as a notebook would, and return what it prints."""
    if cell.file:
        Path(cell.file).write_text(f"{cell.text}\n", encoding="utf-8")
        return ""
    if cell.language == "python":
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(compile(cell.text, "page", "exec"), names)  # noqa: S102
        return out.getvalue()
    return "".join(map(run_command, cell.text.splitlines()))


def run_command(command: str) -> str:
    """Run a line of a shell block; nlpkit in this process, which has loaded it."""
    from nlpkit.cli.app import main

    words = shlex.split(command, comments=True)
    settings = [word.split("=", 1) for word in takewhile(lambda word: "=" in word, words)]
    program, *arguments = words[len(settings) :]
    if program != "nlpkit":
        raise ValueError(f"{command}: expected nlpkit, after settings such as NLPKIT_CACHE=stick")
    out = io.StringIO()
    with (
        patch.dict(os.environ, dict(settings)),
        patch.object(sys, "argv", [program, *arguments]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(out),
        contextlib.suppress(SystemExit),
    ):
        main()
    return out.getvalue()


if __name__ == "__main__":
    for path in PAGES:
        path.with_suffix(".ipynb").write_text(written(path), encoding="utf-8")
