"""Recipes of the user's own: a file anywhere, loaded or refused with one sentence."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from nlpkit.errors import ConfigError
from nlpkit.reports.report import Report
from nlpkit.run import Run
from nlpkit.training.recipes import find_config, load_recipe
from nlpkit.training.train import train_seeds

GUIDE = Path(__file__).parents[3] / "docs" / "training.md"


def example(language: str) -> str:
    """Return the example of a recipe in the guide."""
    section = GUIDE.read_text(encoding="utf-8").partition("## A recipe of your own")[2]
    return section.partition(f"```{language}\n")[2].partition("```")[0]


def write(path: Path, code: str) -> Path:
    path.write_text(code, encoding="utf-8")
    return path


def test_the_guides_recipe_trains_a_run(tmp_path: Path, tiny_base: Path, toy_csv: Path) -> None:
    write(tmp_path / "mine.py", example("python"))
    config = write(tmp_path / "mine.yaml", example("yaml"))
    lines: list[str] = []
    given = [f"data.train.0.source={toy_csv}", f"base.source={tiny_base}", f"output={tmp_path / 'runs'}"]
    (run,) = train_seeds(config, given=[*given, "training.max_steps=4"], talk=lines.append)
    assert run.is_completed
    assert Run.open(run.path).read().recipe == str(tmp_path / "mine.py")
    assert run.report.is_file()


def test_the_shipped_configs_are_found_by_name() -> None:
    assert find_config(Path("quickstart")).name == "quickstart.yaml"
    with pytest.raises(ConfigError, match="no shipped config; did you mean 'quickstart'"):
        find_config(Path("quickstrat"))


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("raise ValueError('no luck')", "raises ValueError when it is loaded: no luck"),
        ("def train(:", "line 1: raises SyntaxError when it is loaded"),
        ("def train(config, options): return []", "a recipe needs `Config`, a pydantic model"),
        (
            "from nlpkit.settings import Settings\nclass Config(Settings):\n    name: str\n",
            "`Config` lacks the fields output, seed",
        ),
        (
            "from nlpkit.settings import RunSettings as Config\ndef train(config): return []",
            "a recipe needs `train.config, options.`",
        ),
        ("from nlpkit.settings import RunSettings as Config", "a recipe needs `train.config, options.`"),
    ],
)
def test_a_file_that_is_no_recipe_is_refused(tmp_path: Path, code: str, message: str) -> None:
    path = write(tmp_path / "mine.py", code)
    with pytest.raises(ConfigError, match=message) as caught:
        load_recipe("./mine.py", folder=tmp_path)
    assert str(path) in str(caught.value)


def test_a_missing_recipe_gives_the_nearest_file(tmp_path: Path) -> None:
    write(tmp_path / "mine.py", "")
    with pytest.raises(ConfigError, match=r"mien.py: no such file; did you mean './mine.py'"):
        load_recipe("./mien.py", folder=tmp_path)


def test_a_changed_recipe_is_loaded_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)  # as it is for users
    code = (
        "from nlpkit.settings import RunSettings as Config\nWORD = {0}\ndef train(config, options): return []"
    )
    write(tmp_path / "mine.py", code.replace("{0}", "1"))
    assert load_recipe("./mine.py", folder=tmp_path).WORD == 1
    write(tmp_path / "mine.py", code.replace("{0}", "2"))
    assert load_recipe("./mine.py", folder=tmp_path).WORD == 2


METRIC = '''
def share_positive(predictions, references):
    """Share of texts that are read as positive."""
    return float((predictions == "positive").mean())


share_positive.percent = True
share_positive.higher_is_better = None
'''


def test_an_own_metric_stands_in_the_report(tmp_path: Path, toy_config: Path) -> None:
    write(toy_config.parent / "mine.py", METRIC)
    given = [f"output={tmp_path}", "training.max_steps=4", "metrics=['./mine.py:share_positive']"]
    (run,) = train_seeds(toy_config, given=given, talk=lambda line: None)
    report = Report.from_json((run.evaluation / "test.json").read_text(encoding="utf-8"))
    score = report.scores["share_positive"]
    assert score.title == "share_positive"
    assert score.value is not None
    assert 0 <= score.value <= 1
    assert next(iter(report.scores)) == "accuracy"


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("./mine.py:share_postive", "has no function 'share_postive'; did you mean 'share_positive'"),
        ("./mine.py", "expected a file and a function in it, such as ./mine.py:name"),
        ("./none.py:share", "none.py: no such file"),
        ("./mine.py:accuracy", "metric 'accuracy': there is another of that name"),
    ],
)
def test_a_metric_that_cannot_be_used_is_refused_before_anything_is_read(
    tmp_path: Path, toy_config: Path, named: str, message: str
) -> None:
    write(toy_config.parent / "mine.py", METRIC + "\n\ndef accuracy(predictions, references): return 1.0\n")
    with pytest.raises(ConfigError) as caught:
        train_seeds(toy_config, given=[f"output={tmp_path}", f"metrics=['{named}']"], talk=lambda line: None)
    assert message in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_tracker_that_is_not_installed_is_refused_before_anything_is_written(
    tmp_path: Path, toy_config: Path
) -> None:
    with pytest.raises(ConfigError, match=r"training\.track: 'wandb' needs the package 'wandb'"):
        train_seeds(toy_config, given=[f"output={tmp_path}", "training.track=[wandb]"], check=True)
    with pytest.raises(ConfigError, match="did you mean 'wandb'"):
        train_seeds(toy_config, given=[f"output={tmp_path}", "training.track=[wandbb]"], check=True)
    assert list(tmp_path.iterdir()) == []
