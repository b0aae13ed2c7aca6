"""A dialogue report in words: plain sentences, Markdown tables, and the run's model card."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from nlpkit.metrics.score import Score
from nlpkit.reports.card import card, hub_results
from nlpkit.reports.dialogue_report import ContextGain, ContextUse, DialogueReport, Verdict
from nlpkit.reports.wording import (
    cell,
    closing_sections,
    rival_table,
    score_table,
    section,
    surely,
    table,
    verdict,
)

Side: TypeAlias = Literal["above", "below", "even"]

HUB_METRICS = {"perplexity": "perplexity", "bleu": "bleu", "chrf": "chrf", "bertscore": "bertscore"}
"""What the hub calls our metrics; the others keep their names."""


@dataclass(frozen=True, kw_only=True)
class Without:
    """How a history that is not the true one is spoken of."""

    name: str
    start: str
    claims: Mapping[Side, str]


HISTORIES: dict[str, Without] = {
    "none": Without(
        name="none at all",
        start="Without its history",
        claims={
            "above": "it uses what was said",
            "even": "it is not shown to use its context",
            "below": "its history misleads it",
        },
    ),
    "other": Without(
        name="another conversation's",
        start="With the history of another conversation",
        claims={
            "above": "it uses what was said in this one",
            "even": "it is not shown to tell its conversation from another",
            "below": "its own history misleads it",
        },
    ),
    "shuffled": Without(
        name="its turns in another order",
        start="With its turns in another order",
        claims={
            "above": "it uses the order in which things were said",
            "even": "it is not shown to use the order of the turns",
            "below": "the true order misleads it",
        },
    ),
}
"""From what is easiest to what is hardest for a model."""

ANY_HISTORY = "a history helps it, though it is not shown that it must be the true one"


def sentences(report: DialogueReport) -> Iterator[str]:
    """The answer in plain words: how good, against what, whether it uses what was said, and what a judge preferred."""
    yield from _perplexity(report)
    yield from _hits(report)
    yield from list(context_sentences(report))[:1]
    if report.verdict is not None:
        yield judged(report.verdict, report.rival.name if report.rival else "its rival")


def _perplexity(report: DialogueReport) -> Iterator[str]:
    score = report.scores.get("perplexity")
    if score is None or score.value is None:
        return
    claims = {
        "better": "what people answer surprises it less",
        "worse": "what people answer surprises it more",
    }
    yield f"Its perplexity on replies that it never saw is {score.shown(score.value)}{_beside(report, 'perplexity', claims)}."


def _hits(report: DialogueReport) -> Iterator[str]:
    claims = {"better": "it knows the true reply more often", "worse": "it knows the true reply less often"}
    starts = {
        "hits@1": f"By likelihood it picks the true reply out of {report.candidates}",
        "pmi_hits@1": "By how much likelier the history makes each (PMI), it picks it",
    }
    for name, start in starts.items():
        score = report.scores.get(name)
        if score is not None and score.value is not None:
            chance = f"{1 / report.candidates:.0%} by chance"
            yield f"{start} in {score.shown(score.value)} of cases{_beside(report, name, claims, chance=chance)}."


def _beside(report: DialogueReport, name: str, claims: Mapping[str, str], *, chance: str = "") -> str:
    """The rival's score and what the difference shows; without a rival, the interval."""
    score, rival = report.scores[name], report.rival
    theirs = rival.scores.get(name) if rival else None
    if rival is None or theirs is None or theirs.value is None:
        known = [f"95% interval {score.interval}"] if score.interval else []
        return _behind(*known, chance)
    claim = claims.get(verdict(score, rival.tests.get(name)), "that is not shown to be a difference")
    return f"{_behind(f'{rival.name}: {score.shown(theirs.value)}', chance)}: {claim}"


def _behind(*facts: str) -> str:
    known = "; ".join(fact for fact in facts if fact)
    return f" ({known})" if known else ""


def context_sentences(report: DialogueReport) -> Iterator[str]:
    """What each history but the true one costs the run, and what that shows."""
    ours, theirs = gains(report.context), gains(report.rival.context if report.rival else ContextUse())
    for name, one in ours.items():
        words = HISTORIES[name]
        if one.loss.value is None:
            yield f"{words.start}: not measured, {one.loss.undefined or 'no value'}."
            continue
        found = side(one.loss)
        claim = words.claims[found] if name != "none" or use_shown(ours) == found else ANY_HISTORY
        beside = theirs[name].loss if name in theirs else None
        rival = (
            f"{report.rival.name}: {_nats(beside)}"
            if report.rival and beside is not None and beside.value is not None
            else ""
        )
        yield f"{words.start} it {_nats(one.loss, interval=True, rival=rival)}: {claim}."


def use_shown(ours: Mapping[str, ContextGain]) -> Side:
    """What the first of the gains shows. Any history can help, as a sample of how people here speak: so another's must help less."""
    found = [side(one.loss) for one in ours.values()]
    if found[0] == "above" and "other" in ours and side(ours["other"].loss) != "above":
        return "even"
    return found[0]


