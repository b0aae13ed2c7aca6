"""What `nlpkit doctor` finds: wrong versions, extras, a cache that is damaged or can't be written to."""

from __future__ import annotations

import importlib.metadata
import json
import sys
import tomllib
from pathlib import Path

import pytest

from nlpkit import doctor
from nlpkit.doctor import EXTRAS, Diagnosis
from nlpkit.sources import cache
from nlpkit.sources.entries import catalogue

ROOT = Path(__file__).parents[3]


def test_each_extra_for_users_is_explained() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(EXTRAS) == set(project["optional-dependencies"]) - {"bench", "dev", "docs"}


def test_versions_and_extras_are_compared_with_what_nlpkit_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ["numpy>=2.0", "pyarrow<1", "opacus>=1; extra == 'private'", "tensorflow; extra == 'noise'"]
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: asked)
    monkeypatch.setattr(doctor, "EXTRAS", {"private": "privacy", "noise": "doubts", "search": "search"})
    (wrong,) = doctor._packages()
    assert (wrong.status, wrong.hint) == ("failed", "pip install 'pyarrow<1'")
    assert wrong.message == f"pyarrow<1: is {importlib.metadata.version('pyarrow')}"
    private, noise, search = doctor._extras()
    assert (private.status, search.status) == ("ok", "ok")
    assert noise == Diagnosis(
        name="extra noise",
        status="note",
        message="tensorflow is not installed; for doubts",
        hint="pip install 'nlpkit[noise]'",
    )


def test_a_damaged_source_and_a_cut_one_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NLPKIT_CACHE", str(tmp_path))
    small = [entry for entry in catalogue() if entry.size <= doctor.LARGEST_HASHED]
    whole, changed, cut = small[:3]
    for entry in (whole, changed, cut):
        folder = cache.content(entry)
        folder.mkdir(parents=True)
        (folder / "part").write_bytes(b"abc")
        # SHA-256 of "abc": FIPS 180-4, the first example
        digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        cache.write_manifest(entry, cache.home(entry), (cache.Cached(file="part", size=3, sha256=digest),))
    (cache.content(changed) / "part").write_bytes(b"abd")
    (cache.content(cut) / "part").write_bytes(b"ab")
    folder, *sources = doctor._cache()
    assert (folder.name, str(tmp_path) in folder.message) == ("cache", True)
    found = {source.message: (source.status, source.hint) for source in sources}
    fetch = f"nlpkit sources fetch {changed.name}"
    assert found == {
        f"{changed.name}: changed since it was fetched: part": (
            "failed",
            f"remove {cache.home(changed)}, then {fetch}",
        ),
        f"{cut.name}: incomplete": ("note", f"nlpkit sources fetch {cut.name}"),
        f"complete, by hash: {whole.name}": ("ok", ""),
    }


def test_a_cache_that_cannot_be_written_to_ends_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from nlpkit.cli.app import main

    (tmp_path / "file").touch()
    monkeypatch.setenv("NLPKIT_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setenv("HF_TOKEN", "hf_canary")
    monkeypatch.setattr(doctor, "_answer", lambda: Diagnosis(name="answer", status="ok", message="positive"))
    for arguments in ((), ("--json",)):
        monkeypatch.setattr(sys, "argv", ["nlpkit", "doctor", *arguments])
        with pytest.raises(SystemExit) as stop:
            main()
        out = capsys.readouterr().out
        assert stop.value.code == 1
        assert "hf_canary" not in out
        assert "HF_TOKEN is set" in out
    report = json.loads(out)
    assert report["ok"] is False
    checks = {check["name"]: check for check in report["checks"]}
    assert checks["cache"]["status"] == "failed"
    assert "NLPKIT_CACHE" in checks["cache"]["hint"]


def test_the_built_in_classifier_is_asked_where_its_base_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(text: str) -> None:
        raise OSError("run.json: no such file")

    monkeypatch.setattr("nlpkit.classifiers.predict.predict", broken)
    monkeypatch.setattr(doctor, "is_cached", lambda entry: False)
    assert doctor._answer() == Diagnosis(
        name="answer",
        status="note",
        message="the base of the built-in classifier, minilm-l6, is not here yet",
        hint="nlpkit sources fetch minilm-l6",
    )
    monkeypatch.setattr(doctor, "is_cached", lambda entry: entry.name == "minilm-l6")
    answer = doctor._answer()
    assert (answer.status, "OSError: run.json: no such file" in answer.message) == ("failed", True)
