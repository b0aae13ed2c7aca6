"""Each tutorial runs as its reader would run it, and prints what its page and its notebook show."""

from __future__ import annotations

import os
import shutil
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from nlpkit.sources import cache_folder
from tests import tutorials
from tests.conftest import make_chat_base
from tests.outputs import agrees

pytestmark = pytest.mark.integration


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with the files of the tutorials, whose changes to this process do not last."""
    for path in tutorials.FOLDER.glob("*.csv"):
        shutil.copy(path, tmp_path)
    stick = tmp_path / "stick"  # the cache that one of them fills where there is a network
    stick.mkdir()
    for path in cache_folder().glob("minilm-l6-*"):
        (stick / path.name).symlink_to(path.resolve())
    for module, name in ((socket.socket, "connect"), (socket, "getaddrinfo")):
        monkeypatch.setattr(module, name, getattr(module, name))
    monkeypatch.setenv("NLPKIT_CACHE", os.environ["NLPKIT_CACHE"])
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", tutorials.PAGES, ids=lambda page: page.stem)
def test_a_tutorial_prints_what_it_shows(page: Path, folder: Path) -> None:
    names: dict[str, object] = {}
    base = make_chat_base(folder / "base", window=512)
    for cell in tutorials.cells(page.read_text(encoding="utf-8")):
        if cell.language == "markdown":
            continue
        # The chat model of the page is too large for a test, which the page says
        text = cell.text.replace("source: smollm2-135m", f"source: {base}")
        printed = tutorials.run(replace(cell, text=text), names)
        assert agrees(printed, cell.shown or ""), f"{cell.text}\n{printed}"
