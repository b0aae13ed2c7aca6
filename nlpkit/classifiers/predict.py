"""Predict a few texts in one call."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nlpkit.classifiers.classifier import Classifier
from nlpkit.run import Run

if TYPE_CHECKING:
    from nlpkit.tasks.prediction import Prediction


def predict(
    texts: str | Sequence[str], run: Run | Path | str | None = None, *, runtime: str = "auto"
) -> list[Prediction]:
    """Predict one text or several.

        nlpkit.predict(["What a lovely day", "meh"])

    To predict more than once, load the model once: `Classifier.load(run).predict(texts)`.

    Args:
        texts: one text, or any sequence of texts.
        run: a run, its folder or that of an export; default: the built-in classifier.
        runtime: as for `nlpkit predict --runtime`.

    Raises:
        ConfigError: the runtime is unknown or not installed.
        DataError: something in the sequence is no text.
        RunError: the run is refused.
        SourceError: the base of the run can't be fetched.
    """
    return Classifier.load(run, runtime=runtime).predict(texts)
