from __future__ import annotations

from typing import Any

import pytest

from nlpkit.metrics.score import Score
from nlpkit.reports.context_sections import context_sentences
from nlpkit.reports.parts import Baseline
from nlpkit.reports.reply_findings import JudgeVerdict, ReplyFindings
from nlpkit.reports.reply_sections import (
    REPLY_SECTIONS,
    judged,
    reply_count,
    reply_headlines,
    reply_summary,
)
from tests.dialogue_sample import compared, context, findings, score


def rated(
    value: float | None, low: float | None = None, high: float | None = None, **fields: Any
) -> JudgeVerdict:
    rate = Score(value=value, low=low, high=high, count=10, percent=True)
    return JudgeVerdict(rate=rate, **{"judge": "J", "wins": 6, "losses": 3, "ties": 1, **fields})


def test_a_clear_answer_is_said_clearly() -> None:
    assert list(reply_summary(findings())) == [
        "Its perplexity on replies that it never saw is 23.41 (smollm2-135m: 28.84): what people "
        "answer surprises it less.",
        "By likelihood it picks the true reply out of 20 in 31.0% of cases (smollm2-135m: 22.0%; 5% by "
        "chance): "
        "it knows the true reply more often.",
        "By how much likelier the history makes each (PMI), it picks it in 64.0% of cases "
        "(smollm2-135m: 48.0%; 5% by chance): "
        "it knows the true reply more often.",
        "Without its history it loses 0.41 nats a token (95% interval 0.36 to 0.46; smollm2-135m: "
        "loses 0.30): it uses what was said.",
        "qwen2.5-72b, which saw 100 pairs of replies in both orders, prefers its replies to smollm2-135m's: "
        "it won 67.0% (95% interval 59.0% to 75.0%).",
    ]


def test_an_uncertain_difference_is_not_claimed_and_a_worse_one_is_owned() -> None:
    tests = {
        "perplexity": compared("perplexity", 0.4, -0.1, 0.9, 0.1),
        "hits@1": compared("hits@1", -0.05, -0.09, -0.01, 0.02),
    }
    baseline = Baseline(
        name="old",
        scores={"perplexity": score("perplexity", 23.0), "hits@1": score("hits@1", 0.36)},
        tests=tests,
    )
    found = reply_summary(findings(baseline=baseline, verdict=None))
    assert found[0] == (
        "Its perplexity on replies that it never saw is 23.41 (old: 23.00): that is not shown to "
        "be a difference."
    )
    picked = "By likelihood it picks the true reply out of 20 in 31.0% of cases"
    assert found[1] == f"{picked} (old: 36.0%; 5% by chance): it knows the true reply less often."


def test_without_a_baseline_there_are_intervals_and_chance() -> None:
    assert list(reply_summary(findings(baseline=None, verdict=None))) == [
        "Its perplexity on replies that it never saw is 23.41 (95% interval 22.15 to 24.80).",
        "By likelihood it picks the true reply out of 20 in 31.0% of cases (95% interval 26.5% to "
        "35.5%; 5% by chance).",
        "By how much likelier the history makes each (PMI), it picks it in 64.0% of cases (95% "
        "interval 59.0% to 69.0%; 5% by chance).",
        "Without its history it loses 0.41 nats a token (95% interval 0.36 to 0.46): it uses what was said.",
    ]


def test_of_nothing_nothing_is_said() -> None:
    bare = ReplyFindings(scores={"perplexity": score("perplexity", None, count=0)})
    assert reply_summary(bare) == ()
    assert context_sentences(bare) == []
    assert reply_count(1, None) == "1 reply"


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (
            rated(0.65, 0.55, 0.7),
            "prefers its replies to base's: it won 65.0% (95% interval 55.0% to 70.0%).",
        ),
        (
            rated(0.35, 0.3, 0.4),
            "prefers base's replies to its own: it won 35.0% (95% interval 30.0% to 40.0%).",
        ),
        (
            rated(0.55, 0.4, 0.7),
            "is not shown to prefer either its replies or base's: it won 55.0% (95% interval 40.0% to "
            "70.0%).",
        ),
        (rated(None, wins=0, losses=0, ties=0), "J has judged no pair: no answer could be read."),
    ],
)
def test_what_a_judge_shows(verdict: JudgeVerdict, expected: str) -> None:
    assert judged(verdict, "base").endswith(expected)


@pytest.mark.parametrize(
    ("losses", "tag"),
    [
        ((("none", 0.4, 0.3, 0.5),), "uses it"),
        ((("none", 0.01, -0.1, 0.1),), "not shown"),
        ((("none", -0.2, -0.3, -0.1),), "misled"),
        ((("none", 0.4, 0.3, 0.5), ("other", 0.0, -0.1, 0.1)), "not shown"),
    ],
)
def test_the_use_of_context_is_claimed_only_where_it_is_shown(losses: tuple[Any, ...], tag: str) -> None:
    found = findings(context=context(*losses))
    assert [headline.tag for headline in reply_headlines(found)] == ["better", "better", "better", tag]


def test_without_findings_there_are_no_sections() -> None:
    assert [make(ReplyFindings(scores={})) for make in REPLY_SECTIONS] == [None] * len(REPLY_SECTIONS)
    assert reply_headlines(ReplyFindings(scores={})) == ()
