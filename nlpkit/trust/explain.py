"""Explain a few answers in one call."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nlpkit.classifiers.classifier import Classifier, as_texts
from nlpkit.errors import RunError
from nlpkit.run import Run
from nlpkit.trust.explainer import Explainer, Method
from nlpkit.trust.explanation import Explanation


def explain(
    texts: str | Sequence[str],
    run: Run | Path | str | None = None,
    *,
    method: Method = "occlusion",
    label: str | None = None,
    runtime: str = "auto",
) -> list[Explanation]:
    """Explain the answers to one text or several: what each word adds, keeps and changes.

        for explanation in nlpkit.explain("a great film"):
            print(explanation.about, explanation.by_weight)

    Args:
        texts: one text, or any sequence of texts.
        run: a run, its folder or that of an export; default: the built-in classifier.
        method: `occlusion` leaves out word after word; `gradients` are integrated gradients (extra
            `explain`), with the runtime torch.
        label: the label that is explained; default: each that is given.
        runtime: as for `nlpkit predict --runtime`.

    Returns:
        One explanation for each text, or one for each of its labels, in order.

    Raises:
        ConfigError: the method, the label or the runtime is unknown, not installed, or does not go together.
        DataError: a text is none, holds no words, or too many.
        RunError: the run is refused, or its answers cannot be explained.
        SourceError: the base of the run can't be fetched.
    """
    explainer = Explainer(load_for(run, method, runtime), method=method, label=label)
    plain = [text if isinstance(text, str) else text.text for text in as_texts(texts)]
    return [explanation for of_text in explainer.explain(plain) for explanation in of_text]


def brief_explainer(classifier: Classifier) -> Explainer | None:
    """Return what explains the most probable label of a text, or its number, by occlusion with one random
    order; None where the classifier's answers cannot be explained.
    """
    try:
        return Explainer(classifier, most_claims=1, orders=1)
    except RunError:
        return None


def load_for(run: Run | Path | str | None, method: str, runtime: str) -> Classifier:
    """Load the classifier of a run with a runtime that a method can use."""
    return Classifier.load(run, runtime="torch" if (method, runtime) == ("gradients", "auto") else runtime)
