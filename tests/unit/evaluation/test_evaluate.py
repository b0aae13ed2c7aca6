import csv
import json
import shutil
from pathlib import Path

import pytest
from pyarrow import parquet

from nlpkit.classifiers.classifier import Classifier
from nlpkit.data.examples import LabeledText
from nlpkit.errors import ConfigError, DataError
from nlpkit.evaluation.evaluate import evaluate, report_run
from nlpkit.evaluation.measure_classifier import measure
from nlpkit.reports.report import Report
from nlpkit.reports.sections import Table, Texts
from nlpkit.run import Run
from nlpkit.settings.data import DataSource
from nlpkit.tasks.polarity import Polarity
from tests.conftest import sentences, write_csv


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(tmp_path_factory.mktemp("held") / "seen-never.csv", sentences(80, seed=31))


def test_scores_are_those_of_the_served_predictions(toy_run: Path, held: Path) -> None:
    report = evaluate(Run.open(toy_run), DataSource(source=str(held)))
    answers = Classifier.load(toy_run).predict([text for text, _ in sentences(80, seed=31)])
    right = sum(
        answer.label == label for answer, (_, label) in zip(answers, sentences(80, seed=31), strict=True)
    )
    accuracy = report.scores["accuracy"]
    assert accuracy.value == pytest.approx(right / 80)
    assert accuracy.low <= accuracy.value <= accuracy.high
    assert accuracy.count == 80
    (confusion,) = (section for section in report.sections if section.id == "confusion")
    assert isinstance(confusion, Table)
    assert sum(sum(row[1:]) for row in confusion.rows) == 80


def test_the_report_lies_in_the_run_in_every_form(toy_run: Path, held: Path) -> None:
    evaluate(Run.open(toy_run), DataSource(source=str(held)))
    folder = toy_run / "evaluation"
    name = next(path.name for path in folder.glob("*seen-never.csv.json")).removesuffix(".json")
    report = Report.from_json((folder / f"{name}.json").read_text())
    assert report.run == "toy"
    assert report.versions["transformers"]
    assert [step.step for step in report.curve][-1] > 0
    assert any(step.metrics.get("macro_f1") for step in report.curve)
    assert report.data_card.counts == {"train": 144, "validation": 48, "test": 48}
    assert "# toy on" in (folder / f"{name}.md").read_text()
    rows = parquet.read_table(folder / f"{name}.predictions.parquet").to_pylist()
    assert len(rows) == 80
    assert {"where", "text", "truth", "label", "score", "p_negative", "p_positive"} == set(rows[0])
    page = (folder / f"{name}.html").read_text()
    assert "<svg" in page
    assert "<script" not in page
    assert (toy_run / "README.md").read_text().startswith("---\n")
    assert (
        "seen-never.csv" not in (toy_run / "report.html").read_text()
    )  # the run's own page stays that of its training


def test_d9_the_page_begins_with_one_score_and_its_baseline(toy_run: Path, held: Path) -> None:
    report = evaluate(Run.open(toy_run), DataSource(source=str(held)))
    (headline,) = report.headlines
    assert headline.score == report.scores["accuracy"]
    assert headline.baseline == report.baselines[0].scores["accuracy"]
    assert headline.verdict == "better"
    page = report.to_html()
    assert page.count('<span class="value">') == 1
    for score in report.scores.values():
        assert page.count(f'<th scope="row">{score.title}') == 1  # each in one table, also the headline's
    # Where the machine keeps the data is nobody's business: rows are named by file and number
    assert str(held.parent) not in page
    assert f"{held.name}, row " in page


def test_a_baseline_is_compared_pair_by_pair(toy_run: Path, held: Path) -> None:
    run = Run.open(toy_run)
    report = evaluate(run, DataSource(source=str(held)), baseline=run)
    assert report.baselines[0].name == "toy"
    assert report.baselines[0].tests["macro_f1"].difference == 0


