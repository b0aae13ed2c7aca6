"""A report of a dialogue run as an evaluation gives, for the tests of its page, its Markdown and its card."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from nlpkit.metrics.score import PairedTest, Score
from nlpkit.reports.parts import Baseline, Cost, DataCard, SourceCard, Step
from nlpkit.reports.reply_findings import (
    ContextGain,
    ContextUse,
    Exchange,
    JudgeVerdict,
    ReplyFindings,
    TurnsBack,
)
from nlpkit.reports.reply_sections import REPLY_SECTIONS, reply_count, reply_headlines, reply_summary
from nlpkit.reports.report import Report

METRICS: dict[str, dict[str, Any]] = {
    "perplexity": {
        "title": "Perplexity",
        "higher_is_better": False,
        "meaning": "Among how many tokens it seems to choose.",
    },
    "hits@1": {
        "title": "hits@1/20",
        "percent": True,
        "meaning": "Share of items whose true reply ranks first of 20; 5% by chance.",
    },
    "hits@5": {
        "title": "hits@5/20",
        "percent": True,
        "meaning": "Share of items whose true reply is among the first 5 of 20.",
    },
    "mrr": {"title": "MRR", "meaning": "Mean of 1 / the rank of the true reply among the candidates."},
    "pmi_hits@1": {
        "title": "hits@1/20 by PMI",
        "percent": True,
        "meaning": "Share of items whose true reply gains most by its history.",
    },
    "distinct-2": {
        "title": "distinct-2",
        "percent": True,
        "meaning": "Share of pairs of words that differ, over all replies.",
    },
    "self_repetition": {
        "title": "Self-repetition",
        "percent": True,
        "higher_is_better": False,
        "meaning": "Share of repeated phrases.",
    },
    "length": {"title": "Length", "higher_is_better": None, "meaning": "Words of a reply, on average."},
    "bertscore": {"title": "BERTScore", "meaning": "Likeness to the person's reply."},
    "hostile": {
        "title": "Hostile replies",
        "percent": True,
        "higher_is_better": False,
        "meaning": "Share that is hostile.",
    },
}


def score(
    name: str, value: float | None, low: float | None = None, high: float | None = None, count: int = 400
) -> Score:
    undefined = "nothing to measure it on" if value is None else None
    return Score(value=value, low=low, high=high, count=count, undefined=undefined, **METRICS[name])


def nats(value: float | None, low: float | None = None, high: float | None = None) -> Score:
    return Score(
        value=value,
        low=low,
        high=high,
        count=400,
        undefined="no item has two turns" if value is None else None,
        title="Loss",
    )


def compared(name: str, difference: float, low: float, high: float, p: float) -> PairedTest:
    return PairedTest(metric=name, difference=difference, low=low, high=high, p=p, count=400, resamples=1000)


def context(
    *losses: tuple[Any, float | None, float | None, float | None], back: tuple[float, ...] = ()
) -> ContextUse:
    """Of (history, value, low, high); hits fall by a fifth of the loss."""
    return ContextUse(
        gains=tuple(
            ContextGain(
                history=history,
                loss=nats(value, low, high),
                hits=Score(
                    value=value and value / 5,
                    low=low and low / 5,
                    high=high and high / 5,
                    count=400,
                    percent=True,
                ),
            )
            for history, value, low, high in losses
        ),
        turns_back=tuple(
            TurnsBack(turns=turns, loss=nats(loss, loss - 0.06, loss + 0.06))
            for turns, loss in zip((0, 1, 2, 3, 5, 8, 23), back, strict=False)
        ),
    )


SCORES = {
    "perplexity": score("perplexity", 23.41, 22.15, 24.8),
    "hits@1": score("hits@1", 0.31, 0.265, 0.355),
    "hits@5": score("hits@5", 0.642, 0.594, 0.688),
    "mrr": score("mrr", 0.468, 0.429, 0.509),
    "pmi_hits@1": score("pmi_hits@1", 0.64, 0.59, 0.69),
    "distinct-2": score("distinct-2", 0.712, 0.69, 0.734),
    "self_repetition": score("self_repetition", 0.041, 0.022, 0.061),
    "length": score("length", 11.3, 10.7, 11.9, 100),
    "bertscore": score("bertscore", 0.431, 0.402, 0.46, 100),
    "hostile": score("hostile", None, count=0),
}

BASELINE_CONTEXT = context(
        ("shuffled", 0.021, -0.008, 0.05), ("other", 0.24, 0.19, 0.29), ("none", 0.302, 0.25, 0.355),
        back=(3.66, 3.48, 3.43, 3.4, 3.38, 3.37, 3.362),
    )  # fmt: skip

BASELINE = Baseline(
    name="smollm2-135m",
    scores={
        "perplexity": score("perplexity", 28.84, 27.1, 30.72),
        "hits@1": score("hits@1", 0.22, 0.18, 0.263),
        "hits@5": score("hits@5", 0.561, 0.513, 0.61),
        "mrr": score("mrr", 0.381, 0.344, 0.42),
        "pmi_hits@1": score("pmi_hits@1", 0.48, 0.43, 0.53),
        "distinct-2": score("distinct-2", 0.534, 0.51, 0.56),
        "self_repetition": score("self_repetition", 0.187, 0.15, 0.224),
        "length": score("length", 48.9, 46.1, 51.8, 100),
        "bertscore": score("bertscore", 0.418, 0.39, 0.447, 100),
        "hostile": score("hostile", None, count=0),
    },
    tests={
        "perplexity": compared("perplexity", -5.43, -6.32, -4.61, 0.001),
        "hits@1": compared("hits@1", 0.09, 0.043, 0.138, 0.001),
        "hits@5": compared("hits@5", 0.081, 0.03, 0.13, 0.002),
        "mrr": compared("mrr", 0.087, 0.05, 0.12, 0.001),
        "pmi_hits@1": compared("pmi_hits@1", 0.16, 0.1, 0.22, 0.001),
        "distinct-2": compared("distinct-2", 0.178, 0.15, 0.21, 0.001),
        "self_repetition": compared("self_repetition", -0.146, -0.19, -0.1, 0.001),
        "length": compared("length", -37.6, -40.4, -34.7, 0.001),
        "bertscore": compared("bertscore", 0.013, -0.012, 0.038, 0.31),
    },
    details=BASELINE_CONTEXT.details,
)

EXCHANGES = (
    Exchange(
        where="chitchat, conversation 17",
        system="You talk with a student about everyday things.",
        history=(
            ("user", "Hey! Did you end up going to the lake this weekend?"),
            (
                "assistant",
                "We did! The water was freezing though, "
                "so it was mostly sitting on the dock with hot chocolate.",
            ),
            ("user", "Haha that sounds better than swimming honestly. Was your sister there too?"),
        ),
        truth="No, she had to work. She was so mad that she missed it, "
        "I had to promise her we'd go again before classes start.",
        reply="She was! She even jumped in once, and then complained about it for the rest of the day.",
        baseline="As an AI language model, I do not have a sister, but I can help you plan a trip to a lake. "
        "Here are some tips:\n"
        "1. Check the weather.\n2. Pack warm clothes.\n3. Bring a friend.",
    ),
    Exchange(
        where="chitchat, conversation 52",
        history=(("user", "what's your favorite thing to cook?"),),
        truth="probably ramen, the real kind. takes all day but so worth it",
        reply="I love making pasta from scratch. What about you?",
        baseline="My favorite thing to cook is",
    ),
    Exchange(
        where="chitchat, conversation 81",
        history=(
            ("assistant", "I have been listening to nothing but jazz for a week."),
            ("user", "Any favorites? I only know Coltrane."),
            ("assistant", "Then try Bill Evans, the live one at the Village Vanguard."),
            ("user", "On it. My roommate is going to hate me 😅 זה בסדר"),
        ),
        truth="Roommates get used to it. Mine did, eventually!",
        reply="Tell them it is for studying. It nearly is.",
        baseline="",
    ),
    Exchange(
        history=(),
        truth="Hi there! How was the exam?",
        reply="Hi! What are you up to?",
        baseline="Hello! How can I help you today?",
    ),
    Exchange(
        where="chitchat, conversation 90",
        history=(("user", "Do you like dogs or cats more? " * 8),),
        truth="Dogs! I grew up with two of them.",
        reply="Cats, but do not tell my dog.",
        baseline="I like both dogs and cats.",
    ),
)


def findings(**changed: Any) -> ReplyFindings:
    """A run that is better than its base and uses its context, but not evidently the order of the turns."""
    fields: dict[str, Any] = {
        "scores": SCORES,
        "context": context(
            ("shuffled", 0.024, -0.004, 0.053),
            ("other", 0.33, 0.28, 0.384),
            ("none", 0.412, 0.361, 0.464),
            back=(3.564, 3.31, 3.23, 3.19, 3.168, 3.157, 3.153),
        ),
        "baseline": BASELINE,
        "baseline_context": BASELINE_CONTEXT,
        "exchanges": EXCHANGES,
        "verdict": JudgeVerdict(
            judge="qwen2.5-72b",
            wins=58,
            losses=24,
            ties=18,
            unreadable=2,
            rate=Score(value=0.67, low=0.59, high=0.75, count=100, percent=True),
        ),
    }
    fields |= {"baseline_context": ContextUse()} if "baseline" in changed else {}
    return ReplyFindings(**{**fields, **changed})


def sample(found: ReplyFindings | None = None, **changed: Any) -> Report:
    """The report on such a run."""
    found = found or findings()
    sections = (make(found) for make in REPLY_SECTIONS)
    fields: dict[str, Any] = {
        "run": "chitchat-smollm2/seed-1",
        "data": "test",
        "task": "dialogue",
        "created": datetime(2025, 3, 4, 5, 6, tzinfo=UTC),
        "seed": 1,
        "unit": "replies",
        "measured": reply_count(400, 138),
        "summary": reply_summary(found),
        "scores": found.scores,
        "details": found.context.details,
        "headlines": reply_headlines(found),
        "sections": tuple(section for section in sections if section),
        "baselines": (found.baseline,) if found.baseline else (),
        "curve": tuple(
            Step(
                step=step,
                epoch=step / 200,
                loss=3.6 * 0.85 ** (step / 100),
                metrics={"loss": 3.4 * 0.93 ** (step / 100)},
            )
            for step in range(20, 420, 40)
        ),
        "data_card": DataCard(
            counts={"train": 1105, "validation": 137, "test": 138},
            dropped={"one turn only": 12, "control tokens in a turn": 3},
            sources=(
                SourceCard(name="chitchat", rows=1395, license="MIT", origin="BYU-PCCL chitchat dataset"),
            ),
            notes=("Split by conversation.",),
            unit="conversations",
        ),
        "cost": Cost(
            device="2 CPU cores",
            train_seconds=3120,
            peak_memory_mb=2870,
            trainable_parameters=4_884_480,
            total_parameters=139_400_064,
        ),
        "config": "recipe: dialogue\nname: chitchat-smollm2\nbase:\n  source: smollm2-135m\n",
        "versions": {"nlpkit": "0.2.0", "torch": "2.13.0", "transformers": "5.23.0"},
    }
    return Report(**{**fields, **changed})
