"""Movie sentences: an nlpkit run compared with logistic regression on TF-IDF and with VADER."""

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
"""VADER may answer neutral, which is wrong for every row; macro-F1 is over the labels that occur."""
METRICS = (ACCURACY, MACRO_F1)
STRENGTHS = tuple(10.0**power for power in (-2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2))
"""Values of C that are tried for the logistic regression."""
SEED = 1


def bench(overrides: Sequence[str], *, results: Path, talk: Callable[[str], None]) -> dict[str, Any]:
    """Measure, write sentences.json and sentences.md, and return the results."""
    machine = Machine()
    trained = train(CONFIGS / "sentences.yaml", overrides, talk=talk)
    test = trained.rows.test
    texts = [example.text for example in test]
    regression, strength = tfidf(trained.rows.train, trained.rows.validation, texts)
    compounds = vader.compounds(texts)
    answers: dict[str, Sequence[Mapping[str, float]]] = {
        "nlpkit": [prediction.probabilities for prediction in trained.classifier.predict(texts)],
        "TF-IDF, logistic regression": regression,
        "VADER, compound from 0 on is positive": [
            {"positive" if compound >= 0 else "negative": 1.0} for compound in compounds
        ],
        "VADER, its authors' thresholds": [{vader.label_of(compound): 1.0} for compound in compounds],
    }
    outcomes = {name: outcomes_of(test, given) for name, given in answers.items()}
    measured = {name: bootstrap(answered, METRICS, seed=SEED) for name, answered in outcomes.items()}
    tests = {
        name: paired(ACCURACY, outcomes["nlpkit"], answered, seed=SEED)
        for name, answered in outcomes.items()
        if name != "nlpkit"
    }
    record = {
        "run": str(trained.run.name),
        "rows": trained.rows.describe(),
        "strength": strength,
        "scores": {
            name: {metric: score.model_dump() for metric, score in scores.items()}
            for name, scores in measured.items()
        },
        "tests": {name: test.model_dump() for name, test in tests.items()},
    }
    title = f"Movie sentences: {len(test):,} held-out rows, near-equal texts kept out of training"
    talk(
        save(
            results,
            "sentences",
            record,
            title=title,
            machine=machine,
            lines=page(measured, tests),
            timed=False,
        )
    )
    return record


def tfidf(
    train: Sequence[LabeledText], validation: Sequence[LabeledText], texts: Sequence[str]
) -> tuple[list[dict[str, float]], float]:
    """Fit a logistic regression on words and word pairs, with the C that is best on the validation rows.

    Returns:
        The probabilities of each text, and C.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")  # noqa: S106
    features, labels = vectorizer.fit_transform([row.text for row in train]), [row.label for row in train]
    held, truth = vectorizer.transform([row.text for row in validation]), [row.label for row in validation]
    models = {
        strength: LogisticRegression(C=strength, max_iter=2000).fit(features, labels)
        for strength in STRENGTHS
    }
    best = max(STRENGTHS, key=lambda strength: float(models[strength].score(held, truth)))
    probabilities = models[best].predict_proba(vectorizer.transform(texts))
    return [
        dict(zip(map(str, models[best].classes_), row.tolist(), strict=True)) for row in probabilities
    ], best


def outcomes_of(examples: Sequence[LabeledText], answers: Sequence[Mapping[str, float]]) -> LabelOutcomes:
    """Return the truth with the probabilities by label; a label that an answer lacks gets 0."""
    import numpy as np

    truth: NDArray[Any] = np.array([LABELS.index(str(example.label)) for example in examples])
    return LabelOutcomes(
        labels=LABELS,
        truth=truth,
        probabilities=np.array([[answer.get(label, 0.0) for label in LABELS] for answer in answers]),
    )


def page(measured: dict[str, dict[str, Score]], tests: dict[str, PairedTest]) -> list[str]:
    """Return the lines of the Markdown page."""
    rows = []
    for name, scores in measured.items():
        accuracy = scores["accuracy"]
        shown = [score.shown_with_interval for score in scores.values()]
        rows.append([name, *shown, difference(accuracy, tests.get(name)), p_value(tests.get(name))])
    return table(("Method", "Accuracy", "Macro-F1", "nlpkit is better by", "p"), rows)
