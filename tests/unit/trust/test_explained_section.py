"""What a report shows of what answers rest on, of classifiers that add up what words are worth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from nlpkit.classifiers.classifier import Classifier
from nlpkit.classifiers.runtime import SERVER
from nlpkit.data.examples import LabeledText, LabelSetText
from nlpkit.reports.report import Report
from nlpkit.reports.sections import Example, Section, Table, Texts
from nlpkit.tasks.aspect_polarity import AspectPolarity
from nlpkit.tasks.aspects import Aspects
from nlpkit.tasks.emotions import Emotions
from nlpkit.tasks.intensity import Intensity
from nlpkit.tasks.polarity import Polarity
from nlpkit.tasks.turn_emotions import TurnEmotions
from nlpkit.trust.explained_section import explained_sections
from tests.bags import bag

POLARITY = Polarity(labels=("negative", "positive"))
EVIL = "<img src=x onerror=alert(1)>"


def sections(classifier: Classifier, examples: Sequence[Any]) -> tuple[Section, ...]:
    predictions = classifier.predict([example.text for example in examples])
    outcomes = classifier.task.family.outcomes(examples, predictions)
    return explained_sections(classifier, examples, predictions, outcomes)


def examples_of(classifier: Classifier, examples: Sequence[Any]) -> tuple[Example, ...]:
    found = sections(classifier, examples)
    if not found:
        return ()
    assert isinstance(found[0], Texts)
    return found[0].examples


def labeled(*rows: tuple[str, str]) -> list[LabeledText]:
    return [LabeledText(text=text, label=label, where=f"row {text}") for text, label in rows]


def tags(example: Example) -> list[str]:
    return [tag.text for tag in example.tags]


def marks(example: Example) -> list[tuple[str, str, str, int]]:
    return [
        (example.text[mark.start : mark.end], mark.kind, mark.weight, mark.strength) for mark in example.marks
    ]


def chance(log_odds: float) -> float:
    return 1 / (1 + math.exp(-log_odds))


def test_two_confident_right_two_confident_wrong_and_two_unsure_answers_are_shown(tiny_base: Path) -> None:
    """Log-odds of positive: 2, 0.5, 4, -1.5, 3, 0, 0.5, 4; the last text is there already."""
    rows = labeled(
        ("good film", "negative"),
        ("fine film", "positive"),
        ("good good", "positive"),
        ("bad film", "positive"),
        ("good great film", "positive"),
        ("the film", "negative"),
        ("a fine place", "negative"),
        ("good good", "positive"),
    )
    shown = examples_of(bag(tiny_base, POLARITY), rows)
    assert [(example.text, tags(example)[0]) for example in shown] == [
        ("good good", "right"),
        ("good great film", "right"),
        ("good film", "wrong"),
        ("bad film", "wrong"),
        ("the film", "unsure"),
        ("fine film", "unsure"),
    ]
    assert tags(shown[3])[1:] == ["true: positive", "predicted: negative, 81.8%"]
    assert marks(shown[1]) == [("good", "for", "+2.00", 100), ("great", "for", "+1.00", 50)]
    assert marks(shown[4]) == []
    assert shown[0].where == "row good good"


def test_a_word_against_the_answer_has_a_minus_and_few_rows_give_few_texts(tiny_base: Path) -> None:
    (shown,) = examples_of(bag(tiny_base, POLARITY), labeled(("good but bad", "positive")))
    assert marks(shown) == [("good", "for", "+2.00", 100), ("bad", "against", "\u22121.50", 75)]


def test_faithfulness_stands_next_to_random_orders(tiny_base: Path) -> None:
    """Log-odds 3; without "good" 1, with it alone 2. At random either word comes first."""
    _, table = sections(bag(tiny_base, POLARITY), labeled(("good great", "positive")))
    assert isinstance(table, Table)
    whole, without_good, good = chance(3), chance(1), chance(2)
    comprehensive, sufficient = table.rows
    assert comprehensive[:2] == ("Comprehensiveness", pytest.approx(whole - without_good, abs=1e-4))
    assert sufficient[:2] == ("Sufficiency", pytest.approx(whole - good, abs=1e-4))
    expected = [pytest.approx(whole - other, abs=1e-4) for other in (good, without_good)]
    assert comprehensive[2] == sufficient[2]
    assert comprehensive[2] in expected
    assert (comprehensive[3], sufficient[3], table.under) == ("higher", "lower", "explained")


def test_of_several_labels_the_most_probable_one_is_explained(tiny_base: Path) -> None:
    task = Emotions(labels=("calm", "joy"), thresholds=(0.4, 0.5), slope=2.0)
    rows = [
        LabelSetText(text="a great film", labels=("calm", "joy")),
        LabelSetText(text="a bad film", labels=("joy",)),
    ]
    right, wrong = examples_of(bag(tiny_base, task), rows)
    assert tags(right) == ["right", "true: calm, joy", "predicted: joy, calm", "explained: joy, 88.1%"]
    assert marks(right) == [("great", "for", "+2.00", 100)]
    assert tags(wrong)[0] == "wrong"


def test_numbers_are_ranked_by_their_error(tiny_base: Path) -> None:
    """From 0 to 10: an output of 0.5 is 7.5, one of 0 is 5, and those beyond 1 are 10."""
    rows = [
        LabeledText(text="a fine film", value=7.5),
        LabeledText(text="a good film", value=9.0),
        LabeledText(text="the place", value=1.0),
    ]
    shown = examples_of(bag(tiny_base, Intensity(low=0, high=10)), rows)
    assert [tags(example) for example in shown] == [
        ["small error", "true: +7.50", "predicted: +7.50"],
        ["small error", "true: +9.00", "predicted: +10.00"],
        ["large error", "true: +1.00", "predicted: +5.00"],
    ]
    assert marks(shown[0]) == [("fine", "for", "+2.50", 100)]


def test_long_texts_are_not_shown(tiny_base: Path) -> None:
    rows = labeled(
        ("good " * 20 + "film", "positive"),  # 21 words
        ("good," * 11, "positive"),  # 22 with the commas, without a space
        ("g" * 401, "positive"),
        ("good " * 19 + "film", "negative"),
    )
    (shown,) = examples_of(bag(tiny_base, POLARITY), rows)
    assert shown.text == rows[3].text
    assert sections(bag(tiny_base, POLARITY), rows[:3]) == ()


def test_time_is_limited(tiny_base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 4.9, 5.1])  # when it begins, before the first text, before the second
    monkeypatch.setattr("nlpkit.trust.explained_section.time.monotonic", lambda: next(clock))
    rows = labeled(("good film", "positive"), ("bad film", "negative"))
    assert [example.text for example in examples_of(bag(tiny_base, POLARITY), rows)] == ["good film"]


def test_what_cannot_be_explained_has_no_section(tiny_base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = ("negative", "positive")
    for task in (Aspects(labels=labels), TurnEmotions(labels=labels), AspectPolarity(labels=labels)):
        assert explained_sections(bag(tiny_base, task), [], [], None) == ()
    served = bag(tiny_base, POLARITY)
    monkeypatch.setattr(type(served.runtime), "device", SERVER)
    assert explained_sections(served, [], [], None) == ()


def test_a_hostile_text_is_text_and_stays_out_of_the_markdown(tiny_base: Path) -> None:
    found = sections(bag(tiny_base, POLARITY), labeled((f"good {EVIL} \u202ebad", "positive")))
    report = Report(run="r", data="d", task="polarity", scores={}, sections=found)
    page = report.to_html()
    assert '<mark class="for" style="--dark:100" title="effect: for">good<sub>+2.00</sub></mark>' in page
    assert "\u22121.50</sub>" in page
    assert "<img" not in page
    assert "&lt;" in page
    assert "\u202e" not in page
    assert "nlpkit explain RUN FILE --html" in page
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page
    markdown = report.to_markdown()
    assert "Comprehensiveness" in markdown
    assert "onerror" not in markdown
    assert Report.from_json(report.to_json()) == report
