"""Labels of several raters: journals on the disk, what is read of them, and how far the raters agree."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

import nlpkit
from nlpkit.cli.app import app
from nlpkit.errors import ConfigError, DataError
from nlpkit.labeling.agreement import agreement, agreement_line
from nlpkit.labeling.journal import journal_of, journals_of
from nlpkit.labeling.labeled import read_labeled
from nlpkit.labeling.questions import open_questions
from tests.conftest import write_csv

TEXTS = ("a good film", "a bad film", "a long film", "no film")


@pytest.fixture
def picked(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "next.csv", [(text, "") for text in TEXTS])


def label(picked: Path, rater: str, *labels: str) -> None:
    """Label the first texts; "" skips one."""
    journal = journal_of(picked, rater)
    for text, name in zip(TEXTS, labels, strict=False):
        journal.write("label" if name else "skip", text, name)


def test_an_answer_is_on_the_disk_at_once_and_is_taken_back(picked: Path) -> None:
    journal = journal_of(picked, "anna")
    journal.write("label", TEXTS[0], "good")
    (line,) = journal.path.read_text(encoding="utf-8").splitlines()
    written = json.loads(line)
    del written["at"]
    assert written == {"rater": "anna", "act": "label", "text": TEXTS[0], "label": "good"}
    journal.write("skip", TEXTS[1])
    journal.write("label", TEXTS[2], "bad")
    assert list(journal.answers().values()) == ["good", None, "bad"]
    journal.write("undo")
    assert journal.answers() == {TEXTS[0]: "good", TEXTS[1]: None}
    journal.write("again")
    assert journal.answers() == journal.labels() == {TEXTS[0]: "good"}
    journal.write("undo")
    journal.write("undo")
    assert journal_of(picked, "anna").answers() == {}
    assert len(journal.path.read_text(encoding="utf-8").splitlines()) == 7  # a journal only grows


def test_undo_takes_back_the_last_answer_to_a_text_that_had_one_before(picked: Path) -> None:
    label(picked, "anna", "good", "bad")
    label(picked, "anna", "fine")  # on another page of hers
    journal = journal_of(picked, "anna")
    assert journal.answers() == {TEXTS[0]: "fine", TEXTS[1]: "bad"}
    journal.write("undo")
    assert journal.answers() == {TEXTS[1]: "bad"}


def test_an_answer_is_flushed_to_the_disk_before_it_counts(
    picked: Path, on_disk: Callable[[Path], bool]
) -> None:
    journal = journal_of(picked, "anna")
    for act, text in (("label", TEXTS[0]), ("skip", TEXTS[1]), ("undo", "")):
        journal.write(act, text, "good")  # type: ignore[arg-type]
        assert on_disk(journal.path)


def test_what_a_kill_cut_short_is_dropped_and_no_more(picked: Path) -> None:
    label(picked, "anna", "good", "bad")
    journal = journal_of(picked, "anna")
    whole = journal.path.read_bytes()
    for cut in range(1, 40, 7):
        journal.path.write_bytes(whole[:-cut])
        assert list(journal.answers().values()) == ["good"]
        journal.write("label", TEXTS[1], "good")
        assert list(journal.answers().values()) == ["good", "good"]
    journal.path.write_text("{}\n")
    with pytest.raises(DataError, match=r"next\.csv\.labels-anna\.jsonl, line 1: is no answer of a rater"):
        journal.answers()


def test_a_full_disk_is_said_and_loses_nothing(picked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    label(picked, "anna", "good")

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nlpkit.labeling.journal.os.fsync", full)
    with pytest.raises(DataError, match="cannot be written: No space left on device"):
        label(picked, "anna", "good")
    assert len(journal_of(picked, "anna").path.read_text().splitlines()) == 1


@pytest.mark.parametrize("rater", ["", "../anna", "anna/ben", "anna\n", "*", "a" * 65, "änna", "an na"])
def test_names_that_are_no_part_of_a_file_name_are_refused(picked: Path, rater: str) -> None:
    with pytest.raises(ConfigError, match="expected 1 to 64 letters, digits"):
        journal_of(picked, rater)


def test_journals_belong_to_one_file_and_one_name(picked: Path, tmp_path: Path) -> None:
    other = write_csv(tmp_path / "ext.csv", [("a film", "")])
    label(picked, "ben", "good")
    label(picked, "anna", "good")
    label(other, "cleo", "good")
    assert [journal.rater for journal in journals_of(picked)] == ["anna", "ben"]
    with pytest.raises(ConfigError, match="rater 'Anna': 'anna' labels this file; hint: --rater anna"):
        journal_of(picked, "Anna")
    (tmp_path / "next.csv.labels-dora.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="is a symbolic link"):
        journal_of(picked, "dora")


def test_agreement_by_hand() -> None:
    """Two raters differ on one of four texts; 3 of 8 labels are `a`: 1 - (2 / 8) / (2 * 3 * 5 / (8 * 7))."""
    score = agreement([("a", "a"), ("b", "b"), ("b", "a"), ("b", "b"), ("a",)])
    assert score.value == pytest.approx(1 - (2 / 8) / (30 / 56))
    assert score.count == 4
    assert score.low is not None
    assert score.high is not None
    assert score.low < score.value < score.high == 1
    assert agreement_line(score, ["anna", "ben"]).endswith("on 4 texts with several labels")
    three = agreement([("a", "a", "b"), ("b", "b"), ("b", "b", "b")])
    # pairs that differ: 4 / 2; of 8 labels 2 are `a`
    assert three.value == pytest.approx(1 - (2 / 8) / (2 * 2 * 6 / (8 * 7)))
    assert agreement([("a", "a"), ("b", "b")]).interval == ""


def test_agreement_that_is_undefined_is_said_to_be() -> None:
    assert agreement_line(agreement([]), ["anna"]) == ""
    apart = agreement([("a",), ("b",)])
    assert agreement_line(apart, ["anna", "ben"]) == (
        "anna and ben have no text in common: their agreement is undefined"
    )
    equal = agreement([("a", "a"), ("a", "a")])
    assert agreement_line(equal, ["anna", "ben"]) == (
        "Krippendorff's alpha is undefined on 2 texts: all labels are equal"
    )


def test_labels_are_read_from_journals_and_a_label_in_the_file_decides(picked: Path) -> None:
    label(picked, "anna", "good", "bad", "good", "")
    label(picked, "ben", "good", "good", "bad")

    def read() -> object:
        return read_labeled(str(picked), ["bad", "good"], text="text", label="label")

    rows = read()
    assert rows.rows == ((TEXTS[0], "good"),)
    assert (rows.empty, rows.raters, rows.agreement.count) == (1, ("anna", "ben"), 3)
    assert rows.disputes == ((TEXTS[1], ("bad", "good")), (TEXTS[2], ("good", "bad")))
    assert any("2 texts with different labels are left out" in line for line in rows.lines)
    assert "  bad, good: 'a bad film'" in rows.lines
    write_csv(picked, list(zip(TEXTS, ("", "bad", "", "bad"), strict=True)))
    rows = read()
    assert rows.rows == ((TEXTS[0], "good"), (TEXTS[1], "bad"), (TEXTS[3], "bad"))
    assert rows.agreement.count == 3  # as the two labeled it
    write_csv(picked, [(TEXTS[0], "")])
    assert "2 texts of the journals are not in the file, and are left out" in read().lines
    journal_of(picked, "ben").write("label", TEXTS[0], "goood")
    with pytest.raises(DataError, match=r"labels-ben\.jsonl: .*'goood'.*'good'"):
        read()


def test_shares_are_estimated_from_journals(tmp_path: Path) -> None:
    """As in `test_shares_by_hand`, with two strata of 8 and 2 texts: 0.8 * 1 / 2 + 0.2 * 1 = 0.6."""
    header = ("text", "label", "stratum", "stratum_texts")
    rows = [(TEXTS[0], "", "1", "8"), (TEXTS[1], "", "1", "8"), (TEXTS[2], "", "2", "2")]
    picked = write_csv(tmp_path / "next.csv", rows, header)  # type: ignore[arg-type]
    label(picked, "anna", "good", "bad", "good")
    assert {share.label: share.share for share in nlpkit.label_shares(picked)} == pytest.approx(
        {"good": 0.6, "bad": 0.4}
    )
    label(picked, "ben", "bad")
    with pytest.raises(DataError, match="people gave different labels to 1 of its texts"):
        nlpkit.label_shares(picked)


def test_questions_go_on_where_the_rater_stood(toy_run: Path, picked: Path) -> None:
    anna = open_questions(toy_run, picked, "anna")
    assert [entry.label for entry in anna.labels] == ["negative", "positive"]
    assert (anna.progress().text, anna.progress().total) == (TEXTS[0], 4)
    anna.answer("label", TEXTS[0], "positive")
    anna.answer("skip", TEXTS[1])
    now = open_questions(toy_run, picked, "anna").progress()
    assert (now.text, now.labeled, now.skipped, now.agreement) == (TEXTS[2], 1, 1, "")
    ben = open_questions(toy_run, picked, "ben")
    ben.answer("label", TEXTS[2], "positive")
    assert ben.progress().agreement == "anna and ben have no text in common: their agreement is undefined"
    ben.answer("label", TEXTS[0], "negative")
    assert "on 1 texts" in anna.progress().agreement
    for text in TEXTS[2:]:
        anna.answer("label", text, "negative")
    assert (anna.progress().key, anna.progress().labeled, anna.progress().skipped) == ("", 3, 1)
    anna.answer("again", TEXTS[0], "positive")
    assert json.loads(anna.journal.path.read_text().splitlines()[-1])["text"] == ""
    with pytest.raises(DataError, match="has no answer to take back"):
        open_questions(toy_run, picked, "cleo").answer("undo")
    assert anna.progress().key == TEXTS[1]
    for act, key, name in (("label", "other", "positive"), ("label", TEXTS[0], "<b>"), ("skip", "other", "")):
        with pytest.raises(DataError, match="hint: reload the page"):
            anna.answer(act, key, name)  # type: ignore[arg-type]


def test_a_codebook_gives_the_order_and_the_descriptions(toy_run: Path, picked: Path, tmp_path: Path) -> None:
    book = tmp_path / "book.yaml"
    book.write_text("labels: {positive: It is liked., negative: It is not.}\n")
    labels = open_questions(toy_run, picked, "anna", codebook=book).labels
    assert [(entry.label, entry.description) for entry in labels] == [
        ("positive", "It is liked."),
        ("negative", "It is not."),
    ]
    book.write_text("labels: [positive, mixed]\n")
    with pytest.raises(ConfigError, match="in only one of the config and the codebook"):
        open_questions(toy_run, picked, "anna", codebook=book)
    write_csv(picked, [(TEXTS[0], "positive")])
    with pytest.raises(DataError, match="all rows have a label"):
        open_questions(toy_run, picked, "anna")


def test_the_command_refuses_a_name_before_it_serves(toy_run: Path, picked: Path) -> None:
    words = ["label", "open", str(toy_run), str(picked), "--no-browser", "--rater", "../anna"]
    done = CliRunner().invoke(app, words)
    assert isinstance(done.exception, ConfigError)
    assert "expected 1 to 64 letters" in str(done.exception)
