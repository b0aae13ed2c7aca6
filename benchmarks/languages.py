"""The built-in classifiers on sentences of our own in six languages, which none of them was trained on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.machine import Machine
from benchmarks.results import save, table
from benchmarks.sentences import outcomes_of
from nlpkit.classifiers.classifier import Classifier
from nlpkit.data.examples import LabeledText
from nlpkit.metrics.intervals import bootstrap
from nlpkit.metrics.labels import ACCURACY, MACRO_F1
from nlpkit.metrics.score import Score
from nlpkit.run import BUILT_IN

FILE = Path(__file__).parent / "languages.jsonl"
METRICS = (ACCURACY, MACRO_F1)
SEED = 1


def bench(*, results: Path, talk: Callable[[str], None]) -> dict[str, Any]:
    """Measure, write languages.json and languages.md, and return the results."""
    machine = Machine()
    rows = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
    languages = list(dict.fromkeys(row["language"] for row in rows))
    classifiers = {name: Classifier.load(name) for name in BUILT_IN}
    scores = {
        language: {
            name: _scores(classifier, [row for row in rows if row["language"] == language])
            for name, classifier in classifiers.items()
        }
        for language in languages
    }
    lines = table(
        ("Language", *(f"{metric.title} of {name}" for metric in METRICS for name in BUILT_IN)),
        [[language, *_cells(scores[language])] for language in languages],
    )
    record = {
        language: {
            name: {metric: score.model_dump() for metric, score in measured.items()}
            for name, measured in named.items()
        }
        for language, named in scores.items()
    }
    title = "The built-in classifiers in six languages: 100 sentences each"
    talk(save(results, "languages", record, title=title, machine=machine, lines=lines, timed=False))
    return record


def _scores(classifier: Classifier, rows: list[dict[str, str]]) -> dict[str, Any]:
    examples = [LabeledText(text=row["text"], label=row["label"]) for row in rows]
    answers = classifier.predict([example.text for example in examples])
    outcomes = outcomes_of(examples, [answer.probabilities for answer in answers])
    return bootstrap(outcomes, METRICS, seed=SEED)


def _cells(scores: dict[str, dict[str, Score]]) -> list[str]:
    return [scores[name][metric.name].shown_with_interval for metric in METRICS for name in BUILT_IN]
