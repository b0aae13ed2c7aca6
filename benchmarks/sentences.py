"""Movie sentences: an nlpkit run beside logistic regression on TF-IDF and VADER, on the same held-out rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import vader
from benchmarks.machine import Machine
from benchmarks.results import save, table
from benchmarks.training import CONFIGS, train
from nlpkit.data.examples import LabeledText
from nlpkit.metrics.intervals import bootstrap, paired
from nlpkit.metrics.labels import ACCURACY, MACRO_F1
from nlpkit.metrics.outcomes import LabelOutcomes
from nlpkit.metrics.score import PairedTest, Score
from nlpkit.reports.wording import difference, p_value

if TYPE_CHECKING:
    from numpy.typing import NDArray

LABELS = ("negative", "neutral", "positive")
"""VADER may say neutral, which is wrong for every row here; macro-F1 is over the labels that occur."""
METRICS = (ACCURACY, MACRO_F1)
STRENGTHS = tuple(10.0**power for power in (-2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2))
"""Values of C that the logistic regression is tried with."""
SEED = 1


def bench(overrides: Sequence[str], *, results: Path, talk: Callable[[str], None]) -> dict[str, Any]:
    """What was found; it is written as sentences.json and sentences.md too."""
    machine = Machine()
    trained = train(CONFIGS / "sentences.yaml", overrides, talk=talk)
    test = trained.rows.test
    texts = [one.text for one in test]
    regression, strength = tfidf(trained.rows.train, trained.rows.validation, texts)
    scores = vader.compounds(texts)
    answers: dict[str, Sequence[Mapping[str, float]]] = {
        "nlpkit": [one.probabilities for one in trained.classifier.predict(texts)],
        "TF-IDF, logistic regression": regression,
        "VADER, compound from 0 on is positive": [
            {"positive" if one >= 0 else "negative": 1.0} for one in scores
        ],
        "VADER, its authors' thresholds": [{vader.label_of(one): 1.0} for one in scores],
    }
    outcomes = {name: outcomes_of(test, given) for name, given in answers.items()}
    measured = {name: bootstrap(one, METRICS, seed=SEED) for name, one in outcomes.items()}
    tests = {
        name: paired(ACCURACY, outcomes["nlpkit"], one, seed=SEED)
        for name, one in outcomes.items()
        if name != "nlpkit"
    }
    found = {
        "run": str(trained.run.name),
        "rows": trained.rows.describe(),
        "strength": strength,
        "scores": {
            name: {metric: score.model_dump() for metric, score in scores.items()}
            for name, scores in measured.items()
        },
        "tests": {name: one.model_dump() for name, one in tests.items()},
    }
    title = f"Movie sentences: {len(test):,} held-out rows, near-equal texts kept out of training"
    talk(
        save(
            results,
            "sentences",
            found,
            title=title,
            machine=machine,
            lines=page(measured, tests),
            timed=False,
        )
    )
    return found


def tfidf(
    train: Sequence[LabeledText], validation: Sequence[LabeledText], texts: Sequence[str]
) -> tuple[list[dict[str, float]], float]:
    """Probabilities of a logistic regression on words and pairs of words, and the C that did best on the validation rows."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")  # noqa: S106
    features, labels = vectorizer.fit_transform([one.text for one in train]), [one.label for one in train]
    held, truth = vectorizer.transform([one.text for one in validation]), [one.label for one in validation]
    models = {
        strength: LogisticRegression(C=strength, max_iter=2000).fit(features, labels)
        for strength in STRENGTHS
    }
    best = max(STRENGTHS, key=lambda strength: float(models[strength].score(held, truth)))
    found = models[best].predict_proba(vectorizer.transform(texts))
    return [dict(zip(map(str, models[best].classes_), row.tolist(), strict=True)) for row in found], best


def outcomes_of(examples: Sequence[LabeledText], answers: Sequence[Mapping[str, float]]) -> LabelOutcomes:
    """Truth beside probabilities by label; a label that an answer lacks has none."""
    import numpy as np

    truth: NDArray[Any] = np.array([LABELS.index(str(one.label)) for one in examples])
    return LabelOutcomes(
        labels=LABELS,
        truth=truth,
        probabilities=np.array([[one.get(label, 0.0) for label in LABELS] for one in answers]),
    )


def page(measured: dict[str, dict[str, Score]], tests: dict[str, PairedTest]) -> list[str]:
    """The lines of the Markdown page."""
    rows = []
    for name, scores in measured.items():
        accuracy = scores["accuracy"]
        shown = [f"{one.shown(one.value)} ({one.interval})" for one in scores.values()]
        rows.append([name, *shown, difference(accuracy, tests.get(name)), p_value(tests.get(name))])
    return table(("Method", "Accuracy", "Macro-F1", "nlpkit is better by", "p"), rows)
