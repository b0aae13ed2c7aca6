"""Searches, folds and curves of the tiny model, from the config to the page."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from nlpkit.errors import ConfigError
from nlpkit.metrics.score import Score
from nlpkit.reports.report import Report
from nlpkit.run import Run
from nlpkit.search.folds import cross_validate
from nlpkit.search.learning_curve import learning_curve
from nlpkit.search.rows import nested
from nlpkit.search.search import hyperparameter_search
from nlpkit.search.search_page import optimism
from nlpkit.training.train import read_training
from tests.outputs import has_shape, output

SEARCH = {
    "trials": 3,
    "space": {"training.lr": {"low": 1e-3, "high": 1e30, "log": True}, "lora.rank": [4, 2]},
}
FEW = {"training.epochs": 2, "training.evaluations": 2}


def report_in(folder: Path) -> Report:
    return Report.from_json((folder / "report.json").read_text(encoding="utf-8"))


def test_a_search_trains_the_best_setting_and_reports_it_on_rows_that_no_trial_saw(
    toy_config: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    given = {"output": str(tmp_path), "search": SEARCH, **FEW}
    (run,) = hyperparameter_search(toy_config, talk=said.append, **given)
    assert [line.partition(":")[0] for line in said if line.startswith("trial ")] == [
        "trial 1 of 3", "trial 2 of 3", "trial 3 of 3",
    ]  # fmt: skip
    shown = output("docs/search.md", 0).partition(" training.epochs")[0]
    assert has_shape("\n".join(said), f"{shown}..."), said
    report = report_in(tmp_path / "toy-search")
    assert report.scores["macro_f1"].count == 48
    assert {"searched", "optimism"} <= report.scores.keys()
    trials = next(section for section in report.sections if section.id == "trials")
    assert trials.kind == "table"
    assert trials.rows[0][-2:] == ("0.01", "4")  # the config's own come first
    assert sorted(path.name for path in (tmp_path / "toy-search").iterdir()) == [
        "report.html", "report.json", "report.md", "study.sqlite",
    ]  # fmt: skip
    config = Run.open(run.path).config.read_text(encoding="utf-8")
    assert "search:" not in config
    # Again: nothing is trained
    said.clear()
    assert hyperparameter_search(toy_config, talk=said.append, **given) == [run]
    assert said[-1] == f"{run.path}: trained already"
    with pytest.raises(ConfigError, match="a search with another space or other settings is there"):
        hyperparameter_search(toy_config, **{**given, "training.epochs": 3})
    shutil.rmtree(tmp_path / "toy-search")
    with pytest.raises(ConfigError, match="a finished run is there"):
        hyperparameter_search(toy_config, **given)


def test_the_optimism_is_the_difference_with_an_interval_of_both() -> None:
    """0.9 ± 0.03 and 0.85 ± 0.04 on other rows: 0.05 ± 0.05."""
    searched = Score(value=0.9, low=0.87, high=0.93, count=50)
    reported = Score(value=0.85, low=0.81, high=0.89, count=80)
    found = optimism(searched, reported)
    assert (found.value, found.low, found.high) == (
        pytest.approx(0.05), pytest.approx(0.0), pytest.approx(0.1),
    )  # fmt: skip
    error = optimism(searched, reported.model_copy(update={"higher_is_better": False}))
    assert error.value == pytest.approx(-0.05)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"validation": 0.1, "test": 0.3}, {}),
        ({"validation": 0.1}, {"data.test": 0.2}),
        ({"validation": "held.csv"}, {"data.test": [{"source": "held.csv"}], "data.validation": 0.1}),
        ({"validation": "held.csv", "test": "test.csv"}, {}),
    ],
)
def test_the_reported_rows_are_never_chosen_on(data: dict[str, object], expected: dict[str, object]) -> None:
    tree = {"recipe": "sentiment", "name": "toy", "data": {"train": "train.csv", **data}}
    assert nested(read_training(tree).settings(), 0.2) == expected


def test_without_rows_to_choose_on_there_is_no_search(toy_config: Path) -> None:
    with pytest.raises(ConfigError, match=r"data.validation: no rows by which trials are compared"):
        hyperparameter_search(toy_config, data={"validation": 0.0}, search=SEARCH)


def test_the_command_refuses_sizes_that_are_no_numbers(
    toy_config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from nlpkit.cli.app import main

    monkeypatch.setattr("sys.argv", ["nlpkit", "learning-curve", str(toy_config), "--sizes", "100,ten"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "--sizes: 'ten'; expected whole numbers or all" in capsys.readouterr().err


def test_folds_predict_each_row_once_and_leave_a_page(toy_config: Path, tmp_path: Path) -> None:
    said: list[str] = []
    report = cross_validate(toy_config, 2, output=str(tmp_path), talk=said.append, **FEW)
    assert report is not None
    assert report.scores["macro_f1"].count == 240
    assert report_in(tmp_path / "toy-folds") == report
    assert sorted(path.name for path in (tmp_path / "toy-folds").iterdir()) == [
        "report.html", "report.json", "report.md",
    ]  # fmt: skip
    assert cross_validate(toy_config, 2, output=str(tmp_path), talk=said.append, **FEW) == report
    assert said[-1] == f"{tmp_path / 'toy-folds'}: measured already"
    with pytest.raises(ConfigError, match="a report of other settings is there; hint: --overwrite"):
        cross_validate(toy_config, 3, output=str(tmp_path), **FEW)


def test_a_curve_says_what_more_labels_would_bring(toy_config: Path, tmp_path: Path) -> None:
    report = learning_curve(
        toy_config, [40, 80, "all"], draws=1, output=str(tmp_path), talk=lambda line: None, **FEW
    )
    assert report is not None
    table = next(section for section in report.sections if section.id == "sizes")
    assert table.kind == "table"
    assert [row[0] for row in table.rows] == ["40", "80", "192"]  # 48 of 240 are test rows
    assert report.scores["score"].count == 48
    assert "Twice as many (384) would bring" in report.summary[1]
    page = (tmp_path / "toy-curve" / "report.html").read_text(encoding="utf-8")
    assert "What twice as many labels would bring" in page
    assert json.loads((tmp_path / "toy-curve" / "report.json").read_text())["data"] == (
        "1 draw of 40, 80, 192 labels"
    )


def test_folds_of_conversations_are_refused(chat_config: Path) -> None:
    with pytest.raises(ConfigError, match="folds are for classifiers of labeled rows"):
        cross_validate(chat_config, 2)
