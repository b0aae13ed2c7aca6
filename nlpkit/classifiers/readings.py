"""Several readings of a text in one pass: classifiers of one base, whose equal lowest layers compute once."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from nlpkit.classifiers.classifier import Classifier, as_texts
from nlpkit.classifiers.loading import load_run
from nlpkit.classifiers.runtimes import REFERENCE
from nlpkit.classifiers.text_model import TextModel
from nlpkit.classifiers.torch_runtime import TorchRuntime
from nlpkit.data.examples import TextInput
from nlpkit.errors import ConfigError
from nlpkit.files import fingerprint
from nlpkit.models.layers import layers_of
from nlpkit.run import Run
from nlpkit.tasks.answers.family import ColumnType
from nlpkit.tasks.prediction import Prediction

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, kw_only=True, slots=True)
class Answers:
    """What several classifiers say of one text."""

    by_name: Mapping[str, Prediction]

    @property
    def partial(self) -> bool:
        """Whether any of them did not read all of the text."""
        return any(answer.partial for answer in self.by_name.values())

    @property
    def is_unreadable(self) -> bool:
        """Whether so much of the text is unknown to their tokenizer that the answers mean little."""
        return any(answer.is_unreadable for answer in self.by_name.values())

    @property
    def is_abstention(self) -> bool:
        """False: a promise about errors is one about a single classifier."""
        return False

    def row(self) -> dict[str, Any]:
        """Return the output columns of all, each behind its run's name: `emotions_labels`."""
        return {
            f"{name}_{column}": value
            for name, answer in self.by_name.items()
            for column, value in answer.row().items()
        }


class Readings:
    """Classifiers that answer together, each as it does alone. `Readings.load` returns them."""

    def __init__(self, classifiers: Mapping[str, Classifier], shared: Mapping[str, int]) -> None:
        self.classifiers: dict[str, Classifier] = dict(classifiers)
        self.shared: dict[str, int] = dict(shared)
        """How many of its lowest layers each but the first has in common with the first."""
        models = [classifier.model for classifier in classifiers.values()]
        self._runtime = _Joined(models)
        self._joined = TextModel(
            self._runtime,
            models[0].tokenizer,
            models[0].task,
            max_tokens=models[0].max_tokens,
            threads=models[0].threads,
        )

    @classmethod
    def load(cls, runs: Sequence[Run | Path | str], *, threads: int | None = None) -> Readings:
        """Load completed runs of one base, to answer by torch.

        Args:
            runs: at least two, of different names, of one base and one window.
            threads: processor threads; default: all that this process may use.

        Raises:
            ConfigError: two have one name, or they do not read a text as the same tokens.
            RunError: one is not completed, or not what it was trained as.
        """
        opened = [run if isinstance(run, Run) else Run.open(run) for run in runs]
        _refuse_mixed(opened)
        classifiers = {
            run.name: Classifier(load_run(run, runtime=REFERENCE, threads=threads)) for run in opened
        }
        first, *rest = (cast("TorchRuntime", each.model.runtime) for each in classifiers.values())
        shared = share_layers(first, rest)
        return cls(classifiers, dict(zip(list(classifiers)[1:], shared, strict=True)))

    @property
    def columns(self) -> Mapping[str, ColumnType]:
        """The columns that a scored file gains."""
        return {
            f"{name}_{column}": column_type
            for name, classifier in self.classifiers.items()
            for column, column_type in classifier.columns.items()
        }

    @property
    def fingerprint(self) -> str:
        """Changes with whatever may change an answer, but for the budget."""
        parts = {name: classifier.fingerprint for name, classifier in self.classifiers.items()}
        return f"{REFERENCE} {fingerprint(parts)}"

    @property
    def turns(self) -> int | None:
        """How many turns before a turn any of them reads at most; None where all read texts."""
        return max((each.turns for each in self.classifiers.values() if each.turns is not None), default=None)

    @property
    def reads_aspects(self) -> bool:
        """Whether any of them is asked about an aspect that is given with each text."""
        return any(each.reads_aspects for each in self.classifiers.values())

    @property
    def budget(self) -> int:
        """Max tokens per batch, padding included; it decides the last bits of an answer."""
        return self._joined.budget

    @budget.setter
    def budget(self, budget: int) -> None:
        self._joined.budget = budget

    def predict(self, texts: str | Sequence[str | TextInput]) -> list[Answers]:
        """Predict texts: equal to what each classifier answers alone by the same budget.

        Raises:
            DataError: something in the sequence is no text; names its position.
            NlpkitError: a single window does not fit the device's memory.
        """
        asked = as_texts(texts)
        if not asked:
            return []
        encoded = {name: each.encode(asked) for name, each in self.classifiers.items()}
        # Where a text is longer than the window, a head for tokens may cut it elsewhere than one for texts
        windows = list(
            dict.fromkeys(
                tuple(window) for texts in encoded.values() for text in texts for window in text.windows
            )
        )
        rows = self._joined.forward([list(window) for window in windows])
        parts = dict(zip(windows, map(self._runtime.split, rows), strict=True))
        answers: list[list[Prediction]] = []
        for index, (name, classifier) in enumerate(self.classifiers.items()):
            own = [parts[tuple(window)][index] for text in encoded[name] for window in text.windows]
            answers.append(
                classifier.model.answers(encoded[name], classifier.model.pooled(encoded[name], own))
            )
        return [
            Answers(by_name=dict(zip(self.classifiers, of_text, strict=True)))
            for of_text in zip(*answers, strict=True)
        ]

    def tune(self, texts: Sequence[str | TextInput]) -> int:
        """Choose, use and return the budget that is fastest for such texts; takes a second or two."""
        return self._joined.tune(texts)


