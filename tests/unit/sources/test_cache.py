from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest

from nlpkit.sources import Entry, cache_folder, fetch, is_cached
from nlpkit.sources.cache import Cached, content, home, write_manifest


def test_the_cache_is_where_the_environment_says_at_the_time_of_the_call(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NLPKIT_CACHE", str(tmp_path / "one"))
    assert cache_folder() == tmp_path / "one"
    monkeypatch.setenv("NLPKIT_CACHE", "~/two")
    assert cache_folder() == Path.home() / "two"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NLPKIT_CACHE", "here")
    assert cache_folder() == tmp_path / "here"


def test_without_a_word_the_cache_is_in_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NLPKIT_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/some/where")
    assert "nlpkit" in cache_folder().parts
    if sys.platform == "linux":
        assert cache_folder() == Path("/some/where/nlpkit")


def test_an_entry_is_cached_only_when_its_manifest_is_there_and_its_files_are_whole(fake: Entry) -> None:
    assert not is_cached(fake)
    folder = content(fake)
    folder.mkdir(parents=True)
    (folder / "a.txt").write_bytes(b"12345")
    assert not is_cached(fake)
    write_manifest(fake, home(fake), (Cached(file="a.txt", size=5, sha256="x"),))
    assert is_cached(fake)
    (folder / "a.txt").write_bytes(b"1234")
    assert not is_cached(fake)
    (folder / "a.txt").unlink()
    assert not is_cached(fake)


@pytest.mark.parametrize("manifest", ["", "[]", "{}", '{"files": {"a": 1}}', '{"files": [1]}', "\x00\xff"])
def test_a_damaged_manifest_means_not_cached(fake: Entry, manifest: str) -> None:
    home(fake).mkdir(parents=True)
    (home(fake) / "manifest.json").write_text(manifest, encoding="utf-8")
    assert not is_cached(fake)


def test_a_damaged_cache_is_fetched_anew(fake: Entry) -> None:
    path = fetch(fake.name)
    (path / "vocab.txt").write_bytes(b"")
    assert not is_cached(fake)
    assert (fetch(fake.name) / "vocab.txt").read_bytes() == b"a\nb\n"


def test_another_version_of_an_entry_has_another_folder(fake: Entry) -> None:
    other = dataclasses.replace(fake, revision=2)
    assert home(fake) != home(other)
    assert home(fake).parent == home(other).parent
