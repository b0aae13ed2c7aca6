from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from nlpkit.data.text_hashes import count_trained_on, keep_hashes
from nlpkit.errors import RunError
from nlpkit.files import sha256_of
from nlpkit.run import Run
from nlpkit.run_record import BaseModelIdentity, RunRecord


def completed(path: Path, texts: list[str] | None, parent: Run | None = None) -> Run:
    run = Run.create(path, config="recipe: sentiment\n")
    keep_hashes(run, texts, parent)
    base = BaseModelIdentity(source="b", revision=None, weights_sha256="a", tokenizer_sha256="b")
    run.finish(
        RunRecord(
            name="r", recipe="sentiment", created="now", task={"kind": "polarity"}, base=base, max_tokens=8,
            seed=1, data={}, cost={}, versions={},
        )
    )  # fmt: skip
    return run


def test_s19_equal_texts_are_found_whatever_their_case_and_punctuation(tmp_path: Path) -> None:
    run = completed(tmp_path / "r", ["Good film!", "a bad one", "good film", "Straße", "5/5"])
    asked = ["GOOD  FILM", "good films", "a bad one.", "a bad one.", "STRASSE", "5 / 5", ""]
    assert count_trained_on(run, asked) == 5
    assert count_trained_on(run, []) == 0
    # Of the texts nothing but eight bytes each is kept
    kept = run.text_hashes.read_bytes()
    assert len(kept) == 4 * 8
    assert hashlib.sha256(b"a bad one").digest()[:8] in [kept[at : at + 8] for at in range(0, 32, 8)]


def test_s19_a_run_without_hashes_does_not_know(tmp_path: Path) -> None:
    assert count_trained_on(completed(tmp_path / "r", None), ["a"]) is None


def test_s19_a_run_that_went_on_from_another_knows_both_or_nothing(tmp_path: Path) -> None:
    parent = completed(tmp_path / "parent", ["one"])
    assert count_trained_on(completed(tmp_path / "child", ["two"], parent), ["one", "two", "three"]) == 2
    unknown = completed(tmp_path / "unknown", None)
    assert count_trained_on(completed(tmp_path / "other", ["two"], unknown), ["two"]) is None


def test_s19_hashes_are_covered_by_those_of_the_run_and_a_copy_may_lack_them(tmp_path: Path) -> None:
    run = completed(tmp_path / "r", ["one"])
    assert run.read().files["text_hashes.dat"] == sha256_of([run.text_hashes])
    run.read_verified()
    run.text_hashes.write_bytes(bytes(8))
    with pytest.raises(RunError, match=r"text_hashes.dat: has changed since training; hint: delete it"):
        count_trained_on(run, ["one"])
    run.text_hashes.unlink()
    run.read_verified()  # as a published run, which leaves them out
    assert count_trained_on(run, ["one"]) is None


def test_s19_hashes_of_a_killed_training_are_not_taken_over(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "r", config="x")
    keep_hashes(run, ["one"])
    assert count_trained_on(completed(tmp_path / "r", None), ["one"]) is None