def test_a_baseline_with_other_labels_is_refused(toy_run: Path) -> None:
    run = Run.open(toy_run)
    ours, theirs = Classifier.load(run), Classifier.load(run)
    theirs.model.task = Polarity(labels=("neg", "pos"))
    examples = [
        LabeledText(text="good food", label="positive"),
        LabeledText(text="bad food", label="negative"),
    ]
    with pytest.raises(ConfigError, match="answers with neg, pos; expected negative, positive"):
        measure(run, ours, examples, data="x", baseline=theirs)


def test_no_rows_is_an_error(toy_run: Path) -> None:
    run = Run.open(toy_run)
    with pytest.raises(DataError, match="no rows"):
        measure(run, Classifier.load(run), [], data="empty")


def test_one_class_in_the_truth_leaves_auroc_undefined_and_says_why(toy_run: Path) -> None:
    run = Run.open(toy_run)
    examples = [
        LabeledText(text=text, label=label) for text, label in sentences(40, seed=2) if label == "positive"
    ]
    score = measure(run, Classifier.load(run), examples, data="one").scores["auroc"]
    assert score.value is None
    assert score.undefined


def test_publishing_takes_the_model_and_never_the_texts(
    toy_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import HfApi

    from nlpkit.evaluation.publish import push_run

    seen: dict[str, object] = {}
    monkeypatch.setattr(
        HfApi, "create_repo", lambda self, name, **options: seen.update(options) or f"https://hub/{name}"
    )
    monkeypatch.setattr(HfApi, "upload_folder", lambda self, **options: seen.update(options))
    assert push_run(Run.open(toy_run), "me/mine", private=True) == "https://hub/me/mine"
    assert seen["private"] is True
    from fnmatch import fnmatch

    names = [str(path.relative_to(toy_run)) for path in toy_run.rglob("*")]
    sent = {name for name in names if any(fnmatch(name, pattern) for pattern in seen["allow_patterns"])}
    assert {"README.md", "run.json", "adapter/adapter_model.safetensors", "tokenizer/tokenizer.json"} <= sent
    assert "text_hashes.dat" in names  # S19
    assert "text_hashes.dat" not in sent
    assert not any("evaluation" in name or "report" in name or "log" in name for name in sent)
    assert json.loads((toy_run / "run.json").read_text())["format"] == 2


def flipped(count: int, seed: int) -> list[tuple[str, str]]:
    """Sentences with the wrong label each: a model that reads them right is always wrong."""
    other = {"negative": "positive", "positive": "negative"}
    return [(text, other[label]) for text, label in sentences(count, seed=seed)]


def test_s18_a_run_no_better_than_one_answer_is_called_that_in_every_form(
    toy_run: Path, tmp_path: Path
) -> None:
    run = Run.open(shutil.copytree(toy_run, tmp_path / "toy"))
    examples = [LabeledText(text=text, label=label) for text, label in flipped(60, seed=5)]
    lines: list[str] = []
    report_run(run, {"validation": [], "test": examples}, talk=lines.append)
    warning = "is no better than always answering negative (50.0%)"
    assert any(line.startswith("warning: test: Accuracy ") and warning in line for line in lines)
    assert any("; always answering negative: Accuracy 50.0%" in line for line in lines)
    for page in (run.report, run.card, run.evaluation / "test.md", run.evaluation / "test.json"):
        assert warning in page.read_text().replace("\\", ""), page
    report = Report.from_json((run.evaluation / "test.json").read_text())
    assert report.baselines[-1].name == "always answering negative"
    assert report.baselines[-1].constant
    assert list(report.baselines[-1].scores)[:2] == ["accuracy", "macro_f1"]


def test_s19_rows_that_were_trained_on_are_counted_and_said(
    toy_run: Path, toy_csv: Path, held: Path, tmp_path: Path
) -> None:
    run = Run.open(shutil.copytree(toy_run, tmp_path / "toy"))
    # 144 of the 240 rows were trained on, the others held out
    report = evaluate(run, DataSource(source=str(toy_csv)))
    assert (report.overlap.trained_on, report.overlap.of) == (144, 240)
    warning = "toy was trained on 144 of the 240 texts (60.0%): its scores are too good"
    assert warning in report.warnings
    assert json.loads(report.to_json())["overlap"] == {"trained_on": 144, "of": 240}
    assert warning in report.to_html()
    own = Report.from_json((run.evaluation / "test.json").read_text())
    assert (own.overlap.trained_on, own.overlap.of) == (0, 48)
    assert "toy was trained on none of the 48 texts." in own.summary
    run.text_hashes.unlink()  # as in runs of before
    unknown = evaluate(run, DataSource(source=str(held)), baseline=Run.open(toy_run))
    assert unknown.overlap.trained_on is None
    assert "Whether toy was trained on any of these texts is not known." in unknown.summary


def test_s19_a_baseline_that_was_trained_on_the_rows_is_named_too(
    toy_run: Path, toy_csv: Path, tmp_path: Path
) -> None:
    run = Run.open(shutil.copytree(toy_run, tmp_path / "other"))
    run.text_hashes.unlink()
    report = evaluate(run, DataSource(source=str(toy_csv)), baseline=Run.open(toy_run))
    assert any(warning.startswith("toy was trained on 144 of the 240") for warning in report.warnings)


def test_each_group_has_scores_of_its_own(toy_run: Path, tmp_path: Path) -> None:
    """Of the second group every label is turned around, so that its accuracy is what the other's misses."""
    turned = {"negative": "positive", "positive": "negative"}
    rows = sentences(40, seed=31)
    held = tmp_path / "languages.csv"
    with held.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("text", "label", "language"))
        writer.writerows((text, label, "de") for text, label in rows)
        writer.writerows((text, turned[label], "fr") for text, label in rows)
        writer.writerow((*rows[0], " "))
    report = evaluate(Run.open(toy_run), DataSource(source=str(held), by="language"))
    (path,) = Run.open(toy_run).evaluation.glob("*languages*.predictions.parquet")
    assert parquet.read_table(path).column("group").to_pylist() == ["de"] * 40 + ["fr"] * 40 + ["(empty)"]
    answers = Classifier.load(toy_run).predict([text for text, _ in rows])
    right = sum(answer.label == label for answer, (_, label) in zip(answers, rows, strict=True))
    (groups,) = (section for section in report.sections if section.id == "groups")
    assert isinstance(groups, Table)
    assert [column.name for column in groups.columns[:3]] == ["Group", "Texts", "Accuracy"]
    assert [row[:2] for row in groups.rows] == [("de", 40), ("fr", 40), ("(empty)", 1)]
    assert [row[2].split(" ")[0] for row in groups.rows[:2]] == [f"{right / 40:.1%}", f"{1 - right / 40:.1%}"]


def test_the_report_shows_what_answers_rest_on_and_a_training_once(
    toy_run: Path, held: Path, tmp_path: Path
) -> None:
    run = Run.open(shutil.copytree(toy_run, tmp_path / "toy"))
    report = evaluate(run, DataSource(source=str(held)))
    (explained,) = (section for section in report.sections if section.id == "explained")
    assert isinstance(explained, Texts)
    assert {example.text for example in explained.examples} <= {text for text, _ in sentences(80, seed=31)}
    assert "What answers rest on" in report.to_html()
    examples = [LabeledText(text=text, label=label) for text, label in sentences(10, seed=5)]
    report_run(run, {"validation": examples, "test": examples}, talk=lambda line: None)
    found = {
        part: '"id": "explained"' in (run.evaluation / f"{part}.json").read_text()
        for part in ("validation", "test")
    }
    assert found == {"validation": False, "test": True}


def test_a_group_by_a_column_that_is_not_there_is_an_error(toy_run: Path, held: Path) -> None:
    with pytest.raises(DataError, match="language"):
        evaluate(Run.open(toy_run), DataSource(source=str(held), by="language"))
