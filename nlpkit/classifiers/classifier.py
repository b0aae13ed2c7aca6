"""A run's classifier: texts in, calibrated predictions out. Evaluation, scorer and demo all load this one."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlpkit.classifiers.loading import default_run, text_model_of
from nlpkit.classifiers.opening import open_model
from nlpkit.classifiers.runtime import Runtime
from nlpkit.classifiers.text_model import TextModel
from nlpkit.data.examples import TextInput
from nlpkit.data.rows import unreadable_text
from nlpkit.errors import DataError
from nlpkit.files import fingerprint
from nlpkit.run import Run
from nlpkit.tasks.answers.family import ColumnType
from nlpkit.tasks.answers.showing import Shown
from nlpkit.tasks.encoding import Encoded
from nlpkit.tasks.prediction import Prediction
from nlpkit.tasks.task import TextTask

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Classifier", "default_run"]


class Classifier:
    """A model, its tokenizer and its task. `Classifier.load` returns one."""

    def __init__(self, model: TextModel) -> None:
        self.model = model

    @classmethod
    def load(
        cls, run: Run | Path | str | None = None, *, runtime: str = "auto", threads: int | None = None
    ) -> Classifier:
        """Load the classifier of a completed run or of an export.

        Args:
            run: a run, or a folder that `nlpkit export` wrote; default: the built-in classifier.
            runtime: `auto`, or a name of nlpkit.classifiers.runtimes. `auto` takes the run's ONNX export if
                it is in the cache, and torch otherwise. A runtime that needs an export makes and verifies it,
                unless it is in the cache.
            threads: processor threads; default: all that this process may use.

        Raises:
            RunError: no completed run; its base, tokenizer or adapter is not the one that it was trained
                with; or an export fails its parity check.
            SourceError: its base cannot be brought here.
            ConfigError: the runtime is unknown or not installed.
        """
        return cls(open_model(run, runtime=runtime, threads=threads))

    @classmethod
    def of_model(cls, model: Any, tokenizer: Any, task: TextTask, **settings: Any) -> Classifier:
        """Return the classifier of a transformers model and tokenizer; `settings` are those of TextModel."""
        return cls(text_model_of(model, tokenizer, task, **settings))

    @property
    def name(self) -> str:
        """The run's name."""
        return self.model.name

    @property
    def task(self) -> TextTask:
        """The task that it was trained for."""
        return self.model.task

    @property
    def max_tokens(self) -> int:
        """Tokens of a window, special tokens included."""
        return self.model.max_tokens

    @property
    def runtime(self) -> Runtime:
        """The runtime that computes."""
        return self.model.runtime

    @property
    def device(self) -> str:
        """The device that computes: cpu, cuda:0, mps."""
        return self.model.runtime.device

    @property
    def threads(self) -> int:
        """The processor threads that it computes with."""
        return self.model.threads

    @property
    def columns(self) -> Mapping[str, ColumnType]:
        """The columns that a scored file gains."""
        return self.task.family.columns

    @property
    def turns(self) -> int | None:
        """How many turns before a turn it reads at most; None where it reads texts, not turns."""
        return self.task.turns

    @property
    def reads_aspects(self) -> bool:
        """Whether it is asked about an aspect that is given with each text."""
        return self.task.reads_aspects

    @property
    def reads_pictures(self) -> bool:
        """Whether it reads the picture that stands with a text."""
        return self.task.reads_pictures

    @property
    def budget(self) -> int:
        """Max tokens per batch, padding included; it decides the last bits of an answer."""
        return self.model.budget

    @budget.setter
    def budget(self, budget: int) -> None:
        self.model.budget = budget

    @functools.cached_property
    def fingerprint(self) -> str:
        """The runtime, and a hash of all that the bytes of an answer depend on, except the budget.

        These are weights, task, libraries and processor.
        """
        return f"{self.runtime.name} {fingerprint({'run': self.model.identity, **self.runtime.identity})}"

    def predict(self, texts: str | Sequence[str | TextInput]) -> list[Prediction]:
        """Predict texts. The same texts give the same bits, whatever the number of threads.

        Args:
            texts: one text, or any sequence of them: a list, a tuple, a pandas Series, a NumPy array.

        Returns:
            One prediction for each text, in order; for a single text a list of one.

        Raises:
            DataError: something in the sequence is no text; names its position.
            NlpkitError: a single window does not fit the device's memory.
        """
        return self.model.predict(as_texts(texts))

    def encode(self, texts: Sequence[str | TextInput]) -> list[Encoded]:
        """Return each text as the model reads it: the ids of its windows, with special tokens."""
        return self.model.encode(texts)

    def logits(self, texts: Sequence[str | TextInput]) -> np.ndarray:
        """Return the raw outputs, (texts, outputs); a long text's are a weighted mean over its windows."""
        return self.model.logits(texts)

    def shown(self, answer: Prediction) -> Shown:
        """Return how the terminal and the demo show an answer."""
        return self.task.family.shown(answer)

    def tune(self, texts: Sequence[str | TextInput]) -> int:
        """Choose, use and return the budget that is fastest for such texts; takes a second or two."""
        return self.model.tune(texts)


def as_texts(texts: str | Sequence[str | TextInput]) -> list[str | TextInput]:
    """Return one text or a sequence of texts as a list.

    Raises:
        DataError: it is no sequence of texts; names the position of the first that is none.
    """
    if isinstance(texts, str):
        return [texts]
    shape = getattr(texts, "shape", (0,))
    if isinstance(texts, (bytes, dict, set, frozenset)) or not hasattr(texts, "__iter__") or len(shape) != 1:
        kind = f"a {type(texts).__name__}" + (f" of {len(shape)} dimensions" if len(shape) != 1 else "")
        raise DataError(
            f"found {kind}; expected a text or a sequence of texts, such as one column of a table"
        )
    listed = list(texts)
    for position, text in enumerate(listed):
        if not isinstance(text, (str, TextInput)):
            raise DataError(
                f"position {position} of {len(listed)} holds {str(text)[:40]!r} ({type(text).__name__}); "
                "expected a text"
            )
        if isinstance(text, str) and (reason := unreadable_text(text)):
            raise DataError(f"position {position} of {len(listed)}: {reason}")
    return listed
