"""The reference that `make docs` makes: complete, and read from the code."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from nlpkit.metrics import calibration, label_sets, labels, opinions, outside, ranking, replies, values

ROOT = Path(__file__).parents[2]
SITE = ROOT / "docs" / "site"


@pytest.fixture(scope="module")
def site() -> Any:
    sys.path.insert(0, str(SITE))
    try:
        import command_reference
        import error_reference
        import settings_reference
    finally:
        sys.path.remove(str(SITE))
    return command_reference, error_reference, settings_reference


def test_the_page_of_metrics_names_every_metric_and_no_other() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    listed = {
        name
        for row in re.findall(r"^\| (`[^|]+`) \|", page, re.MULTILINE)
        for name in re.findall(r"`([^`]+)`", row)
    }
    metrics: list[Any] = [
        *labels.LABEL_METRICS,
        labels.WEIGHTED_F1,
        calibration.EQUAL_MASS_ERROR,
        *outside.OUTSIDE_METRICS,
        *label_sets.LABEL_SET_METRICS,
        *values.VALUE_METRICS,
        *opinions.OPINION_METRICS,
        *opinions.TERM_METRICS,
        *replies.REPLY_METRICS,
        *ranking.RANKING_METRICS,
        ranking.TOKEN_LOSS,
    ]
    assert listed == {metric.name for metric in metrics}
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| `")]
    assert all(len(row) == 3 and all(cell.strip(" |") for cell in row) for row in rows)


def test_a_metric_that_may_be_undefined_says_when() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8").partition("## Several labels")[0]
    never = set(re.findall(r"^\| `(\w+)` \|.*\| never \|$", page, re.MULTILINE))
    always: set[str] = {
        metric.name
        for metric in (*labels.LABEL_METRICS, labels.WEIGHTED_F1, calibration.EQUAL_MASS_ERROR)
        if metric.undefined.__name__ == "_defined"
    }
    assert never == always


def test_every_key_of_every_recipe_has_a_sentence(site: Any) -> None:
    keys = site[2].collect()
    assert len(keys) > 300
    assert [name for name, key in keys.items() if not key.sentences] == []
    lr = keys["training.lr"]
    assert lr.sentences == ["the highest learning rate"]
    assert lr.kinds == ["a number above 0"]
    assert "sentiment" in lr.defaults["0.0005"]
    assert site[2].problem_of(lr) == "training.lr: input should be greater than 0, found -1 (int)"


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 1}, "a whole number at least 1"),
        ({"type": "number", "minimum": 0, "exclusiveMaximum": 1}, "a number at least 0, below 1"),
        ({"enum": ["a", "b"]}, "`a`, `b`"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "text"),
        ({"type": "array", "items": {"type": "string"}}, "a list of: text"),
        ({"$ref": "#/$defs/Lora"}, "the keys below it"),
    ],
)
def test_a_type_in_words(site: Any, schema: dict[str, Any], words: str) -> None:
    assert site[2].describe(schema) == words


def test_every_command_is_listed_with_its_options(site: Any) -> None:
    page = site[0].page()
    for words in ("train", "score", "sources fetch", "label next"):
        assert f"### `nlpkit {words}`" in page
    score = page.partition("### `nlpkit score`")[2].partition("###")[0]
    assert "| `-o`, `--output` |" in score
    assert "--text-column" not in score  # hidden


def test_an_error_becomes_a_message_and_its_hint(site: Any) -> None:
    source = """
class OwnError(DataError): ...
def f(path, count):
    raise OwnError(f"{path}: {count + 1} rows; expected "
        f"at most {MAX_ROWS}; hint: --limit {MAX_ROWS}")
    raise ConfigError(f"{name!r} is unknown{nearest(name, known)}")
    raise ConfigError(reason)
    raise ValueError("not one that a user can fix")
"""
    tree = ast.parse(source)
    parents = {"DataError": "NlpkitError", "ConfigError": "NlpkitError", "OwnError": "DataError"}
    first, second = site[1]._messages(tree, "nlpkit/x.py", parents)
    assert first.text == "{path}: {...} rows; expected at most {max_rows}"
    assert first.hint == "--limit {max_rows}"
    assert (first.error, first.exit_code, first.line) == ("OwnError", 3, 4)
    assert (second.text, second.hint) == ("{name} is unknown; did you mean {the nearest name}?", "")
    assert second.exit_code == 2


def test_the_exit_codes_of_the_catalog_are_those_of_the_errors(site: Any) -> None:
    from nlpkit import errors

    raised = {
        name: error.exit_code
        for name, error in vars(errors).items()
        if isinstance(error, type) and issubclass(error, errors.NlpkitError) and error.exit_code != 1
    }
    assert raised == site[1].EXIT_CODES
