"""The model card: intended use, groups and promises of each family of answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from nlpkit.metrics.score import Score
from nlpkit.reports.card import model_card
from nlpkit.reports.card_sections import audit_words, group_section, with_groups
from nlpkit.reports.group_section import group_table
from nlpkit.reports.report import Report
from nlpkit.reports.sections import Column, Section, Table
from nlpkit.reports.usage import (
    ASPECT_USAGE,
    LABEL_SET_USAGE,
    LABEL_USAGE,
    OPINION_USAGE,
    REPLY_USAGE,
    TURN_USAGE,
    VALUE_USAGE,
    Usage,
)
from nlpkit.tasks.intents import Intents
from nlpkit.tasks.polarity import Polarity
from tests.dialogue_sample import sample

USAGES = {
    "label": LABEL_USAGE,
    "turn": TURN_USAGE,
    "aspect": ASPECT_USAGE,
    "label set": LABEL_SET_USAGE,
    "opinion": OPINION_USAGE,
    "value": VALUE_USAGE,
    "reply": REPLY_USAGE,
}
TASKS: dict[str, dict[str, Any]] = {
    "label": {"labels": ["bad", "good"]},
    "turn": {"labels": ["bad", "good"], "turns": 3, "temperature": 1.0},
    "aspect": {"labels": ["bad", "good"], "temperature": 1.0},
    "label set": {"labels": ["joy", "love"], "thresholds": [0.5, 0.5], "slope": 1.0, "offset": 0.0},
    "opinion": {"labels": ["bad", "good"], "find": "pairs"},
    "value": {"low": -4.0, "high": 4.0},
    "reply": {"system": ""},
}
PROMISE = Table(
    id="promise",
    title="What can be promised",
    note="For a file of 800 texts.",
    columns=(Column(name="Promise"), Column(name="On a file like these rows")),
    rows=(
        ("At most 1% of the labels given are wrong", "refused: 9 of 800 are 'good'; expected at least 10"),
        ("At most 5% of the labels given are wrong", "41% of the texts get a label"),
    ),
)


def accuracy(value: float | None, count: int = 40) -> dict[str, Score]:
    known = {} if value is None else {"low": value - 0.1, "high": value + 0.1}
    undefined = "" if value is not None else "too few"
    return {
        "accuracy": Score(
            value=value, **known, count=count, title="Accuracy", percent=True, higher_is_better=True,
            undefined=undefined,
        )
    }  # fmt: skip


GROUPS = group_table(
    {"en": accuracy(0.9, 80), "de": accuracy(0.5), "fr": accuracy(0.7), "it": accuracy(None)}
)


def card(family: str, *sections: Section, usage: Usage | None = None, audit: Report | None = None) -> str:
    report = Report(run="mine", data="test", task=family, scores=accuracy(0.9), sections=sections)
    record = {
        "base": {"source": "minilm-l6", "revision": None},
        "task": TASKS[family],
        "outputs": 2,
        "max_tokens": 512,
        "seed": 1,
    }
    return model_card(report, record, usage or USAGES[family], audit=audit)


def part(text: str, heading: str) -> str:
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def audit(gaps: int = 7, **fields: Any) -> Report:
    def rows(name: str) -> Table:
        heads = ("Group", "Compared with", "Gap", "95% interval", "p")
        return Table(
            id=name,
            title=name,
            columns=tuple(Column(name=head) for head in heads),
            rows=tuple(
                (f"{name} {row}", "the others", f"-0.{9 - row}00", "-1.000 to +0.100", "0.001")
                for row in range(gaps)
            ),
        )

    return Report(
        run="mine",
        data="audit reviews.csv",
        task="polarity",
        created=datetime(2026, 3, 1, tzinfo=UTC),
        measured="9,024 sentences",
        summary=("2 of 41 groups are scored apart.", "More."),
        scores={"largest_gap": Score(value=0.9, count=9024)},
        sections=(rows("groups"), rows("swaps")),
        limits=("A gap says that answers differ, not which of them is right.",),
        **fields,
    )


@pytest.mark.parametrize("family", USAGES)
def test_the_card_names_uses_misuses_and_those_that_need_an_audit_of_their_own(family: str) -> None:
    text = part(card(family), "Intended use")
    usage = USAGES[family]
    assert all(f"- {use}\n" in text for use in (*usage.uses, *usage.misuses))
    assert "decide about a person" in text
    assert "Health care, finance and hiring need an audit of their own" in text
    assert f"Begin with `{usage.own_audit}`" in text
    headings = [line for line in card(family).splitlines() if line.startswith("## ")]
    order = ["## Intended use", "## Use it", "## Scores", "## Groups", "## Promise", "## Limits"]
    assert [heading for heading in headings if heading in order] == order


def test_each_family_names_a_command_that_takes_its_answers() -> None:
    """The audit compares scores of texts: labels without one, sets of labels, parts and replies have none."""
    assert LABEL_USAGE.own_audit == VALUE_USAGE.own_audit == "nlpkit audit . your.csv"
    by_group = "nlpkit evaluate . your.csv --by COLUMN"
    assert {usage.own_audit for usage in (ASPECT_USAGE, LABEL_SET_USAGE, OPINION_USAGE)} == {by_group}
    assert (TURN_USAGE.audit, TURN_USAGE.without_score().audit) == ("nlpkit audit .", "")
    assert TURN_USAGE.without_score().own_audit == "nlpkit evaluate . your-talks.csv"
    ordered = Polarity(labels=("negative", "neutral", "positive"))
    assert ordered.family.report.usage == LABEL_USAGE
    for task in (Polarity(labels=("x", "y"), ordered=False), Intents(labels=("x", "y"))):
        assert task.family.report.usage.own_audit == by_group
        assert task.family.report.usage.audit == ""
    assert "`nlpkit evaluate . your-conversations.jsonl`, with a file for each group." in card("reply")


def test_without_groups_the_card_says_so_and_names_the_commands() -> None:
    text = part(card("label"), "Groups")
    assert "No groups were measured. To compare groups in your own data: `nlpkit audit . your.csv`." in text
    assert "No audit was made. To compare groups of people in made sentences: `nlpkit audit .`." in text
    text = part(card("label set"), "Groups")
    assert "No groups were measured." in text
    assert "nlpkit audit" not in text


def test_the_groups_of_the_report_stand_in_the_card_with_the_worst() -> None:
    assert GROUPS.caption == "Worst: de, Accuracy 50.0% (40.0% to 60.0%)"
    text = part(card("label", GROUPS), "Groups")
    assert "Worst: de, Accuracy 50.0% (40.0% to 60.0%)." in text
    assert "| de | 40 | 50.0% (40.0% to 60.0%) |" in text
    assert "Compare the intervals" in text
    assert "No groups were measured" not in text
    assert "No audit was made" in text


def test_the_worst_group_has_the_largest_error_and_a_single_one_is_not_the_worst() -> None:
    def error(value: float) -> dict[str, Score]:
        return {"mae": Score(value=value, count=30, title="MAE", higher_is_better=False)}

    assert group_table({"a": error(0.2), "b": error(0.4)}).caption.startswith("Worst: b, MAE 0.4")
    assert group_table({"a": error(0.2)}).caption == ""


def test_an_audit_stands_in_the_card_with_its_largest_gaps() -> None:
    text = part(card("label", audit=audit()), "Groups")
    assert "An audit on 2026-03-01 compared its scores" in text
    assert "in 9,024 sentences. 2 of 41 groups are scored apart." in text
    assert "| groups 0 | the others | -0.900 | -1.000 to +0.100 |" in text
    assert "| groups 4 |" in text
    assert "| groups 5 |" not in text
    assert "Groups exchanged in the texts of reviews.csv:\n\n| Group |" in text
    assert "| swaps 0 | the others | -0.900 | -1.000 to +0.100 |" in text
    assert "- A gap says that answers differ" in text
    assert "No groups were measured" not in text
    assert "No audit was made" not in text


def test_a_later_audit_changes_the_groups_of_a_card_and_no_word_of_its_owner() -> None:
    before = card("label", GROUPS).replace("## Limits\n", "## Limits\n\nMine: ask me first.\n")
    report = Report(run="mine", data="test", task="polarity", scores={}, sections=(GROUPS,))
    after = with_groups(before, group_section(report, audit_words(audit())))
    assert "| de | 40 | 50.0% (40.0% to 60.0%) |" in part(after, "Groups")
    assert "| groups 0 |" in part(after, "Groups")
    assert "No audit was made" not in after
    for heading in ("Use it", "Scores", "Promise", "Limits"):
        assert part(after, heading) == part(before, heading)
    assert with_groups(after, group_section(report, audit_words(audit()))) == after
    assert with_groups("# mine\n\nNo sections.\n", "## Groups\n") == "# mine\n\nNo sections.\n"


def test_promises_and_refusals_stand_in_the_card() -> None:
    text = part(card("label", PROMISE), "Promise")
    assert "For a file of 800 texts." in text
    assert "| At most 1% of the labels given are wrong | refused: 9 of 800 are 'good'; expected" in text
    assert "| At most 5% of the labels given are wrong | 41% of the texts get a label |" in text
    without = part(card("label set"), "Promise")
    assert "The report holds no promise." in without
    assert "--held-out labeled.csv" in without


@pytest.mark.parametrize(
    ("family", "reason"),
    [
        ("value", "it answers with a number"),
        ("turn", "reads the turns before too"),
        ("aspect", "reads an aspect too"),
    ],
)
def test_where_nothing_is_promised_the_card_says_why(family: str, reason: str) -> None:
    text = part(card(family), "Promise")
    assert text.strip().startswith("No promise is made about its answers: ")
    assert reason in text


def test_the_card_of_a_chat_model_promises_nothing_and_names_no_audit() -> None:
    base = {"source": "smollm2-135m", "revision": None}
    record = {"base": base, "task": {"system": ""}, "max_tokens": 512, "seed": 7}
    text = model_card(sample(), record, REPLY_USAGE)
    assert "nothing says whether a reply is right" in part(text, "Promise")
    assert "speak with people who do not know that it is a machine" in part(text, "Intended use")
    assert "nlpkit audit" not in text
