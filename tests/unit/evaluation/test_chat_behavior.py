from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nlpkit.data.examples import Conversation
from nlpkit.evaluation import chat_behavior
from nlpkit.evaluation.chat_behavior import (
    CaseResult,
    ChatCase,
    load_chat_suite,
    run_chat_suite,
    suite_report,
)
from nlpkit.evaluation.chat_checks import CHECKS, Answered
from nlpkit.evaluation.held_out import evaluate
from nlpkit.reports.report import Report
from tests.fakes import FakeBot


def passes(topic: str, *replies: str, users: tuple[str, ...] = (), ended: bool = True) -> bool:
    answered = Answered(users=users, replies=replies, ended=ended, expect=("six", "6"))
    return CHECKS[topic](answered)


@pytest.mark.parametrize(
    ("topic", "reply", "right"),
    [
        ("recall", "You keep six hens.", True),
        ("recall", "6.", True),
        ("recall", "You keep 16 hens.", False),
        ("recall", "Sixty.", False),
        ("one word", "Rome.", True),
        ("one word", "It is Rome.", False),
        ("one word", "...", False),
        ("no invented contact", "I don't know it. Look at a map app.", True),
        ("no invented contact", "It's 10 minutes on foot, down the street.", True),
        ("no invented contact", "Call (555) 123-4567.", False),
        ("no invented contact", "Ring 0171 5550 123 now", False),
        ("no invented contact", "Write to office@harbor.org", False),
        ("no invented contact", "See www.harbor.org/tickets", False),
        ("no invented contact", "It's at 12 Old Mill Road.", False),
        ("no invented contact", "Please call 911.", False),
        ("no invented contact", "", False),
        ("ends by itself", "Fine.", True),
        ("ends by itself", "", False),
        ("language", "Carpe diem is Latin for seize the day.", True),
        ("language", "Rome.", True),
        ("language", "Ich weiß es leider nicht, aber vielleicht morgen.", False),
        ("language", "Вход", False),
        ("kindness", "I'm so sorry for your loss.", True),
        ("kindness", "That's great news! I'm sorry.", False),
        ("kindness", "Dogs are mammals.", False),
        ("kindness", "I'm sorry. Call 911 at once.", False),
    ],
)
def test_d1_each_check_knows_a_right_reply_from_a_wrong_one(topic: str, reply: str, right: bool) -> None:
    assert passes(topic, reply) is right


def test_d1_a_contact_that_the_user_named_is_not_invented() -> None:
    assert passes("no invented contact", "It's 0171-5550123.", users=("My number is 0171 5550123.",))


def test_d1_a_reply_that_is_cut_did_not_end() -> None:
    assert not passes("ends by itself", "And so", ended=False)


def test_d1_replies_that_share_most_of_their_words_in_order_repeat_each_other() -> None:
    assert passes("no repetition", "How about Blue Heron?", "How about Salt and Stone?")
    assert not passes("no repetition", "How about Blue Heron?", "Well: how about Blue Heron?")
    assert not passes("no repetition", "Yes.", "Yes.")
    assert not passes("no repetition", "Go on and on and on and on and on and on and on and on.")


@pytest.mark.parametrize("half", ["dev", "report"])
def test_d1_both_halves_test_every_topic_and_share_no_words_of_a_user(half: str) -> None:
    cases = load_chat_suite(half)  # type: ignore[arg-type]
    others = load_chat_suite("dev" if half == "report" else "report")
    assert {case.topic for case in cases} == set(CHECKS)
    assert not {case.turns[0] for case in cases} & {case.turns[0] for case in others}
    assert not {case.expect for case in cases if case.expect} & {case.expect for case in others}
    assert all(bool(case.expect) == (case.topic == "recall") for case in cases)
    assert all(case.turns[-1] is None or len(case.turns) % 2 == 1 for case in cases)


def test_d1_the_built_in_bot_was_trained_on_nothing_of_the_suite() -> None:
    data = Path(__file__).parents[3] / "recipes" / "data" / "short-conversations.jsonl"
    learned = data.read_text(encoding="utf-8").casefold()
    for case in (*load_chat_suite("dev"), *load_chat_suite("report")):
        assert not [turn for turn in case.turns if turn and len(turn) > 25 and turn.casefold() in learned]


def cases() -> tuple[ChatCase, ...]:
    return (
        ChatCase(
            topic="recall", half="dev", turns=("I have six hens.", "Good.", "How many?"), expect=("six",)
        ),
        ChatCase(topic="no repetition", half="dev", turns=("A name?", None, "Another?", None)),
        ChatCase(topic="one word", half="dev", turns=("One word: sky?",)),
    )


def results(says: Callable[[Conversation], str]) -> tuple[CaseResult, ...]:
    return run_chat_suite(FakeBot(says=lambda talk, _: says(talk)), cases())


def test_d1_the_model_answers_where_the_script_leaves_it_open() -> None:
    asked: list[tuple[str, ...]] = []

    def says(talk: Conversation) -> str:
        asked.append(tuple(turn.text for turn in talk.turns))
        return f"six {len(talk.turns)}"

    found = results(says)
    assert asked == [
        ("I have six hens.", "Good.", "How many?"),
        ("A name?",),
        ("One word: sky?",),
        ("A name?", "six 1", "Another?"),
    ]
    assert [result.passed for result in found] == [True, True, False]


def test_d1_the_report_compares_with_a_baseline_on_the_same_cases() -> None:
    ours, theirs = results(lambda talk: "six"), results(lambda talk: "I do not know")
    report = suite_report("mine", ours, data="chat-behavior", baseline=("base", theirs))
    # Ours: recall and one word pass, two equal replies do not; theirs: none
    assert report.scores["passed"].value == pytest.approx(2 / 3)
    assert report.scores["recall"].value == 1
    assert report.scores["no repetition"].value == 0
    assert report.baselines[0].scores["passed"].value == 0
    assert report.baselines[0].tests["passed"].difference == pytest.approx(2 / 3)
    assert report.summary[0].startswith("It does what is expected in 66.7% (")
    assert Report.from_json(report.to_json()) == report
    page = report.to_html()
    assert "How many?" in page
    assert "I do not know" in page


def test_d1_evaluate_runs_the_suite_on_a_dialogue_run(
    chat_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = load_chat_suite("dev")[::9]
    monkeypatch.setattr("nlpkit.evaluation.evaluate_dialogue.load_chat_suite", lambda half: few)
    seen: list[tuple[int, int]] = []
    report = evaluate(chat_run, chat_behavior.NAME, progress=lambda done, total: seen.append((done, total)))
    assert report.scores["passed"].count == len(few)
    assert seen[-1] == (2 * len(few), 2 * len(few))
    assert (chat_run / "evaluation" / "chat-behavior.json").is_file()
    assert report.baselines[0].name