def _nats(score: Score, *, interval: bool = False, rival: str = "") -> str:
    """`loses 0.41 nats a token (95% interval 0.36 to 0.46; base: loses 0.30)`; a loss below zero is a gain."""
    value = score.value or 0.0
    sign, digits = (-1 if value < 0 else 1), (2 if abs(value) >= 0.1 else 3)
    words = f"{'gains' if value < 0 else 'loses'} {abs(value):.{digits}f}"
    if not interval:
        return words
    low, high = sorted((sign * (score.low or 0.0), sign * (score.high or 0.0)))
    known = (
        f"95% interval {low:.{digits}f} to {high:.{digits}f}"
        if score.low is not None and score.high is not None
        else ""
    )
    return f"{words} nats a token{_behind(known, rival)}"


def gains(context: ContextUse) -> dict[str, ContextGain]:
    """The gains by history, from what is easiest to what is hardest."""
    found = {one.history: one for one in context.gains}
    return {name: found[name] for name in HISTORIES if name in found}


def side(score: Score) -> Side:
    """On which side of zero the whole interval lies."""
    if score.low is None or score.high is None or score.low <= 0 <= score.high:
        return "even"
    return "above" if score.low > 0 else "below"


def judged(found: Verdict, rival: str) -> str:
    """Whose replies the judge preferred, in a sentence."""
    pairs = found.wins + found.losses + found.ties
    rate = found.rate
    if rate.value is None:
        return f"{found.judge} has judged no pair: {rate.undefined or 'no answer could be read'}."
    if rate.low is None or rate.high is None or rate.low <= 0.5 <= rate.high:
        claim = f"is not shown to prefer either its replies or {rival}'s"
    else:
        claim = (
            f"prefers its replies to {rival}'s" if rate.low > 0.5 else f"prefers {rival}'s replies to its own"
        )
    return f"{found.judge}, who saw {pairs:,} pairs of replies in both orders, {claim}: it won {rate.shown(rate.value)}{surely(rate)}."


def to_markdown(report: DialogueReport) -> str:
    """The numbers as Markdown tables. Holds no texts of people."""
    rival = report.rival
    parts = [
        f"# {cell(report.run)} on {cell(report.data)}",
        f"{measured_on(report)}, {report.created:%Y-%m-%d %H:%M %Z}.",
        "\n".join(f"- {cell(one)}" for one in (*sentences(report), *list(context_sentences(report))[1:])),
        score_table(report.scores),
        section(f"Against {rival.name}", rival_table(report.scores, rival)) if rival else "",
        section("What another history costs (nats a token; share of hits@1)", _context_table(report)),
        section("Loss by turns back (nats a token)", _back_table(report)),
        section("Judge", _judge_table(report.verdict)),
        *closing_sections(report.data_card, report.cost, report.versions),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def measured_on(report: DialogueReport) -> str:
    """How many conversations and replies the numbers are of."""
    replies = report.replies or max((score.count for score in report.scores.values()), default=0)
    behind = f" of {report.conversations:,} conversations" if report.conversations else ""
    return f"{replies:,} {'reply' if replies == 1 else 'replies'}{behind}"


def _context_table(report: DialogueReport) -> str:
    rows = [
        (
            who,
            HISTORIES[name].name,
            one.loss.shown(one.loss.value),
            one.loss.interval,
            one.hits.shown(one.hits.value),
            one.hits.interval,
        )
        for who, context in _sides(report)
        for name, one in gains(context).items()
    ]
    return table(
        ("Model", "History instead of the true one", "Loss", "95% interval", "hits@1 lost", "95% interval"),
        rows,
    )


def _back_table(report: DialogueReport) -> str:
    rows = [
        (who, one.turns, one.loss.shown(one.loss.value), one.loss.interval)
        for who, context in _sides(report)
        for one in context.turns_back
    ]
    return table(("Model", "Turns", "Loss", "95% interval"), rows)


def _sides(report: DialogueReport) -> Iterable[tuple[str, ContextUse]]:
    return [
        ("this run", report.context),
        *([(report.rival.name, report.rival.context)] if report.rival else []),
    ]


def _judge_table(found: Verdict | None) -> str:
    if found is None:
        return ""
    row = (
        found.judge,
        found.wins,
        found.ties,
        found.losses,
        found.unreadable,
        found.rate.shown(found.rate.value),
        found.rate.interval,
    )
    return table(("Judge", "Won", "Ties", "Lost", "Unreadable", "Share won", "95% interval"), [row])


def model_card(
    report: DialogueReport,
    record: Mapping[str, Any],
    *,
    language: str | None = None,
    licence: str | None = None,
) -> str:
    """README.md of a dialogue run: the hub's metadata, how to talk to it with and without nlpkit, its numbers and its limits.

    Args:
        report: of the held-out conversations.
        record: what `run.json` holds.
        language: ISO 639 code of the texts, where known.
        licence: of the adapter, as the hub spells it, where known.
    """
    task = "text-generation"
    return card(
        "dialogue_card.md.jinja",
        report,
        record,
        metadata={
            "eval_results": hub_results(report, task, HUB_METRICS) or None,
            "language": language,
            "license": licence,
            "pipeline_tag": task,
            "tags": ["nlpkit", "lora", "dialogue", "conversational"],
        },
        measured=measured_on(report),
        said=[*sentences(report), *list(context_sentences(report))[1:]],
        system=record["task"].get("system") or "",
        rivals=rival_table(report.scores, report.rival) if report.rival else "",
    )
