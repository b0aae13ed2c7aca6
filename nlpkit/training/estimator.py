"""A classifier with scikit-learn's interface, for pipelines, cross-validation and grid search.

This module imports scikit-learn at its top, which takes a second, since its class derives from it.
"""

from __future__ import annotations

import json
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from nlpkit.classifiers.classifier import Classifier
from nlpkit.config import merge
from nlpkit.errors import DataError
from nlpkit.run import Run
from nlpkit.training.train import train

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    class _Estimator:
        """What is inherited from scikit-learn, which has no types."""

        def get_params(self, deep: bool = True) -> dict[str, Any]: ...
        def set_params(self, **params: Any) -> Self: ...
        def score(self, X: Sequence[str], y: ArrayLike, sample_weight: Any = None) -> float: ...  # noqa: N803
        def __getstate__(self) -> dict[str, Any]: ...
        def __sklearn_tags__(self) -> Any: ...
else:
    from sklearn.base import BaseEstimator, ClassifierMixin

    class _Estimator(ClassifierMixin, BaseEstimator): ...


class SentimentClassifier(_Estimator):
    """Fine-tune a pretrained encoder with LoRA on texts and labels, through the recipe `sentiment`.

        scores = cross_val_score(SentimentClassifier(epochs=2), texts, labels)

    Args:
        base: a folder, `hub:org/name@revision`, or a name of the catalog.
        epochs: how often every text is seen.
        lr: the highest learning rate.
        batch_size: texts in a batch.
        validation: the share of the texts that chooses the checkpoint and calibrates the probabilities.
        seed: splits the texts, and draws new weights and batches.
        settings: further settings of the recipe, such as `{"lora": {"rank": 8}}`.
        folder: where to keep the run; default: a temporary folder that is deleted with the estimator.

    Attributes:
        classes_: the labels, sorted.
        run_: the completed run, as `nlpkit.Run`.
    """

    def __init__(
        self,
        base: str | Path = "minilm-l6",
        *,
        epochs: float = 3,
        lr: float = 5e-4,
        batch_size: int = 32,
        validation: float = 0.1,
        seed: int = 1,
        settings: Mapping[str, Any] | None = None,
        folder: str | Path | None = None,
    ) -> None:
        self.base = base
        self.epochs = epochs
        self.lr = lr
        self.batch_size = batch_size
        self.validation = validation
        self.seed = seed
        self.settings = settings
        self.folder = folder

    def fit(self, X: Sequence[str], y: ArrayLike) -> Self:  # noqa: N803
        """Train on texts and their labels.

        Args:
            X: texts.
            y: a label for each; strings, numbers or booleans.

        Raises:
            DataError: no texts, an empty one, or only one label.
        """
        texts, labels = _texts(X), np.asarray(y)
        check_classification_targets(labels)
        if len(texts) != len(labels):
            raise DataError(f"{len(texts)} texts but {len(labels)} labels; expected one label for each text")
        self.classes_: np.ndarray = np.unique(labels)
        with tempfile.TemporaryDirectory() as work:
            data = Path(work) / "texts.jsonl"
            rows = zip(texts, labels.tolist(), strict=True)
            lines = (json.dumps({"text": text, "label": str(label)}) + "\n" for text, label in rows)
            data.write_text("".join(lines), encoding="utf-8")
            self.run_: Run = train(self._config(data, self._output()), overwrite=True)
        return self

    def predict(self, X: Sequence[str]) -> NDArray[Any]:  # noqa: N803
        """Return the most probable label of each text, (texts,)."""
        best = self.predict_proba(X).argmax(axis=1)
        answers: NDArray[Any] = self.classes_[best]
        return answers

    def predict_proba(self, X: Sequence[str]) -> NDArray[Any]:  # noqa: N803
        """Return calibrated probabilities, (texts, labels), a column for each of `classes_`."""
        check_is_fitted(self)
        predictions = self._classifier().predict(_texts(X))
        names = [str(label) for label in self.classes_.tolist()]
        return np.array([[answer.probabilities[name] for name in names] for answer in predictions])

    def _config(self, data: Path, output: Path) -> dict[str, Any]:
        config: dict[str, Any] = {
            "recipe": "sentiment",
            "name": "estimator",
            "data": {"train": str(data), "validation": self.validation},
            "base": {"source": str(self.base)},
            "training": {"epochs": self.epochs, "lr": self.lr, "batch_size": self.batch_size},
            "seed": self.seed,
            "seeds": [self.seed],
            "output": output,
        }
        return merge(config, self.settings or {})

    def _output(self) -> Path:
        if self.folder is not None:
            return Path(self.folder)
        temporary = tempfile.TemporaryDirectory(prefix="nlpkit-")
        weakref.finalize(self, temporary.cleanup)
        return Path(temporary.name)

    def _classifier(self) -> Classifier:
        run: Run = self.run_
        loaded = self.__dict__.get("_loaded")
        if loaded is None or loaded[0] != run.path:
            loaded = self._loaded = (run.path, Classifier.load(run))
        return loaded[1]

    def __getstate__(self) -> dict[str, Any]:
        """Leave the loaded model out: it is loaded again from the run."""
        state: dict[str, Any] = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_loaded"}

    def __sklearn_tags__(self) -> Any:
        """Say that it takes texts, and no matrix of numbers."""
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        tags.non_deterministic = False
        return tags


def _texts(values: Any) -> list[str]:
    texts = list(values)
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise DataError(f"X[{number}] is {type(text).__name__}; expected a sequence of texts")
    return texts
