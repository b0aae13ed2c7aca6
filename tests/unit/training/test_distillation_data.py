from pathlib import Path

import pytest
from pydantic import ValidationError

from nlpkit.errors import DataError
from nlpkit.tasks.polarity import Polarity
from nlpkit.training.distillation_data import DistillationData, load_distillation_rows
from nlpkit.training.unlabeled_texts import SPANS, TextSource, sentences
from tests.conftest import write_csv

TWO = Polarity(labels=("negative", "positive"))


def write(path: Path, texts: list[str]) -> str:
    return str(write_csv(path, [(text, "unread") for text in texts], header=("text", "stars")))


@pytest.fixture
def held(tmp_path: Path) -> str:
    return str(
        write_csv(
            tmp_path / "held.csv",
            [("a gripping tale of love and loss", "positive"), ("dull as dust", "negative")],
        )
    )


def distill_from(texts: object, **parts: object) -> DistillationData:
    return DistillationData(unlabelled=texts, **parts)  # an old name


def test_sentences_end_at_signs_before_capitals_and_at_paragraphs() -> None:
    text = (
        'It was fine. Mr. Smith, aged 3.5, slept! "Why?" she asked... and left\n'
        "No end here\n\n(Really.) 10 out of 10."
    )
    assert sentences(text) == [
        "It was fine.",
        "Mr.",
        "Smith, aged 3.5, slept!",
        '"Why?" she asked... and left',
        "No end here",
        "(Really.",
        "10 out of 10.",
    ]
    assert sentences(" \n ") == []


def test_texts_of_the_asked_length_are_drawn_by_the_seed(tmp_path: Path, held: str) -> None:
    source = write(
        tmp_path / "long.csv",
        ["One two three. Four five. Six seven eight nine ten.", "Eleven twelve thirteen fourteen"],
    )

    def texts(seed: int = 1, **asked: object) -> tuple[str, ...]:
        data = distill_from((TextSource(source=source, **asked),), validation=held)
        return load_distillation_rows(TWO, data, seed=seed).unlabeled.texts

    assert texts(cut="sentences", words=(3, 4)) == ("One two three.", "Eleven twelve thirteen fourteen")
    assert len(texts()) == 2
    drawn = {texts(seed, cut="sentences", limit=2) for seed in range(8)}
    assert {len(one) for one in drawn} == {2}
    assert len(drawn) > 1
    assert texts(3, cut="sentences", limit=2) == texts(3, cut="sentences", limit=2)


def test_spans_are_shorter_runs_of_a_texts_words_drawn_by_the_seed(tmp_path: Path, held: str) -> None:
    long = " ".join(map(str, range(20)))
    source = write(tmp_path / "long.csv", [long, "one two three"])

    def texts(seed: int = 1) -> tuple[str, ...]:
        data = distill_from((TextSource(source=source, cut="spans", words=(3, 9)),), validation=held)
        return load_distillation_rows(TWO, data, seed=seed).unlabeled.texts

    found = texts()
    assert 1 < len(found) <= SPANS
    assert all(
        f" {span} " in f" {long} " and 3 <= len(span.split()) <= 9 for span in found
    )  # the short text has no part of three words
    assert texts() == found != texts(2)


def test_what_is_held_out_and_what_is_repeated_is_dropped_and_counted(tmp_path: Path, held: str) -> None:
    source = write(
        tmp_path / "texts.csv",
        [
            "A gripping tale, of love and loss!",
            "a truly gripping tale of love and loss",
            "dull as dust",
            "a film",
            "A film.",
            "known",
            "new",
        ],
    )
    train = str(write_csv(tmp_path / "train.csv", [("Known", "positive"), ("other", "negative")]))
    data = distill_from(source, train=train, validation=held)
    found = load_distillation_rows(TWO, data, seed=1)
    # "a truly gripping ...": 5 of 8 word pairs are shared with the held-out text
    assert found.unlabeled.texts == ("a film", "new")
    assert (found.unlabeled.dropped, found.unlabeled.repeated) == (3, 2)
    assert found.texts == ["Known", "other", "a film", "new"]
    strict = load_distillation_rows(TWO, data.model_copy(update={"near_held_out": 0.9}), seed=1)
    assert strict.unlabeled.texts == ("a truly gripping tale of love and loss", "a film", "new")


def test_nothing_left_to_learn_from_is_refused(tmp_path: Path, held: str) -> None:
    def load(texts: list[str], **asked: object) -> None:
        source = write(tmp_path / "t.csv", texts)
        load_distillation_rows(
            TWO, distill_from((TextSource(source=source, **asked),), validation=held), seed=1
        )

    with pytest.raises(DataError, match="all 1 texts are equal or near-equal to held-out rows"):
        load(["Dull as dust!"])
    with pytest.raises(DataError, match="none of its 2 texts of 5 to 9 words can be used"):
        load(["too short", "this too"], words=(5, 9))
    write_csv(tmp_path / "other.csv", [("a", "b")], header=("review", "stars"))
    with pytest.raises(DataError, match="no column 'text'"):
        load_distillation_rows(TWO, distill_from(str(tmp_path / "other.csv"), validation=held), seed=1)
    train = str(write_csv(tmp_path / "train.csv", [("one", "positive"), ("two", "negative")]))
    with pytest.raises(DataError, match="all 2 texts stand among the labeled ones"):
        load_distillation_rows(
            TWO,
            distill_from(write(tmp_path / "t.csv", ["One", "two"]), train=train, validation=held),
            seed=1,
        )


def test_shares_need_labeled_rows_and_leave_some() -> None:
    for asked in ({}, {"validation": 0.1}, {"validation": "held.csv", "test": 0.1}):
        with pytest.raises(ValidationError, match="without labeled rows in `train`"):
            distill_from("texts.csv", **asked)
    with pytest.raises(ValidationError, match="must leave rows to train on"):
        distill_from("texts.csv", train="train.csv", validation=0.5, test=0.6)
