"""The suite of many phenomena, a classifier's report on a suite, and the gate at the end of a training."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import nlpkit
from nlpkit.config import read_config
from nlpkit.errors import ConfigError, RunError
from nlpkit.evaluation.behavior import SuiteResult, load_suite, run_suite
from nlpkit.evaluation.behavior_report import behavior_report, is_suite, ranked
from nlpkit.evaluation.suites import Suite
from nlpkit.reports.report import Report
from nlpkit.sources.resolution import suite_folder
from nlpkit.tasks.prediction import Prediction
from tests.conftest import train_toy

HALVES = ("behavior/dev", "behavior")
FUNCTION_WORDS = {
    *("a", "after", "all", "at", "been", "before", "for", "from", "have", "having", "how", "i", "in", "it"),
    *("my", "of", "our", "since", "so", "some", "that", "the", "there", "they", "this", "we", "what", "when"),
    *("with", "http", "https", "www", "example", "net", "org"),
}
"""Words without content, and the parts of every address."""

PHENOMENA = {
    "vocabulary", "negation", "but-clauses", "tense", "whose opinion counts", "questions", "comparison",
    "reported opinion", "sarcasm", "intensifiers", "emoji", "hashtags", "typos", "casing", "names", "places",
    "numbers", "addresses", "contractions",
}  # fmt: skip


@pytest.fixture(scope="module")
def halves() -> dict[str, Suite]:
    return {name: load_suite(name) for name in HALVES}


def words_of(half: str) -> set[str]:
    listed = [
        words
        for file in suite_folder(half).glob("*.yaml")
        if file.name in ("words.yaml", "lists.yaml")
        for words in read_config(file)[0].get("words", {}).values()
    ]
    return {
        part
        for words in listed
        for word in words
        for part in re.findall(r"[^\W\d_]+|[^\w\s.,/:@?=]", word.lower())
    }


def test_both_halves_hold_hundreds_of_cases_of_each_phenomenon(halves: dict[str, Suite]) -> None:
    for suite in halves.values():
        assert {case.phenomenon for case in suite.cases} == PHENOMENA
        assert min(Counter(case.phenomenon for case in suite.cases).values()) >= 100
        assert min(Counter(case.topic for case in suite.cases).values()) >= 40
        assert all("{" not in case.text and case.text == case.text.strip() for case in suite.cases)


def test_the_halves_ask_for_the_same_and_share_no_template_sentence_or_word(halves: dict[str, Suite]) -> None:
    dev, report = (halves[name].cases for name in HALVES)
    assert {case.topic for case in dev} == {case.topic for case in report}
    assert not {case.template for case in dev} & {case.template for case in report}
    assert not {case.text for case in dev} & {case.text for case in report}
    assert not (words_of(HALVES[0]) & words_of(HALVES[1])) - FUNCTION_WORDS
    assert len(load_suite("behavior", half=None).cases) == len(dev) + len(report)


SUITE = """
tests:
  - {name: praise, phenomenon: words, expect: positive, templates: [good film, the film is good]}
  - {name: blame, expect: [negative], templates: [bad film, the film is bad]}
  - {name: a link, relation: same, change: "{text} www", templates: [good food, bad food]}
  - {name: very, relation: not down, templates: [{text: good place, changed: very good place}]}
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.yaml"
    path.write_text(SUITE, encoding="utf-8")
    return path


def answering(labels: dict[str, tuple[str, float]]) -> Callable[[Sequence[str]], list[Prediction]]:
    """Answer "positive" with 0.5 where a text has no answer of its own."""
    answers = {text: Prediction(label=label, score=score) for text, (label, score) in labels.items()}
    other = Prediction(label="positive", score=0.5)
    return lambda texts: [answers.get(text[0].lower() + text[1:], other) for text in texts]


def result_by_hand(own: Path) -> SuiteResult:
    answers = {
        "bad film": ("negative", -0.9),
        "good food www": ("negative", -0.1),
        "very good place": ("positive", 0.39),
    }
    return run_suite(answering(answers), load_suite(own))


def test_labels_changes_and_directions_are_counted_by_hand(own: Path) -> None:
    result = result_by_hand(own)
    rates = {topic: (rate.count, rate.of) for topic, rate in result.topics.items()}
    # "The film is bad" is taken for praise; one of two links changes the label; 0.5 to 0.39 is down by 0.11.
    assert rates == {"praise": (0, 2), "blame": (1, 2), "a link": (1, 2), "very": (1, 1)}
    assert result.mean == pytest.approx((0 + 1 / 2 + 1 / 2 + 1) / 4)
    assert ranked(result) == ["very", "a link", "blame", "praise"]
    link = next(failure for failure in result.failures if failure.case.topic == "a link")
    assert (link.label_before, link.label, link.score_before, link.score) == (
        "positive",
        "negative",
        0.5,
        -0.1,
    )