class _Joined:
    """The runtimes of all, as one that answers a batch with the outputs of each, side by side."""

    def __init__(self, models: Sequence[TextModel]) -> None:
        self._runtimes = [model.runtime for model in models]
        self._heads = [model.task.head for model in models]
        first = self._runtimes[0]
        self.name, self.device, self.workers, self.identity = (
            first.name,
            first.device,
            first.workers,
            first.identity,
        )

    def logits(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Return (batch, values): what `split` takes apart."""
        import numpy as np

        outputs = [
            runtime.logits(ids, mask) for runtime in self._runtimes
        ]  # in order: the first one hands on
        return np.concatenate([output.reshape(len(ids), -1) for output in outputs], axis=1)

    def split(self, row: np.ndarray) -> list[np.ndarray]:
        """Return the outputs of each model: (outputs,), or of a head for tokens (time, outputs)."""
        of_texts = sum(head.outputs for head in self._heads if head.level == "text")
        of_tokens = sum(head.outputs for head in self._heads if head.level == "token")
        time = (len(row) - of_texts) // of_tokens if of_tokens else 0
        parts, start = [], 0
        for head in self._heads:
            size = head.outputs * (time if head.level == "token" else 1)
            part = row[start : start + size]
            parts.append(part.reshape(time, head.outputs) if head.level == "token" else part)
            start += size
        return parts

    def free(self) -> None:
        """Release the memory that a failed batch holds."""
        self._runtimes[0].free()

    def single_threaded(self) -> AbstractContextManager[None]:
        """Set torch's own pool to one thread."""
        return self._runtimes[0].single_threaded()

    def begin(self) -> None:
        """Set one thread in this worker."""
        self._runtimes[0].begin()


def share_layers(first: TorchRuntime, others: Sequence[TorchRuntime]) -> list[int]:
    """Let others take over what the lowest layers of the first computed, as far as theirs are the same.

    A model that shares layers answers the batch that the first one answered last on the same thread.

    Returns:
        How many layers each of the others shares.
    """
    import torch

    layers = layers_of(first.model)
    states = threading.local()
    counts = [_equal_layers(first.model, runtime.model) for runtime in others]

    class HandedOn(torch.nn.Module):
        """Returns what a layer of the first model computed, whatever it is given."""

        def __init__(self, depth: int, *, is_layer: bool = True) -> None:
            super().__init__()
            self.depth, self.is_layer = depth, is_layer

        def forward(self, *_: Any, **__: Any) -> Any:
            state = getattr(states, str(self.depth))
            return state[0] if isinstance(state, tuple) and not self.is_layer else state

    for depth in set(counts) - {0}:

        def keep(_: Any, __: Any, output: Any, *, depth: int = depth) -> None:
            setattr(states, str(depth), output)

        list(layers.values())[depth - 1].register_forward_hook(keep)
    embeddings = f"{next(iter(layers)).partition('encoder.')[0]}embeddings"
    for runtime, count in zip(others, counts, strict=True):
        for name in list(layers)[:count]:
            runtime.model.set_submodule(name, HandedOn(count))
        if count and embeddings in dict(runtime.model.named_modules()):  # what they answer is not used
            runtime.model.set_submodule(embeddings, HandedOn(count, is_layer=False))
    return counts


def _equal_layers(first: Any, model: Any) -> int:
    """Return how many of the lowest layers hold the same weights; 0 unless all that stands below does too.

    A model without a body of its own, such as a reader of labels by likelihood, gives its layers other tokens
    than those of the text, and shares none.
    """
    import torch

    prefix = getattr(first, "base_model_prefix", None)
    if prefix is None:
        return 0
    layers, of_first, weights = list(layers_of(first)), first.state_dict(), model.state_dict()
    body = f"{prefix}."
    above = (*(f"{layer}." for layer in layers), f"{body}pooler.")
    below = [name for name in of_first if name.startswith(body) and not name.startswith(above)]
    count = 0
    for depth, layer in enumerate(layers):
        names = [name for name in of_first if name.startswith(f"{layer}.")] + (below if depth == 0 else [])
        if not all(name in weights and torch.equal(of_first[name], weights[name]) for name in names):
            break
        count = depth + 1
    return count


def _refuse_mixed(runs: Sequence[Run]) -> None:
    """Refuse runs that cannot answer together."""
    names = [run.name for run in runs]
    if len(set(names)) < len(names) or len(names) < 2:
        raise ConfigError(f"expected at least two runs of different names, found {', '.join(names)}")
    first, *others = records = [run.read() for run in runs]
    if sees := [run for run, record in zip(runs, records, strict=True) if record.vision]:
        raise ConfigError(
            f"{sees[0].path}: reads pictures, and shares no pass with another run; "
            f"hint: nlpkit score {sees[0].path} FILE -o OUTPUT, each by itself"
        )
    for run, record in zip(runs[1:], others, strict=True):
        for what, expected, actual in (
            ("base", first.base.weights_sha256, record.base.weights_sha256),
            ("tokenizer", first.base.tokenizer_sha256, record.base.tokenizer_sha256),
            ("base.layers", first.base.layers, record.base.layers),
            ("base.max_tokens", first.max_tokens, record.max_tokens),
        ):
            if expected != actual:
                raise ConfigError(
                    f"{run.path}: another {what} than that of {runs[0].path} ({str(actual)[:12]}, not "
                    f"{str(expected)[:12]}): they do not read a text as the same tokens; "
                    f"hint: nlpkit score {run.path} FILE -o OUTPUT, each by itself"
                )
