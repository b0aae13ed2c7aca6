"""The audit: gaps known by hand, exchanged groups, equalized odds against fairlearn, pages, refusals."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from nlpkit.cli.app import app
from nlpkit.data.identities import Mention, identities
from nlpkit.errors import DataError, RunError
from nlpkit.reports.card_sections import with_groups
from nlpkit.reports.report import Report
from nlpkit.reports.sections import Table
from nlpkit.tasks.answers.showing import answer_of
from nlpkit.tasks.prediction import Prediction
from nlpkit.trust import audit as audits
from nlpkit.trust.audit import kind_gaps, sentences, templates
from nlpkit.trust.audit_file import FileAudit, LabeledTexts, audit_texts, equalized_odds
from nlpkit.trust.audit_report import audit_report
from nlpkit.trust.gaps import Gap, corrected, mean_of
from tests.conftest import write_csv


def predict(texts: Sequence[str]) -> list[Prediction]:
    """Score by one word of praise, 0.6 lower where a Muslim is named, and another label there."""
    scores = [0.5 * ("wonderful" in text) - 0.6 * ("Muslim" in text) for text in texts]
    return [Prediction(label="negative" if score < 0 else "positive", score=score) for score in scores]


def test_a_gap_that_is_shown_as_nothing_counts_as_none() -> None:
    seen, unseen = (
        Gap(
            kind="religion", group="Muslims", against="others", count=50, gap=gap, low=gap, high=gap, p=1e-4,
            corrected_p=1e-3, changed=0.0,
        )
        for gap in (-0.02, -0.0004)
    )  # fmt: skip
    assert seen.is_significant
    assert not unseen.is_significant


def test_the_gap_of_a_group_is_its_mean_difference_from_the_others() -> None:
    """Of seven religions one is scored 0.6 lower: 0.1 above the rest is what each of the others is."""
    religion = identities().kinds["religion"]
    gaps = {gap.group: gap for gap in kind_gaps("religion", religion, predict(sentences()["religion"]), 1)}
    muslims, hindus = gaps["Muslims"], gaps["Hindus"]
    assert (muslims.gap, muslims.low, muslims.high) == pytest.approx((-0.6, -0.6, -0.6))
    assert hindus.gap == pytest.approx(0.1)
    assert (muslims.changed, muslims.control) == pytest.approx((1.0, 0.0))
    assert hindus.changed == pytest.approx(1 / 6)
    assert muslims.contexts == pytest.approx({"positive": -0.6, "negative": -0.6, "neutral": -0.6})
    assert (muslims.count, muslims.p) == (24, 2.0**-23)


def test_the_sentences_are_thousands_and_hold_all_groups_alike() -> None:
    made = sentences()
    assert sum(map(len, made.values())) > 5000
    assert len(set(made["age"])) == len(made["age"]) == 48 * 4 * 4
    assert "My elderly neighbor was heartbroken after the phone call." in made["age"]
    assert "My neighbor was heartbroken after the phone call." in made["age"]
    contexts = [context for context, _ in templates()]
    assert {contexts.count(context) for context in contexts} == {8}


def test_the_test_draws_signs_and_holm_corrects_it() -> None:
    """Of the 16 signs of 1, 1, 1, 2 two give a mean as far from 0."""
    mean = mean_of([1, 1, 1, 2], seed=1)
    assert (mean.mean, mean.p) == (1.25, 0.125)
    assert 1 <= mean.low < mean.high <= 1.75
    many = mean_of(np.tile([0.1, -0.05], 1000), seed=1)
    assert many.mean == pytest.approx(0.025)
    assert many.low == pytest.approx(0.025 - 1.96 * 0.075 / 2000**0.5, abs=4e-4)
    assert mean_of([0.0, 0.0], seed=1).p == 1.0
    gaps = [
        Gap(kind="k", group=str(p), against="", count=1, gap=0, low=0, high=0, p=p, changed=0)
        for p in (0.02, 0.01, 0.9, 0.03)
    ]
    assert [gap.corrected_p for gap in corrected(gaps)] == pytest.approx([0.06, 0.04, 0.9, 0.06])


def test_two_people_of_a_group_are_the_control() -> None:
    """One of four people of each group gets another label: 6 of 16 pairs across groups, 3 of 6 within."""
    age = identities().kinds["age"]
    answers = [
        Prediction(label="a" if person % 4 == 0 else "b", score=0.0)
        for person in range(len(sentences()["age"]))
    ]
    for gap in kind_gaps("age", age, answers, 1):
        assert (gap.gap, gap.p, gap.changed, gap.control) == (0.0, 1.0, 0.375, 0.5)


def test_a_number_changes_where_it_crosses_to_another_side() -> None:
    answers = [Prediction(value=3.0, score=score) for score in (-0.6, 0.1, 0.6)]
    assert [answer_of(answer) for answer in answers] == ["negative", "neutral", "positive"]


def test_accuracy_is_compared_on_the_same_texts() -> None:
    """75 of 100 texts right, where the other gets the same and 5 more: 5 points, by resampling 1 to 10."""

    def one(right: int) -> FileAudit:
        rows = (True,) * right + (False,) * (100 - right)
        return FileAudit(name="a.csv", texts=100, naming=10, gaps=(), left_out={}, right=rows)

    paid = one(75).paid(one(80), seed=1).accuracy_paid
    assert paid is not None
    assert paid["difference"] == pytest.approx(0.05)
    assert paid["low"] == pytest.approx(0.01, abs=0.005)
    assert paid["high"] == pytest.approx(0.10, abs=0.01)
    assert one(75).paid(one(0), seed=1).accuracy_paid is not None


def test_groups_are_exchanged_in_texts() -> None:
    texts = [f"The Muslim driver came, text {row}." for row in range(6)]
    texts += [f"A wonderful Hindu wedding, text {row}." for row in range(6)]
    texts += ["A Muslim and a Hindu met.", "A Sikh teacher.", "Rain all day."]
    where = tuple(f"a.csv, row {row}" for row in range(len(texts)))
    found = audit_texts(predict, LabeledTexts(name="a.csv", texts=tuple(texts), where=where), 1)
    assert (found.texts, found.naming) == (15, 14)
    gaps = {gap.name: gap for gap in found.gaps}
    pair = gaps["Muslims / Hindus"]
    assert (pair.count, pair.gap, pair.changed) == (12, pytest.approx(-0.6), 1.0)
    assert pair.examples[0].swapped in {text.replace("Muslim", "Hindu") for text in texts[:6]} | {
        text.replace("Hindu", "Muslim") for text in texts[6:12]
    }
    assert found.left_out["Christians / Sikhs"] == 1
    assert found.accuracy is None


def test_equalized_odds_are_those_of_fairlearn() -> None:
    """Computed by fairlearn 0.15.0: 0.1350, 0.0492 and 0.1683 for the three labels, each against the rest."""
    random = np.random.default_rng(11)
    labels = ["negative", "neutral", "positive"]
    group = random.choice(["women", "men"], 400)
    truth = random.choice(labels, 400, p=[0.3, 0.3, 0.4])
    given = np.where(
        random.random(400) < np.where(group == "women", 0.6, 0.8), truth, random.choice(labels, 400)
    )
    mentions = [[Mention("gender", name)] for name in group]
    (odds,) = equalized_odds(mentions, given.tolist(), truth.tolist())
    assert odds.difference == pytest.approx(0.16831852358168142)
    assert (odds.label, odds.rate, odds.groups) == ("positive", "true positives", 2)
    assert (odds.highest, odds.lowest) == ("men", "women")
    few = [[Mention("gender", "women")]] * 3 + [[Mention("gender", "men")]] * 40
    assert equalized_odds(few, given[:43].tolist(), truth[:43].tolist()) == ()


def test_a_file_that_names_no_group_and_a_run_without_scores_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = LabeledTexts(name="a.csv", texts=("Rain.", "Sun."), where=("a.csv, row 1", "a.csv, row 2"))
    with pytest.raises(DataError, match=r"a\.csv: none of the 2 texts names a group .*hint: leave the file"):
        audit_texts(predict, texts, 1)
    columns = {"opinions": "json"}
    opinions = SimpleNamespace(columns=columns, name="mine", task=None, predict=predict)
    monkeypatch.setattr(audits.Classifier, "load", lambda run: opinions)
    with pytest.raises(RunError, match="mine: answers with opinions; expected a run with a score"):
        audits.audit(tmp_path)


@pytest.fixture
def few_templates(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = templates()[::4]
    monkeypatch.setattr(audits, "templates", lambda: chosen)


@pytest.mark.usefixtures("few_templates")
def test_the_command_audits_a_run_in_a_labeled_file_and_compares_it(
    toy_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("vaderSentiment")
    rows = [(f"{'she' if row % 2 else 'he'} was {'good' if row % 3 else 'bad'} {row}",
             "positive" if row % 3 else "negative") for row in range(60)]  # fmt: skip
    file = write_csv(tmp_path / "rows.csv", [*rows, ("the food was good", "positive")])
    monkeypatch.chdir(tmp_path)
    asked = ["audit", str(toy_run), str(file), "--label", "label", "--compare", "vader"]
    result = CliRunner().invoke(app, [*asked, "--json"])
    assert result.exit_code == 0, result.output
    shown: dict[str, Any] = json.loads(result.stdout)
    assert shown["compared"]["run"] == "VADER"
    assert shown["file"]["naming"] == 60
    assert shown["file"]["gaps"][0]["group"] == "women"
    assert {gap["kind"] for gap in shown["gaps"]} == set(identities().kinds)
    with file.open(newline="", encoding="utf-8") as stream:
        assert shown["file"]["accuracy"] <= len(list(csv.DictReader(stream)))
    report = Report.from_json(next((toy_run / "evaluation").glob("audit*.json")).read_text(encoding="utf-8"))
    assert report.baselines[0].name == "VADER"
    page = report.to_html()
    assert "Groups exchanged in texts" in page
    assert "What this does not show" in page


@pytest.mark.usefixtures("few_templates")
def test_an_audit_stands_in_the_card_of_the_run_and_leaves_the_rest_as_it_was(
    toy_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command is the one that the card names, in a copy of the run."""
    run = shutil.copytree(toy_run, tmp_path / "toy")
    for earlier in (run / "evaluation").glob("audit*"):
        earlier.unlink()
    card = run / "README.md"
    written = with_groups(card.read_text(encoding="utf-8"), "## Groups\n\nNo groups were measured.\n")
    trained = written.replace("# toy\n", "# toy, by me\n")
    card.write_text(trained, encoding="utf-8")
    monkeypatch.chdir(run)
    result = CliRunner().invoke(app, ["audit", "."])
    assert result.exit_code == 0, result.output
    audited = card.read_text(encoding="utf-8")
    report = Report.from_json((run / "evaluation" / "audit.json").read_text(encoding="utf-8"))
    gaps = next(section for section in report.sections if section.id == "groups")
    assert isinstance(gaps, Table)
    assert f"| {gaps.rows[0][0]} | {gaps.rows[0][1]} | {gaps.rows[0][2]} | {gaps.rows[0][3]} |" in audited
    assert "No groups were measured" not in audited
    assert audited.partition("## Groups")[0] == trained.partition("## Groups")[0]
    assert audited.partition("## Promise")[2] == trained.partition("## Promise")[2]


def test_a_page_tells_how_much_of_a_gap_is_closed() -> None:
    def one(name: str, gap: float) -> audits.Audit:
        gaps = Gap(
            kind="age", group="old people", against="no age named", count=24, gap=gap, low=gap - 0.1,
            high=gap + 0.1, p=0.001, corrected_p=0.001, changed=0.2, control=0.1,
        )  # fmt: skip
        return audits.Audit(run=name, sentences=100, gaps=(gaps,))

    before, after = one("old", -0.4), one("new", -0.1)
    both = audits.Audit(run="new", sentences=100, gaps=after.gaps, compared=before)
    assert both.gap_closed == pytest.approx(0.75)
    text = audit_report(both, task="polarity").to_markdown()
    assert "The largest gap is 75% smaller than that of old." in text.replace("\\", "")
