"""Score and explain one text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from demo.guard import DemoLimits
from nlpkit.classifiers.classifier import Classifier
from nlpkit.errors import DataError
from nlpkit.scoring.predictors import Predictor
from nlpkit.tasks.answers.showing import Shown
from nlpkit.tasks.prediction import Prediction
from nlpkit.trust.explain import brief_explainer
from nlpkit.trust.explainer import Explainer
from nlpkit.trust.explanation import Explanation

EXPLAINED = 40
"""Words of a shown text up to which the effect of each is measured: each costs a prediction or a few."""


class TextScorer(Predictor, Protocol):
    """Predicts texts and has a name, as a Classifier does."""

    @property
    def name(self) -> str:
        """Return the name of the model."""

    def shown(self, answer: Prediction) -> Shown:
        """Return how an answer is shown."""

    def predict(self, texts: Sequence[Any]) -> list[Prediction]:
        """Return one prediction for each text."""


def score_text(scorer: TextScorer, text: str, limits: DemoLimits) -> Prediction:
    """Return the prediction for a text.

    Raises:
        DataError: it is empty or too long.
    """
    if not text.strip():
        raise DataError("the text is empty; expected one or more sentences")
    if len(text) > limits.pasted_characters:
        raise DataError(
            f"the text has {len(text):,} characters; expected at most {limits.pasted_characters:,}; "
            "hint: put a longer text into a file"
        )
    return scorer.predict([text])[0]


def explainer_of(scorer: TextScorer) -> Explainer | None:
    """Return what explains a scorer's answers as `nlpkit explain` does; None where nothing can."""
    return brief_explainer(scorer) if isinstance(scorer, Classifier) else None


def explain_text(explainer: Explainer, text: str) -> Explanation | None:
    """Return what each word adds to the most probable label of a text, or to its number.

    None where the text has no words, or too many to be explained while somebody waits.
    """
    try:
        words = explainer.check(text, "the text")
    except DataError:
        return None
    return next(explainer.explain([text]))[0] if words <= EXPLAINED else None
