"""The verdict on a run that learned preferences, from likelihoods that are worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp

import pytest

from nlpkit.data.examples import Conversation, Turn
from nlpkit.data.preferences import Preference, RatedReply, ReplyPair
from nlpkit.evaluation.preferences import Comparison, compare, in_words, score_rows


@dataclass
class Said:
    total: float
    tokens: int


@dataclass
class Scripted:
    """A model that finds each token as likely as the script says; a reply has as many tokens as letters."""

    script: dict[str, float]
    name: str = "scripted"

    def log_likelihoods(self, history: Conversation, replies: Sequence[str]) -> list[Said]:
        return [Said(self.script[reply] * len(reply), len(reply)) for reply in replies]

    def reply(self, history: Conversation, *, seed: int) -> str:
        return ""


def history(place: int) -> Conversation:
    return Conversation(turns=(Turn(role="user", text=f"question {place}"),))


def pairs(count: int) -> list[ReplyPair]:
    return [
        ReplyPair(history=history(place), chosen=f"good{place:03}", rejected=f"bad and longer{place:03}")
        for place in range(count)
    ]


def verdict(old: dict[str, float], new: dict[str, float], held: Sequence[Preference]) -> Comparison:
    return compare(score_rows(Scripted(old), held), score_rows(Scripted(new), held), held, seed=1)


def script(held: Sequence[ReplyPair], right: int, *, good: float = -1.0) -> dict[str, float]:
    """The first `right` pairs are ranked right."""
    found = {}
    for place, pair in enumerate(held):
        found |= {pair.chosen: good, pair.rejected: good - 1 if place < right else good + 0.5}
    return found


def test_a_run_that_ranks_more_pairs_right_is_promoted() -> None:
    held = pairs(100)
    found = verdict(script(held, 50), script(held, 80), held)
    assert (found.measure, found.held_out, found.verdict) == ("pair_accuracy", 100, "promoted")
    assert (found.preference.old.value, found.preference.new.value) == (0.5, 0.8)
    assert found.preference.test.difference == pytest.approx(0.3)
    # 30 of 100 pairs differ by 1: the standard error is sqrt(0.3 * 0.7 / 100) = 0.0458
    assert found.preference.test.low == pytest.approx(0.3 - 1.96 * 0.0458, abs=0.02)
    assert found.preference.test.high == pytest.approx(0.3 + 1.96 * 0.0458, abs=0.02)
    assert found.perplexity.old.value == found.perplexity.new.value == pytest.approx(exp(1))
    assert found.reasons == ("it prefers what people liked more than the old run",)


def test_a_small_gain_is_promoted_and_said_to_be_unsure() -> None:
    held = pairs(20)
    found = verdict(script(held, 10), script(held, 11), held)
    assert found.verdict == "promoted"
    assert "too few rows to show it" in found.reasons[0]


@pytest.mark.parametrize("right", [50, 49])
def test_a_run_that_ranks_no_more_pairs_right_is_refused(right: int) -> None:
    held = pairs(100)
    found = verdict(script(held, 50), script(held, right), held)
    assert found.verdict == "refused"
    assert found.reasons == (
        f"it prefers what people liked no more than the old run (50.0% -> {right:.1f}%)",
    )


def test_a_tie_is_not_a_preference() -> None:
    held = pairs(10)
    tied = {reply: -1.0 for pair in held for reply in (pair.chosen, pair.rejected)}
    assert verdict(tied, script(held, 10), held).preference.old.value == 0.0


@pytest.mark.parametrize(("worse", "expected"), [(1.049, "promoted"), (1.051, "refused")])
def test_liked_replies_may_become_five_percent_less_likely_and_no_more(worse: float, expected: str) -> None:
    from math import log

    held = pairs(100)
    found = verdict(script(held, 50), script(held, 80, good=-1.0 - log(worse)), held)
    assert found.perplexity.new.value == pytest.approx(exp(1) * worse)
    assert found.verdict == expected
    assert ("liked replies became less likely" in found.reasons[0]) == (expected == "refused")


def test_both_reasons_are_given() -> None:
    held = pairs(100)
    assert len(verdict(script(held, 50), script(held, 40, good=-3.0), held).reasons) == 2


def test_rated_replies_are_compared_by_how_well_liked_ones_are_told_apart() -> None:
    held = [
        RatedReply(history=history(place), reply=f"reply {place}", liked=place % 2 == 0)
        for place in range(40)
    ]
    old = {row.reply: -1.0 - 0.01 * place for place, row in enumerate(held)}
    new = {row.reply: -1.0 if row.liked else -2.0 for row in held}
    found = verdict(old, new, held)
    # old: the liked reply of rank i stands above 20 - i of the 20 disliked ones: (20 + 19 + ... + 1) / 400
    assert found.preference.old.value == pytest.approx(0.525)
    assert (found.measure, found.preference.new.value, found.verdict) == ("auroc", 1.0, "promoted")
    # the perplexity is that of the liked replies alone
    assert found.perplexity.new.value == pytest.approx(exp(1))


def test_perplexity_counts_tokens_not_replies() -> None:
    held = [
        RatedReply(history=history(place), reply=reply, liked=reply != "no")
        for place, reply in enumerate(["aa", "bbbbbb", "no", "cc", "no"])
    ]
    likely = {"aa": -1.0, "bbbbbb": -2.0, "cc": -1.0, "no": -5.0}
    # (2 * 1 + 6 * 2 + 2 * 1) / 10 tokens
    assert verdict(likely, likely, held).perplexity.old.value == pytest.approx(exp(1.6))


def test_the_words_name_both_measures_and_the_verdict() -> None:
    held = pairs(100)
    lines = in_words(verdict(script(held, 50), script(held, 80), held))
    assert lines[0].startswith("Preference accuracy: 50.0% -> 80.0%, difference +0.300 [+0.2")
    assert lines[1].startswith("Perplexity of liked replies: 2.718 -> 2.718, difference +0.000")
    assert lines[2] == "promoted: it prefers what people liked more than the old run"


def test_a_comparison_survives_run_json() -> None:
    held = pairs(30)
    found = verdict(script(held, 10), script(held, 20), held)
    assert Comparison.model_validate(found.model_dump(mode="json")) == found


@pytest.mark.parametrize(("good", "expected"), [(-0.8, "promoted"), (-1.0, "refused"), (-1.04, "refused")])
def test_j7_where_both_rank_all_right_the_perplexity_decides(good: float, expected: str) -> None:
    held = pairs(100)
    found = verdict(script(held, 100), script(held, 100, good=good), held)
    assert found.preference.old.value == found.preference.new.value == 1.0
    assert found.verdict == expected
    if expected == "promoted":
        assert found.perplexity.test.high < 0
        assert found.reasons == (
            "both runs rank all held-out replies right, and liked ones became likelier: perplexity "
            f"{exp(1):.3f} -> {exp(0.8):.3f}",
        )
    else:
        assert "are not shown to be likelier" in found.reasons[0]


def test_j7_a_fall_that_chance_may_explain_promotes_nothing() -> None:
    held = pairs(20)
    old = script(held, 20)
    better = {pair.chosen: -0.2 if place % 2 else -1.75 for place, pair in enumerate(held)}
    new = {**old, **better, **{pair.rejected: -9.0 for pair in held}}
    found = verdict(old, new, held)
    assert found.perplexity.new.value < found.perplexity.old.value
    assert found.perplexity.test.high > 0
    assert found.verdict == "refused"


def test_j7_below_all_right_a_better_perplexity_alone_promotes_nothing() -> None:
    held = pairs(100)
    assert verdict(script(held, 50), script(held, 50, good=-0.5), held).verdict == "refused"


def test_j7_auroc_at_its_end_is_promoted_by_perplexity_too() -> None:
    held = [
        RatedReply(history=history(place), reply=f"reply {place}", liked=place % 2 == 0)
        for place in range(40)
    ]
    old = {row.reply: -1.0 if row.liked else -2.0 for row in held}
    new = {row.reply: -0.7 if row.liked else -2.0 for row in held}
    found = verdict(old, new, held)
    assert (found.measure, found.preference.old.value, found.verdict) == ("auroc", 1.0, "promoted")
