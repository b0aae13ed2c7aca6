"""Explanations of replies by chat models to which each turn is worth so many nats: all numbers are known."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, combinations
from pathlib import Path

import pytest

import nlpkit
from nlpkit.data.examples import Conversation, Turn
from nlpkit.errors import ConfigError, DataError, RunError
from nlpkit.generation.language_model import LanguageModel
from nlpkit.prompts.build import build_prompt
from nlpkit.tasks.dialogue import Dialogue
from nlpkit.trust.reply_explainer import ReplyExplainer, numbers_of, only
from nlpkit.trust.served_replies import ServedReplies
from tests.chat_templates import FAMILIES, conversation
from tests.speakers import Summing

TALK = conversation("a", "b", "c", "the reply", system="s")
WORTH = {"s": 1.0, "a": 3.0, "b": -0.5, "c": 2.0}


def texts(talk: Conversation) -> list[str]:
    return [turn.text for turn in talk.turns]


def test_the_weight_of_a_turn_is_what_the_reply_loses_without_it() -> None:
    explanation = ReplyExplainer(Summing(WORTH)).explain(TALK)
    assert explanation.reply == "the reply"
    assert [(turn.number, turn.role, turn.text) for turn in explanation.turns] == [
        (0, "system", "s"),
        (1, "user", "a"),
        (2, "assistant", "b"),
        (3, "user", "c"),
    ]
    assert [turn.weight for turn in explanation.turns] == pytest.approx([1, 3, -0.5, 2])
    assert [turn.per_token for turn in explanation.turns] == pytest.approx([0.25, 0.75, -0.125, 0.5])
    assert [turn.text for turn in explanation.by_weight] == ["a", "c", "s", "b"]
    assert (explanation.tokens, explanation.log_likelihood, explanation.base) == (4, -4.5, -10)
    assert not explanation.is_generated
    assert explanation.notes() == []
    marked = [explanation.text[turn.start : turn.end] for turn in explanation.turns]
    assert marked == ["system: s", "user: a", "assistant: b", "user: c"]


def test_faithfulness_of_two_turns_by_hand() -> None:
    """Of 4 tokens: both turns add 2 nats a token, the first one of the order alone 1.5, the other one 0.5."""
    model = Summing({"a": 6.0, "b": 2.0})
    talk = conversation("b", "a", "the reply", first="assistant")
    found = ReplyExplainer(model, orders=64).explain(talk).faithfulness
    assert found.scores.comprehensiveness == pytest.approx(2 - 0.5)
    assert found.scores.sufficiency == pytest.approx(2 - 1.5)
    assert found.scores.deletion == pytest.approx((2 / 2 + 0.5 + 0) / 2)
    assert found.random.comprehensiveness == pytest.approx(2 - 1, abs=0.2)
    assert found.random.sufficiency == pytest.approx(2 - 1, abs=0.2)
    assert found.random.deletion == pytest.approx((2 / 2 + 1 + 0) / 2, abs=0.1)


@pytest.mark.parametrize(
    ("kept", "left"),
    [
        ({0, 1, 2, 3}, ["a", "b", "c"]),
        ({0, 2, 3}, ["", "b", "c"]),
        ({0, 1, 2}, ["a", "b", ""]),
        ({0}, ["", "", ""]),
    ],
)
def test_a_message_that_is_left_out_is_an_empty_one_of_the_same_side(kept: set[int], left: list[str]) -> None:
    history = replace(TALK, turns=TALK.turns[:3])
    found = only(history, frozenset(kept))
    assert (found.system, texts(found)) == ("s", left)
    assert [turn.role for turn in found.turns] == ["user", "assistant", "user"]
    assert only(history, frozenset({1, 2, 3})) == replace(history, system="")


@pytest.mark.parametrize("name", FAMILIES)
def test_every_template_writes_what_is_left(name: str) -> None:
    """Those too that refuse two messages of a side in a row, or a reply at the start."""
    tokenizer = FAMILIES[name].tokenizer
    history = conversation("a", "b", "c", "d", "e", system="s")
    numbers = numbers_of(history)
    subsets = chain.from_iterable(combinations(numbers, size) for size in range(len(numbers) + 1))
    for subset in subsets:
        prompt = build_prompt(only(history, frozenset(subset)), tokenizer, 10_000)
        assert (prompt.dropped, bool(prompt.ids)) == (0, True)


def test_turns_that_were_not_read_have_no_weight_and_do_not_come_back() -> None:
    model = Summing(WORTH | {"old": 9.0}, turns_read=3)
    explanation = ReplyExplainer(model).explain(conversation("old", "old", "a", "b", "c", "r", system="s"))
    assert [turn.weight for turn in explanation.turns] == [1, None, None, 3, -0.5, 2]
    assert explanation.unread == 2
    assert "2 of 6 turns did not fit in the window, and have no weight" in explanation.notes()
    assert all("old" not in text for asked in model.asked for text in texts(asked))


def test_where_a_user_speaks_last_the_run_replies_first() -> None:
    model = Summing({"a": 1.5}, says="cut off", is_cut=True, system="own")
    explanation = ReplyExplainer(model).explain(conversation("a"))
    assert (explanation.reply, explanation.is_generated, explanation.is_cut) == ("cut off", True, True)
    assert [(turn.role, turn.text, turn.weight) for turn in explanation.turns] == [
        ("system", "own", 0),
        ("user", "a", 1.5),
    ]
    assert explanation.notes() == [
        "the run gave this reply now",
        "the reply reached its maximum length and was cut",
    ]


@pytest.mark.parametrize(
    ("talk", "message"),
    [
        (Conversation(turns=()), "has no messages"),
        (conversation("hello", first="assistant"), "nothing stands before the reply"),
        (conversation("a", " "), "the reply, is empty"),
        (conversation("\n"), "last message is empty"),
        (conversation("a"), "the model replied nothing"),
    ],
)
def test_what_cannot_be_explained_is_refused_with_its_place(talk: Conversation, message: str) -> None:
    with pytest.raises(DataError, match=f"^chats.jsonl, row 2: .*{message}"):
        ReplyExplainer(Summing({}, says="")).explain(replace(talk, where="chats.jsonl, row 2"))


def test_a_greeting_after_a_system_prompt_rests_on_that_alone() -> None:
    explanation = ReplyExplainer(Summing(WORTH)).explain(conversation("hello", system="s", first="assistant"))
    assert [(turn.role, turn.weight) for turn in explanation.turns] == [("system", 1)]


@pytest.fixture(scope="module")
def language(chat_run: Path) -> LanguageModel:
    return LanguageModel.load(chat_run)


TOY = conversation("think of tea", "tea it is", "no, of moon", "then moon", "which?", "moon, not tea")


def test_it_is_the_run_that_is_explained(chat_run: Path, language: LanguageModel) -> None:
    (explanation,) = nlpkit.explain(TOY, chat_run)
    assert isinstance(explanation, nlpkit.ReplyExplanation)
    history = replace(TOY, turns=TOY.turns[:5])
    (whole,) = language.log_likelihoods(history, ["moon, not tea"])
    assert explanation.log_likelihood == pytest.approx(whole.total, abs=1e-4)
    assert explanation.tokens == whole.tokens
    empty = Turn(role="user", text="")
    left = replace(history, turns=(*history.turns[:2], empty, *history.turns[3:]))
    (without,) = language.log_likelihoods(left, ["moon, not tea"])
    assert explanation.turns[2].weight == pytest.approx(whole.total - without.total, abs=1e-4)
    (generated,) = nlpkit.explain([history], chat_run)
    assert generated.is_generated
    assert generated.reply


def test_a_system_prompt_of_the_run_is_left_out_too(language: LanguageModel) -> None:
    briefed = LanguageModel(
        language.model, language.tokenizer, Dialogue(system="Be brief."), window=160, name="briefed"
    )
    explanation = ReplyExplainer(ServedReplies(briefed)).explain(replace(TOY, turns=TOY.turns[2:]))
    (bare,) = language.log_likelihoods(replace(TOY, turns=TOY.turns[2:5]), ["moon, not tea"])
    system = explanation.turns[0]
    assert (system.role, system.text, explanation.unread) == ("system", "Be brief.", 0)
    assert system.weight == pytest.approx(explanation.log_likelihood - bare.total, abs=1e-4)


def test_the_oldest_turns_drop_out_as_in_the_chat(language: LanguageModel) -> None:
    long = replace(
        TOY, turns=(Turn(role="user", text="x" * 60), Turn(role="assistant", text="y"), *TOY.turns)
    )
    explanation = ReplyExplainer(ServedReplies(language)).explain(long)
    assert explanation.turns[0].weight is None
    assert explanation.turns[-1].weight is not None
    with pytest.raises(DataError, match=r"^the conversation: a reply of .* expected at most 80"):
        ReplyExplainer(ServedReplies(language)).explain(conversation("a", "b" * 90))


def test_texts_and_conversations_go_to_runs_that_answer_them(chat_run: Path, toy_run: Path) -> None:
    with pytest.raises(RunError, match="expected conversations"):
        nlpkit.explain("hello", chat_run)
    with pytest.raises(RunError, match="expected the run of a chat model"):
        nlpkit.explain(TOY, toy_run)
    with pytest.raises(RunError, match="a server replies"):
        nlpkit.explain(TOY, "http://localhost:8000/v1")
    with pytest.raises(ConfigError, match="--method gradients"):
        nlpkit.explain(TOY, chat_run, method="gradients")
    with pytest.raises(ConfigError, match="--runtime onnx"):
        nlpkit.explain(TOY, chat_run, runtime="onnx")
    with pytest.raises(ConfigError, match="--label joy"):
        nlpkit.explain(TOY, chat_run, label="joy")
