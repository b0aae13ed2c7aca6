"""How far people agree, from the columns of a file to the data check and the report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import nlpkit
from nlpkit.errors import DataError
from nlpkit.reports.sections import Table
from nlpkit.settings.data import DataSource, LabelSource, NumberSource
from nlpkit.tasks.intensity import Intensity
from nlpkit.tasks.polarity import Polarity
from tests.conftest import sentences

N, P = "negative", "positive"


@pytest.fixture
def rated(tmp_path: Path) -> Path:
    """Ten texts and the answers of three people; of two of them one is empty or differs."""
    path = tmp_path / "rated.jsonl"
    rows = [
        {"text": text, "label": label, "ann": label, "ben": label, "cara": label}
        for text, label in sentences(10, seed=31)
    ]
    rows[0] |= {"cara": ""}
    rows[1] |= {"ben": N}
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_report_shows_one_person_and_the_run_against_the_same_others(toy_run: Path, rated: Path) -> None:
    report = nlpkit.evaluate(toy_run, rated, annotators=["ann", "ben", "cara"])
    (people,) = (section for section in report.sections if section.id == "people")
    assert isinstance(people, Table)
    one, run, alpha = people.rows
    # row 1 is positive, negative, positive: two meet a tie, one meets two others; 29 answers in all
    assert one[1] == pytest.approx((26 + 0.5 + 0.5) / 29)
    texts, labels = zip(*sentences(10, seed=31), strict=True)
    answers = nlpkit.Classifier.load(toy_run).predict(texts)
    right = [answer.label == label for answer, label in zip(answers, labels, strict=True)]
    others = [2, 0.5 + 0.5 + right[1], *[3] * 8]
    expected = sum(
        count if row == 1 else count * hit for row, (count, hit) in enumerate(zip(others, right, strict=True))
    )
    assert run[1] == pytest.approx(expected / 29)
    assert alpha[0] == "Krippendorff's alpha (ordinal)"
    plain = nlpkit.evaluate(toy_run, rated)
    assert "people" not in {section.id for section in plain.sections}


def test_the_check_reports_agreement_of_columns_lists_and_repeated_texts(rated: Path, tmp_path: Path) -> None:
    def found(path: Path, **options: object) -> str:
        report = nlpkit.check(path, **options)  # type: ignore[arg-type]
        return next((item.message for item in report.findings if item.kind == "agreement"), "")

    # 15 answers are negative and 14 positive; the only disagreement is 1 - (4 / 2) / (2 * 15 * 14 / 28)
    expected = "10 texts have the answers of several people: Krippendorff's alpha 0.87 (ordinal); one person"
    assert found(rated, annotators=["ann", "ben", "cara"]) == f"{expected} against the others: 93.1%"
    assert found(rated) == ""
    rows = [json.loads(line) for line in rated.read_text().splitlines()]
    votes = [[row[name] for name in ("ann", "ben", "cara") if row[name]] for row in rows]
    listed, repeated = tmp_path / "listed.jsonl", tmp_path / "repeated.jsonl"
    listed.write_text(
        "".join(json.dumps({**row, "votes": vote}) + "\n" for row, vote in zip(rows, votes, strict=True))
    )
    assert found(listed, annotators=["votes"]) == found(rated, annotators=["ann", "ben", "cara"])
    repeated.write_text(
        "".join(
            json.dumps({"text": row["text"], "label": label}) + "\n"
            for row, vote in zip(rows, votes, strict=True)
            for label in vote
        )
    )
    assert found(repeated) == found(listed, annotators=["votes"])


def test_answers_are_read_as_the_task_calls_them(tmp_path: Path) -> None:
    path = tmp_path / "stars.csv"
    path.write_text('text,label,ann,votes\ngood,5,1,"[1, 5]"\nbad,1,,\n')
    source = LabelSource(source="", annotators=("ann", "votes"), labels={"1": N, "5": P})
    examples = Polarity(labels=(N, P)).read(path, source).examples
    assert [example.annotations for example in examples] == [(N, N, P), ()]
    binned = LabelSource(source="", annotators=("votes",), bins=(3.0,))
    assert Polarity(labels=(N, P)).read(path, binned).examples[0].annotations == (N, P)
    numbers = NumberSource(source="", annotators=("votes",))
    assert Intensity().read(path, numbers).examples[0].annotations == (1.0, 5.0)
    assert DataSource.model_validate({"source": "", "annotators": "votes"}).annotators == ("votes",)


def test_unknown_answers_and_columns_are_refused_with_their_row(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text,label,ann\ngood,positive,fine\n")
    task = Polarity(labels=(N, P))
    with pytest.raises(DataError, match="row 1: column 'ann' holds the label 'fine'"):
        task.read(path, LabelSource(source="", annotators=("ann",)))
    with pytest.raises(DataError, match="no column 'anna'; did you mean 'ann'"):
        task.read(path, LabelSource(source="", annotators=("anna",)))
    path.write_text("text,label,ann\ngood,1,fine\n")
    with pytest.raises(DataError, match="row 1: column 'ann' holds 'fine'; expected a number"):
        Intensity().read(path, NumberSource(source="", annotators=("ann",)))