def test_a_score_may_move_by_the_tolerance(own: Path) -> None:
    result = run_suite(answering({"very good place": ("positive", 0.41)}), load_suite(own))
    assert result.topics["very"].count == 0


def test_a_model_without_scores_is_refused_by_a_direction(own: Path) -> None:
    with pytest.raises(
        RunError, match=r"own.yaml, line 6: 'very' compares scores, and the model gives none; hint"
    ):
        run_suite(lambda texts: [Prediction(label="positive") for _ in texts], load_suite(own))


def test_the_report_ranks_the_tests_and_shows_what_fails(own: Path) -> None:
    ours, theirs = result_by_hand(own), run_suite(answering({}), load_suite(own))
    report = behavior_report(ours, run="mine", data="own.yaml", seed=1, baseline=("older", theirs))
    assert report.scores["failed_mean"].value == pytest.approx(0.5)
    assert report.scores["failed"].value == pytest.approx(3 / 7)
    assert report.baselines[0].scores["failed_mean"].value == pytest.approx((0 + 1 + 0 + 0) / 4)
    assert report.details["a link"].value == 0.5
    table = report.sections[0]
    assert [row[:4] for row in table.rows] == [  # type: ignore[union-attr]
        ("very", "very", "DIR", 1),
        ("a link", "a link", "INV", 2),
        ("blame", "blame", "MFT", 2),
        ("praise", "words", "MFT", 2),
    ]
    page = report.to_html()
    assert "Failure rate by test" in page
    assert "Good food www" in page
    assert Report.from_json(report.to_json()) == report


def test_a_run_is_evaluated_on_a_suite_like_on_data(own: Path, toy_run: Path) -> None:
    report = nlpkit.evaluate(toy_run, own)
    assert report.details["praise"].value == report.details["blame"].value == 0.0
    assert report.measured == "7 cases in 4 tests"
    assert next((toy_run / "evaluation").glob("*own.yaml.html"))
    with pytest.raises(ConfigError, match="label: means nothing for a suite"):
        nlpkit.evaluate(toy_run, own, label="stars")
    with pytest.raises(
        RunError, match=r"expects \['negative', 'neutral', 'positive'\], first in .*yaml, line"
    ):
        nlpkit.evaluate(toy_run, "behavior")


def test_only_suites_are_taken_for_suites(own: Path, tmp_path: Path, toy_csv: Path) -> None:
    rasa = tmp_path / "nlu.yml"
    rasa.write_text("nlu:\n- intent: greet\n  examples: |\n    - hi\n", encoding="utf-8")
    assert is_suite(str(own))
    assert is_suite("behavior")
    assert is_suite("negation")
    assert is_suite("lines.jsonl", "suite")
    assert not is_suite(str(rasa))
    assert not is_suite(str(toy_csv))
    assert not is_suite("tweets")


def test_a_gate_ends_the_training_and_keeps_the_run(own: Path, toy_config: Path, toy_run: Path) -> None:
    wrong = own.with_name("wrong.yaml")
    swapped = SUITE.replace("positive", "?").replace("negative", "positive").replace("?", "negative")
    wrong.write_text(swapped, encoding="utf-8")
    overrides = (f"output={toy_run.parent}", "behavior.fail_above=0.3")
    said: list[str] = []
    runs = train_toy(toy_config, *overrides, f"behavior.suites=[{own}]", said=said)
    assert runs == [toy_run]
    assert any("failed, mean over tests" in line for line in said)
    with pytest.raises(
        RunError, match=r"fails .*% of .*wrong.yaml, more than behavior.fail_above = 30.0%"
    ) as caught:
        train_toy(toy_config, *overrides, f"behavior.suites=[{own}, {wrong}]", said=said)
    assert caught.value.exit_code == 4
    assert "the run is kept; hint: " in str(caught.value)
    assert (runs[0] / "run.json").is_file()
    written = next((runs[0] / "evaluation").glob("*wrong.yaml.json"))
    assert Report.from_json(written.read_text(encoding="utf-8")).warnings


def test_a_gate_that_cannot_be_answered_is_refused_before_the_training(
    toy_config: Path, tmp_path: Path
) -> None:
    with pytest.raises(RunError, match="expects"):
        train_toy(toy_config, f"output={tmp_path}", "behavior.fail_above=0.5")
    assert not list(tmp_path.iterdir())
