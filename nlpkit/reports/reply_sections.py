"""Sections, headlines and summary of a chat model's report.

To add a section, write a function and name it in `REPLY_SECTIONS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nlpkit.metrics.score import Score
from nlpkit.reports.context_sections import (
    HISTORIES,
    Side,
    context,
    context_sentences,
    gains,
    gains_plot,
    gains_table,
    turns_back_plot,
    turns_back_table,
    use_shown,
)
from nlpkit.reports.headline import score_headline
from nlpkit.reports.parts import Headline, Verdict
from nlpkit.reports.reply_findings import Exchange, JudgeVerdict, ReplyFindings
from nlpkit.reports.sections import Example, Message, Prose, Section, Texts
from nlpkit.reports.wording import in_brackets, in_interval, verdict

HEADLINES = ("perplexity", "hits@1", "pmi_hits@1")
"""The scores that stand on top, before the use of context."""


def reply_summary(findings: ReplyFindings) -> tuple[str, ...]:
    """Return the answer in plain words: how good, compared with what, whether it uses what was said, and a
    judge's verdict.
    """
    sentences = [*_perplexity(findings), *_hits(findings), *context_sentences(findings)[:1]]
    if findings.verdict is not None:
        sentences.append(
            judged(findings.verdict, findings.baseline.name if findings.baseline else "the baseline")
        )
    return tuple(sentences)


def reply_count(replies: int, conversations: int | None) -> str:
    """Return how many conversations and replies the numbers are of, in words."""
    behind = f" of {conversations:,} conversations" if conversations else ""
    return f"{replies:,} {'reply' if replies == 1 else 'replies'}{behind}"


def _perplexity(findings: ReplyFindings) -> list[str]:
    score = findings.scores.get("perplexity")
    if score is None or score.value is None:
        return []
    claims = {
        "better": "what people answer surprises it less",
        "worse": "what people answer surprises it more",
    }
    facts = _compared(findings, "perplexity", claims)
    return [f"Its perplexity on replies that it never saw is {score.shown(score.value)}{facts}."]


def _hits(findings: ReplyFindings) -> list[str]:
    claims = {"better": "it knows the true reply more often", "worse": "it knows the true reply less often"}
    starts = {
        "hits@1": f"By likelihood it picks the true reply out of {findings.candidates}",
        "pmi_hits@1": "By how much likelier the history makes each (PMI), it picks it",
    }
    sentences = []
    for name, start in starts.items():
        score = findings.scores.get(name)
        if score is not None and score.value is not None:
            facts = _compared(findings, name, claims, chance=f"{1 / findings.candidates:.0%} by chance")
            sentences.append(f"{start} in {score.shown(score.value)} of cases{facts}.")
    return sentences


def _compared(findings: ReplyFindings, name: str, claims: Mapping[str, str], *, chance: str = "") -> str:
    """Return the baseline's score and what the difference shows; without a baseline, the interval."""
    score, baseline = findings.scores[name], findings.baseline
    theirs = baseline.scores.get(name) if baseline else None
    if baseline is None or theirs is None or theirs.value is None:
        return in_brackets(f"95% interval {score.interval}" if score.interval else "", chance)
    claim = claims.get(verdict(score, baseline.tests.get(name)), "that is not shown to be a difference")
    return f"{in_brackets(f'{baseline.name}: {score.shown(theirs.value)}', chance)}: {claim}"


def judged(verdict_: JudgeVerdict, baseline: str) -> str:
    """Return whose replies the judge preferred, in a sentence."""
    pairs = verdict_.wins + verdict_.losses + verdict_.ties
    rate = verdict_.rate
    if rate.value is None:
        return f"{verdict_.judge} has judged no pair: {rate.undefined or 'no answer could be read'}."
    if rate.low is None or rate.high is None or rate.low <= 0.5 <= rate.high:
        claim = f"is not shown to prefer either its replies or {baseline}'s"
    elif rate.low > 0.5:
        claim = f"prefers its replies to {baseline}'s"
    else:
        claim = f"prefers {baseline}'s replies to its own"
    won = f"it won {rate.shown(rate.value)}{in_interval(rate)}"
    return f"{verdict_.judge}, which saw {pairs:,} pairs of replies in both orders, {claim}: {won}."


