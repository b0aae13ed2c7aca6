from __future__ import annotations

import math

import pytest

from nlpkit.data.examples import Conversation, Turn
from nlpkit.evaluation.context_use import HistoryScores, context_use, score_histories
from nlpkit.evaluation.items import Item, pick_items
from nlpkit.generation.speaker import Speaker
from nlpkit.reports.reply_findings import ContextUse
from tests.speakers import Copier, Likely, Unigram, conversations


def items_of(count: int = 40, turns: int = 6, items: int = 60) -> tuple[Item, ...]:
    return pick_items(conversations(count, turns), items=items, candidates=20, seed=3).items


def hear(speaker: Speaker, items: tuple[Item, ...]) -> HistoryScores:
    return score_histories(speaker, items, tick=lambda: None)


def use(speaker: Speaker, items: tuple[Item, ...]) -> ContextUse:
    return context_use(hear(speaker, items), seed=3)


def test_a_model_that_ignores_what_was_said_gains_exactly_nothing() -> None:
    found = use(Unigram(), items_of())
    assert [gain.history for gain in found.gains] == ["shuffled", "other", "none"]
    for gain in found.gains:
        for score in (gain.loss, gain.hits):
            assert (score.value, score.low, score.high, score.undefined) == (0, 0, 0, None)
            assert "the same on every item" in score.meaning
    assert len({one.loss.value for one in found.turns_back}) == 1


def test_a_model_that_copies_gains_much_and_surely() -> None:
    gains = {gain.history: gain for gain in use(Copier(), items_of()).gains}
    # Of `thing at at' end` three words were in the true history: two in its last turn. Elsewhere and with
    # nothing said, none was.
    whole = math.log(0.9 * 0.9 * 0.01 * 0.5) / -4, math.log(0.01**3 * 0.5) / -4
    for name in ("other", "none"):
        loss = gains[name].loss
        assert loss.value == pytest.approx(whole[1] - whole[0])
        assert gains[name].hits.value > 0.5
        assert gains[name].hits.low > 0.3
    shuffled = gains["shuffled"].loss
    assert 0.05 < shuffled.low < shuffled.value < shuffled.high < whole[1] - whole[0]


def test_the_gain_by_hand() -> None:
    history = Conversation(
        turns=(
            Turn(role="user", text="red tea"),
            Turn(role="assistant", text="no tea"),
            Turn(role="user", text="then wine"),
        )
    )
    swapped = tuple(
        Turn(role=turn.role, text=text)
        for turn, text in zip(history.turns, ("then wine", "no tea", "red tea"), strict=True)
    )
    item = Item(
        history=history,
        reply="red wine",
        distractors=("blue milk",),
        shuffled=Conversation(turns=swapped),
        foreign=Conversation(
            turns=(
                Turn(role="user", text="red"),
                Turn(role="assistant", text="on"),
                Turn(role="user", text="off"),
            )
        ),
    )
    found = hear(Copier(), (item,))
    true, end = math.log(0.5 * 0.9), math.log(0.5)
    assert found.losses["true"] == pytest.approx([-true - end])
    assert found.losses["shuffled"] == pytest.approx([-math.log(0.9 * 0.5) - end])
    assert found.losses["other"] == pytest.approx([-math.log(0.5 * 0.01) - end])
    assert found.losses["none"] == pytest.approx([-math.log(0.01 * 0.01) - end])
    assert {name: ranks.tolist() for name, ranks in found.ranks.items()} == {
        "true": [1],
        "shuffled": [1],
        "other": [1],
        "none": [1.5],
    }
    assert {turns: losses[0] for turns, losses in found.back.items()} == {
        0: pytest.approx(-math.log(0.01 * 0.01) - end),
        1: pytest.approx(-math.log(0.01 * 0.9) - end),
        2: pytest.approx(-math.log(0.01 * 0.9) - end),
        3: pytest.approx(-true - end),
    }
    gains = {gain.history: gain for gain in context_use(found, seed=0).gains}
    assert gains["none"].loss.value == pytest.approx((math.log(0.45) - math.log(0.0001)) / 3)
    assert gains["none"].hits.value == 1
    assert gains["shuffled"].loss.value == pytest.approx(0)
    # one item says nothing about the uncertainty
    assert gains["none"].loss.low is None


def test_the_speaker_is_asked_once_for_each_history_of_each_item() -> None:
    speaker = Unigram()
    items = items_of(items=10, turns=12)
    hear(speaker, items)
    for item in items:
        asked = [(history.turns, replies) for history, replies in speaker.asked if replies[0] == item.reply]
        assert len({turns for turns, _ in asked}) == len(asked)
        whole = {turns for turns, replies in asked if len(replies) == 20}
        assert len(whole) == 4
        assert {len(turns) for turns, replies in asked if len(replies) == 1} == {
            one for one in (1, 2, 3, 5, 8) if one < len(item.history.turns)
        }


def test_the_curve_ends_with_all_turns() -> None:
    found = use(Copier(), items_of(turns=6))
    assert [one.turns for one in found.turns_back] == [0, 1, 2, 3, 5]
    assert found.turns_back[-1].loss.title == "all turns, up to 5"
    losses = [one.loss.value for one in found.turns_back]
    # The last turn holds all that the reply takes up.
    assert losses[0] > losses[1] == pytest.approx(losses[-1])
    longer = use(Unigram(), items_of(turns=14))
    assert [one.turns for one in longer.turns_back] == [
        0,
        1,
        2,
        3,
        5,
        8,
        max(len(item.history.turns) for item in items_of(turns=14)),
    ]


def test_pairs_of_prompt_and_reply_have_no_order_to_shuffle() -> None:
    gains = {gain.history: gain for gain in use(Copier(), items_of(turns=2)).gains}
    assert gains["shuffled"].loss.value is None
    assert gains["shuffled"].loss.undefined == "no item has two different turns before its reply"
    assert gains["shuffled"].hits.undefined == "no item has two different turns before its reply"
    assert gains["other"].loss.low > 0


def test_without_other_conversations_hits_are_not_measured() -> None:
    gains = {gain.history: gain for gain in use(Copier(), items_of(count=1)).gains}
    assert gains["none"].loss.value > 0
    assert gains["none"].hits.undefined == "other conversations hold no other reply"
    assert gains["other"].loss.undefined == "no other conversation has as many turns"


def test_rounding_is_no_use_of_context() -> None:
    class Rounding(Unigram):
        def log_likelihoods(self, history, replies):  # type: ignore[no-untyped-def]
            shift = 1e-6 * len(history.turns)
            return [
                Likely(one.total + shift, one.tokens) for one in super().log_likelihoods(history, replies)
            ]

    for gain in use(Rounding(), items_of()).gains:
        assert (gain.loss.value, gain.loss.low, gain.loss.high) == (0, 0, 0)


def test_the_gain_weighs_items_by_their_tokens() -> None:
    import numpy as np

    names = ("true", "shuffled", "other", "none")
    found = HistoryScores(
        tokens=np.array([1, 3]),
        losses={name: np.array([2.0, 3.0]) + (name == "none") for name in names},
        ranks={name: np.array([1.0, 2.0]) for name in names},
        pmi_ranks=np.array([1.0, 2.0]),
        back={0: np.array([3.0, 4.0]), 1: np.array([2.0, 3.0])},
        candidates=20,
    )
    # a nat more for each of two items of four tokens
    assert context_use(found, seed=0).gains[2].loss.value == pytest.approx(0.5)
