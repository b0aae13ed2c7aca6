from pathlib import Path

import pytest

from nlpkit.config import load_config, to_yaml
from nlpkit.errors import ConfigError
from nlpkit.training.recipes import load_recipe

GOOD = """
recipe: sentiment
name: mine
data: {train: [{source: a.csv}]}
"""


def config(tmp_path: Path, text: str, *overrides: str):
    path = tmp_path / "c.yaml"
    path.write_text(text, encoding="utf-8")
    return load_config(path, load_recipe("sentiment").Config, overrides)


def refusal(tmp_path: Path, text: str, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        config(tmp_path, text, *overrides)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_nine_mistakes_come_in_one_message_with_line_key_and_nearest_name(tmp_path: Path) -> None:
    text = """recipe: sentiment
sead: 3
data:
  train:
    - source: a.csv
      txt: review
  validation: 1.5
base: {max_tokens: lots}
lora: {rank: 0, alhpa: 3, init: pisa}
training: {lr: -3e-4, batch_size: 32}
"""
    said = refusal(tmp_path, text, "training.epochs=x")
    assert "10 problems" in said
    for expected in (
        "name: missing",
        "line 2: sead: unknown key; did you mean 'seed'?",
        "line 6: data.train.0.txt: unknown key; did you mean 'text'?",
        "line 7: data.validation:",
        "line 8: base.max_tokens: input should be a valid integer",
        "line 9: lora.rank: input should be greater than or equal to 1, found 0",
        "line 9: lora.alhpa: unknown key; did you mean 'alpha'?",
        "did you mean 'pissa'?",
        "line 10: training.lr: input should be greater than 0, found -0.0003",
        "training.epochs:",
    ):
        assert expected in said


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\na: 2\n", "duplicate key"),
        ("a: &x [1]\nb: *x\n", "aliases"),
        ("a: !!python/object:os.system {}\n", "tags (tag:yaml.org,2002:python/object:os.system) are not"),
        ("!!int ", "tags (tag:yaml.org,2002:int) are not allowed"),
        ("!!bool name: x", "tags (tag:yaml.org,2002:bool) are not allowed"),
        ("? [a]\n: b\n", "not valid YAML 1.2"),
        ("a:\n\t- 1\n", "line 2"),
        ("- 1\n", "expected a mapping of settings, found list"),
        ("", "found NoneType"),
        ("a: [", "not valid YAML"),
        ("a: " + "x" * 1_000_001, "expected a config of at most"),
        ("a: " + "[" * 5000, "nested deeper than 30"),
    ],
)
def test_what_is_no_config_is_refused_in_one_line(tmp_path: Path, text: str, expected: str) -> None:
    said = refusal(tmp_path, text)
    assert expected in said
    assert "Traceback" not in said


def test_a_config_that_is_not_there_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "quickstart.yaml").write_text(GOOD)
    with pytest.raises(ConfigError, match=r"quickstrat.yaml: no such file; did you mean 'quickstart.yaml'"):
        load_config(tmp_path / "quickstrat.yaml", load_recipe("sentiment").Config)


def test_yaml_is_1_2(tmp_path: Path) -> None:
    text = (
        GOOD.replace("{source: a.csv}", "{source: a.csv, labels: {no: off, 1: yes}}")
        + "training: {lr: 3e-4}\n"
    )
    found = config(tmp_path, text)
    assert found.data.train[0].labels == {"no": "off", "1": "yes"}
    assert found.training.lr == 0.0003


def test_overrides_win_and_reach_into_lists(tmp_path: Path) -> None:
    found = config(
        tmp_path, GOOD, "training.lr=1e-3", "data.train.0.text=body", "seeds=[4, 5]", "task.kind=intensity"
    )
    assert (found.training.lr, found.data.train[0].text, found.seeds, found.task.kind) == (
        0.001,
        "body",
        (4, 5),
        "intensity",
    )


def test_an_override_reaches_into_a_file_that_stands_for_a_list(tmp_path: Path) -> None:
    text = GOOD.replace("[{source: a.csv}]", "a.csv")
    assert "train: a.csv" in text
    found = config(tmp_path, text, "data.train.0.source=b.csv", "data.train.0.text=body")
    assert [(each.source, each.text) for each in found.data.train] == [("b.csv", "body")]


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("lr", "expected key=value"),
        ("=3", "expected key=value"),
        ("data.train.7.text=x", "names no place"),
        ("name=[", "not valid YAML"),
        ("name=!!int ", "not valid YAML"),
        ("data.train." + "9" * 5000 + ".text=x", "names no place"),
        ("training.lrr=3", "training.lrr: unknown key; did you mean 'lr'?"),
    ],
)
def test_a_bad_override_is_said(tmp_path: Path, override: str, expected: str) -> None:
    assert expected in refusal(tmp_path, GOOD, override)


def test_the_resolved_config_can_be_run_again(tmp_path: Path) -> None:
    first = config(tmp_path, GOOD, "task={kind: intensity, low: -4, high: 4}", "data.test=0.25")
    assert config(tmp_path, to_yaml(first)) == first


def test_shares_must_leave_rows_to_train_on(tmp_path: Path) -> None:
    assert "must leave rows to train on" in refusal(tmp_path, GOOD, "data.validation=0.6", "data.test=0.5")


def test_a_shipped_config_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nlpkit.training.recipes import find_config

    monkeypatch.chdir(tmp_path)
    assert find_config(Path("quickstart")).name == "quickstart.yaml"
    assert find_config(Path("quickstart.yaml")) == Path("quickstart.yaml")
    Path("quickstart").write_text(GOOD)
    assert find_config(Path("quickstart")) == Path("quickstart")


def test_an_unknown_recipe_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'sentiment'"):
        load_recipe("sentimnet")


@pytest.mark.parametrize(
    "path",
    sorted((Path(__file__).parents[3] / "recipes" / "configs").glob("*.yaml")),
    ids=lambda path: path.name,
)
def test_every_shipped_config_is_valid(path: Path) -> None:
    from nlpkit.config import read_config

    tree, _ = read_config(path)
    assert load_config(path, load_recipe(tree["recipe"]).Config).name