def reply_headlines(findings: ReplyFindings) -> tuple[Headline, ...]:
    """Return the numbers on top of the page, with the baseline's."""
    headlines = [
        score_headline(findings.scores, findings.baseline, name)
        for name in HEADLINES
        if name in findings.scores
    ]
    ours, theirs = gains(findings.context), gains(findings.baseline_context)
    if ours:
        name = next(iter(ours))
        baseline = theirs[name].loss if name in theirs else None
        headlines.append(_context_headline(name, use_shown(ours), ours[name].loss, baseline))
    return tuple(headlines)


def _context_headline(name: str, shown: Side, ours: Score, theirs: Score | None) -> Headline:
    """Return the use of context, which needs no baseline: its verdict is against 0, a model that ignores what
    was said.
    """
    words: dict[Side, tuple[Verdict, str]] = {
        "above": ("better", "uses it"),
        "even": ("even", "not shown"),
        "below": ("worse", "misled"),
    }
    word, tag = words[shown]
    start = HISTORIES[name].start[0].lower() + HISTORIES[name].start[1:]
    meaning = f"What it loses {start}. A model that ignores what was said loses 0."
    return Headline(
        score=ours.model_copy(update={"meaning": meaning, "higher_is_better": None}),
        title="Use of context",
        unit="nats a token",
        baseline=theirs,
        verdict=None if ours.value is None else word,
        tag=tag,
        note="against 0",
    )


def judge(findings: ReplyFindings) -> Section | None:
    """Return what a judge preferred."""
    verdict_ = findings.verdict
    if verdict_ is None:
        return None
    unread = f" {verdict_.unreadable:,} of its answers named no winner." if verdict_.unreadable else ""
    return Prose(
        id="judge",
        title="What a judge preferred",
        nav="Judge",
        sentences=(judged(verdict_, findings.baseline.name if findings.baseline else "the baseline"),),
        shares={"won": verdict_.wins, "ties": verdict_.ties, "lost": verdict_.losses},
        closing="Ties are pairs that the judge called equal, or decided by their order; they count half."
        f"{unread} A judge is a model too: read the conversations below before believing it.",
    )


def conversations(findings: ReplyFindings) -> Section | None:
    """Return held-out conversations with the replies of person, run and baseline."""
    if not findings.exchanges:
        return None
    baseline = findings.baseline.name if findings.baseline else "Baseline"
    return Texts(
        id="conversations",
        title="Replies",
        nav="Conversations",
        note="Held-out conversations, up to the turn that the model answers. Read these before trusting "
        "the numbers.",
        examples=tuple(_example(exchange, baseline) for exchange in findings.exchanges),
        shown=4,
    )


def _example(exchange: Exchange, baseline: str) -> Example:
    system = [Message(who="system prompt", text=exchange.system, role="system")] if exchange.system else []
    turns = [
        Message(who="model's side", text=text, role="assistant")
        if role == "assistant"
        else Message(who="user", text=text, role="user")
        for role, text in exchange.history
    ]
    answers = [
        Message(who="The person answered", text=exchange.truth, role="person"),
        Message(who="This run", text=exchange.reply, role="run"),
    ]
    if exchange.baseline is not None:
        answers.append(Message(who=baseline, text=exchange.baseline, role="baseline"))
    return Example(where=exchange.where, messages=(*system, *turns), answers=tuple(answers))


REPLY_SECTIONS: tuple[Callable[[ReplyFindings], Section | None], ...] = (
    context,
    gains_plot,
    turns_back_plot,
    gains_table,
    turns_back_table,
    judge,
    conversations,
)
"""In the order in which they are shown."""
