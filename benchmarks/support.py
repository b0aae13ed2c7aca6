"""The mood of 200 messages to a support desk, compared with VADER, and the threshold of certainty.

The messages and their labels (support_mood.jsonl) were committed before any model had read them. The
threshold is chosen on other texts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import vader
from benchmarks.machine import Machine
from benchmarks.mood_sets import labeled_turns
from benchmarks.results import save, table
from benchmarks.sentences import outcomes_of
from nlpkit.classifiers.classifier import Classifier
from nlpkit.data.examples import LabeledText
from nlpkit.evaluation.behavior import load_suite
from nlpkit.metrics.intervals import bootstrap, exact_share, paired
from nlpkit.metrics.label_probabilities import BRIER, CALIBRATION_ERROR
from nlpkit.metrics.labels import ACCURACY, MACRO_F1
from nlpkit.metrics.outcomes import LabelOutcomes
from nlpkit.reports.wording import p_value

if TYPE_CHECKING:
    from nlpkit.metrics.score import PairedTest, Score

FILE = Path(__file__).parent / "support_mood.jsonl"
METRICS = (ACCURACY, MACRO_F1, CALIBRATION_ERROR, BRIER)
SUITES = ("neutrality", "negation", "emoji")
"""Suites whose `dev` halves help to choose the threshold."""

WANTED = 0.95
"""Share of right answers, of those at or above the threshold, that each source of texts must reach."""
THRESHOLDS = tuple(step / 20 for step in range(14, 20))
"""Thresholds to choose from. Above 2/3 the score of a sure answer lies on the side of its label."""
SEED = 1


def bench(*, results: Path, talk: Callable[[str], None]) -> dict[str, Any]:
    """Measure, write support.json and support.md, and return the results."""
    machine, classifier = Machine(), Classifier.load(None)
    threshold, tuning = choose_threshold(
        {source: _nlpkit(classifier, texts) for source, texts in tuning_texts().items()}
    )
    rows = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
    examples = [LabeledText(text=row["text"], label=row["label"]) for row in rows]
    outcomes = {"nlpkit": _nlpkit(classifier, examples), "VADER": _vader(examples)}
    scores = {name: bootstrap(answers, METRICS, seed=SEED) for name, answers in outcomes.items()}
    test = paired(ACCURACY, outcomes["nlpkit"], outcomes["VADER"], seed=SEED)
    kinds = {
        kind: {name: _right(answers, rows, kind) for name, answers in outcomes.items()}
        for kind in dict.fromkeys(row["kind"] for row in rows)
    }
    sure = sure_answers(outcomes["nlpkit"], threshold)
    record = {
        "scores": {
            name: {metric: score.model_dump() for metric, score in by.items()} for name, by in scores.items()
        },
        "test": test.model_dump(),
        "kinds": kinds,
        "threshold": {"chosen": threshold, "sure": sure, "tuning": tuning},
        "wrong": _wrong(rows, outcomes["nlpkit"]),
    }
    title = f"The mood of {len(rows)} messages to a support desk, compared with VADER"
    lines = page(scores, test, record)
    talk(save(results, "support", record, title=title, machine=machine, lines=lines, timed=False))
    return record


def tuning_texts() -> dict[str, list[LabeledText]]:
    """Return the texts that choose the threshold, by source."""
    suites = {
        suite: [
            LabeledText(text=case.text, label=case.expect[0])
            for case in load_suite(suite, half="dev").cases
            if len(case.expect) == 1
        ]
        for suite in SUITES
    }
    return {**suites, "happy and sad turns": labeled_turns()}


def choose_threshold(answers: dict[str, LabelOutcomes]) -> tuple[float, dict[str, dict[str, float]]]:
    """Return the lowest threshold at which each source is right often enough, and each source's figures."""
    for threshold in THRESHOLDS:
        sure = {source: sure_answers(outcomes, threshold) for source, outcomes in answers.items()}
        if all(figures["right"] >= WANTED for figures in sure.values()):
            break
    return threshold, sure


def sure_answers(outcomes: LabelOutcomes, threshold: float) -> dict[str, float]:
    """Return how many answers are sure, how often those are right, and how often the others are."""
    is_sure = outcomes.probabilities.max(axis=1) >= threshold
    right = outcomes.right
    low, high = exact_share(int(right[is_sure].sum()), int(is_sure.sum()))
    return {
        "texts": len(right),
        "sure": int(is_sure.sum()),
        "right": float(right[is_sure].mean()),
        "low": low,
        "high": high,
        "right_below": float(right[~is_sure].mean()) if (~is_sure).any() else 1.0,
    }


def page(scores: dict[str, dict[str, Score]], test: PairedTest, record: dict[str, Any]) -> list[str]:
    """Return the lines of the Markdown page."""
    threshold, sure = record["threshold"]["chosen"], record["threshold"]["sure"]
    head = ("", *(metric.title for metric in METRICS))
    kinds = [
        [kind, by["nlpkit"]["texts"], *(f"{by[name]['right']}" for name in scores)]
        for kind, by in record["kinds"].items()
    ]
    tuning = [
        [source, figures["texts"], figures["sure"], f"{figures['right']:.1%}"]
        for source, figures in record["threshold"]["tuning"].items()
    ]
    scored = [[name, *(score.shown_with_interval for score in by.values())] for name, by in scores.items()]
    share = f"{sure['right']:.1%} ({sure['low']:.1%} to {sure['high']:.1%})"
    return [
        *table(head, scored),
        "",
        f"Accuracy, nlpkit minus VADER: {test.difference:+.1%}, p {p_value(test)}.",
        "VADER gives no probabilities: its answers count as certain.",
        "",
        *table(("Kind", "Messages", "nlpkit right", "VADER right"), kinds),
        "",
        f"{sure['sure']} of the {sure['texts']} answers have a probability of {threshold:g} or more.",
        f"Of these {share} are right, of the others {sure['right_below']:.1%}.",
        "The threshold was chosen on other texts: the lowest at which",
        f"{WANTED:.0%} of the sure answers are right in each source.",
        "",
        *table(("Other texts", "Texts", "Sure", "Right where sure"), tuning),
    ]


def _nlpkit(classifier: Classifier, examples: Sequence[LabeledText]) -> LabelOutcomes:
    texts = [example.text for example in examples]
    return outcomes_of(examples, [answer.probabilities for answer in classifier.predict(texts)])


def _vader(examples: Sequence[LabeledText]) -> LabelOutcomes:
    compounds = vader.compounds([example.text for example in examples])
    return outcomes_of(examples, [{vader.label_of(compound): 1.0} for compound in compounds])


def _right(outcomes: LabelOutcomes, rows: Sequence[dict[str, str]], kind: str) -> dict[str, int]:
    right = [
        bool(is_right) for is_right, row in zip(outcomes.right, rows, strict=True) if row["kind"] == kind
    ]
    return {"texts": len(right), "right": sum(right)}


def _wrong(rows: Sequence[dict[str, str]], outcomes: LabelOutcomes) -> list[dict[str, Any]]:
    answers = zip(rows, outcomes.right, outcomes.probabilities, strict=True)
    return [
        {
            **row,
            "answer": outcomes.labels[int(probabilities.argmax())],
            "probability": float(probabilities.max()),
        }
        for row, right, probabilities in answers
        if not right
    ]
