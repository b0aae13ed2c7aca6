"""Suites: their halves, their expansion, and what is counted of a model's answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from nlpkit.errors import DataError, RunError
from nlpkit.evaluation.behavior import SUITES, Case, Suite, load_suite, run_suite
from nlpkit.tasks.prediction import Prediction

LABELS = {"negative", "neutral", "positive"}


def answering(
    rule: Callable[[str], tuple[str | None, float | None]],
) -> Callable[[Sequence[str]], list[Prediction]]:
    """A predict function that follows the rule: text -> label and score."""
    return lambda texts: [Prediction(label=rule(text)[0], score=rule(text)[1]) for text in texts]


def write(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "own.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", SUITES)
@pytest.mark.parametrize("half", ["dev", "report"])
def test_a_shipped_half_is_large_enough_and_says_each_sentence_once(name: str, half: str) -> None:
    suite = load_suite(name, half=half)  # type: ignore[arg-type]
    texts = [case.text for case in suite.cases]
    assert len(set(texts)) == len(texts) >= 100
    assert all("{" not in text and text == text.strip() for text in texts)
    assert {label for case in suite.cases for label in case.expect} <= LABELS


@pytest.mark.parametrize("name", SUITES)
def test_the_halves_share_no_template_no_sentence_and_no_group(name: str) -> None:
    dev, report = load_suite(name, half="dev").cases, load_suite(name, half="report").cases
    assert not {case.template for case in dev} & {case.template for case in report}
    assert not {case.text for case in dev} & {case.text for case in report}
    assert not {case.group for case in dev if case.group} & {case.group for case in report if case.group}
    assert len(load_suite(name, half=None).cases) == len(dev) + len(report)


def test_each_template_of_the_groups_suite_meets_each_group_of_its_half() -> None:
    cases = load_suite("named-groups").cases
    templates, groups = {case.template for case in cases}, {case.group for case in cases}
    assert len(cases) == len(templates) * len(groups)
    assert {"Jewish", "blind", "lesbian"} <= {group for group in groups if group}


def test_slots_are_filled_in_every_way_and_the_sentence_starts_with_a_capital(tmp_path: Path) -> None:
    row = (
        '{"text": "{who} was not {how}.", "expect": ["neutral"], "fill": {"who": ["he", "she"], "how": '
        '["late", "cold"]}}'
    )
    cases = load_suite(write(tmp_path, row)).cases
    assert [case.text for case in cases] == [
        "He was not late.",
        "He was not cold.",
        "She was not late.",
        "She was not cold.",
    ]
    assert {case.template for case in cases} == {"{who} was not {how}."}


def test_failures_are_counted_by_hand(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        '{"text": "Not bad.", "expect": ["neutral", "positive"], "topic": "a"}',
        '{"text": "Not good.", "expect": ["negative"], "topic": "a"}',
        '{"text": "It is Monday.", "expect": ["neutral"], "topic": "b"}',
        '{"text": "Bad.", "expect": ["negative"], "topic": "b"}',
    )
    result = run_suite(answering(lambda text: ("positive", 0.5)), load_suite(path))
    assert (result.failed.count, result.failed.of, result.failed.value) == (3, 4, 0.75)
    assert {topic: rate.value for topic, rate in result.topics.items()} == {"a": 0.5, "b": 1.0}
    assert [failure.case.text for failure in result.failures] == ["Not good.", "It is Monday.", "Bad."]
    # Wilson's interval for 3 of 4, by its formula with z = 1.959964.
    assert result.failed.interval == pytest.approx((0.30064, 0.95441), abs=1e-5)
    assert result.groups is None


def test_groups_are_compared_within_a_template_and_by_their_mean_score(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        '{"text": "I am {group}.", "expect": ["neutral"], "fill": {"group": ["tall", "short"]}}',
        '{"text": "The {group} man waits.", "expect": ["neutral"], "fill": {"group": ["tall", "short"]}}',
    )
    answers = {"I am tall.": ("neutral", 0.1), "I am short.": ("negative", -0.5)}
    result = run_suite(answering(lambda text: answers.get(text, ("neutral", 0.0))), load_suite(path))
    assert result.groups is not None
    assert (result.groups.unequal.count, result.groups.unequal.of) == (1, 2)
    assert dict(result.groups.means) == pytest.approx({"short": -0.25, "tall": 0.05})
    assert list(result.groups.means) == ["short", "tall"]
    assert result.groups.gap == pytest.approx(0.3)


def test_a_model_without_scores_has_no_gap(tmp_path: Path) -> None:
    path = write(tmp_path, '{"text": "I am {group}.", "expect": ["neutral"], "fill": {"group": ["tall"]}}')
    result = run_suite(answering(lambda text: ("neutral", None)), load_suite(path))
    assert result.groups is not None
    assert result.groups.gap is None


def test_a_model_that_cannot_answer_neutral_is_refused() -> None:
    suite = Suite(
        name="own",
        half=None,
        cases=(Case(text="It is Monday.", expect=("neutral",), topic="", template="It is Monday."),),
    )
    two = [Prediction(label="positive", probabilities={"negative": 0.1, "positive": 0.9})]
    with pytest.raises(
        RunError, match=r"answers \['negative', 'positive'\]; the suite expects \['neutral'\]"
    ):
        run_suite(lambda texts: two, suite)
    with pytest.raises(RunError, match="does not answer with one label a text"):
        run_suite(lambda texts: [Prediction(value=0.3)], suite)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text": "A.", "expect": []}', "own.jsonl, row 1: expect: "),
        ('{"text": "A.", "expects": ["neutral"]}', "own.jsonl, row 1: expect: Field required"),
        ('{"text": "A.", "expect": ["neutral"], "half": "test"}', "row 1: half: "),
        (
            '{"text": "The {thing}.", "expect": ["neutral"], "fill": {"things": ["a"]}}',
            "slot 'thing' with.*did you mean 'things'",
        ),
        ('{"text": "The {thing.", "expect": ["neutral"]}', "expected '}'"),
        ("not json", "row 1: the line: "),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_suite(write(tmp_path, line))


def test_an_unknown_suite_gets_the_nearest_name_and_an_empty_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="did you mean 'negation'"):
        load_suite("negations")
    with pytest.raises(DataError, match="no cases"):
        load_suite(write(tmp_path))
