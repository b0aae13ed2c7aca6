"""A run's classifier: texts in, calibrated predictions out. Evaluation, scorer and demo all load this one."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlpkit.classifiers.exported import Exported, is_export
from nlpkit.classifiers.loading import default_run, identity_of, load_model
from nlpkit.classifiers.runtime import CPU_BUDGETS, GPU_BUDGETS, OutOfMemoryError, Runtime, RuntimeName
from nlpkit.classifiers.tokenizing import Tokenizing
from nlpkit.data.examples import TextInput
from nlpkit.errors import ConfigError, NlpkitError
from nlpkit.files import fingerprint
from nlpkit.models.batching import batches
from nlpkit.run import Run
from nlpkit.tasks.answers.family import ColumnType, Shown
from nlpkit.tasks.encoding import Encoded
from nlpkit.tasks.prediction import Prediction
from nlpkit.tasks.task import TextTask, text_task_from

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Classifier", "default_run"]

TUNING_SECONDS = 2.0

TUNING_TOKENS = 2048
"""Tokens a thread that each budget is tried on."""

BETTER = 0.97
"""Share of the default budget's time that another must stay under: what is measured for a moment is noisy."""


class Classifier:
    """A model, its tokenizer and its task. `Classifier.load` is the way in."""

    def __init__(
        self,
        runtime: Runtime,
        tokenizing: Tokenizing,
        task: TextTask,
        *,
        max_tokens: int,
        threads: int | None = None,
        name: str = "",
        identity: str = "",
    ) -> None:
        self.runtime = runtime
        self.task = task
        self.max_tokens = max_tokens
        self.threads = threads or _cores()
        self.name = name
        self.budget = self._budgets[1]
        """Tokens a batch, padding included; which texts share a batch decides the last bits of an answer."""
        self._tokenizing = tokenizing
        self._identity = identity

    @classmethod
    def load(
        cls, run: Run | Path | str | None = None, *, runtime: RuntimeName = "auto", threads: int | None = None
    ) -> Classifier:
        """The classifier of a whole run or of an exported one; with none named, the one that the package carries.

        Args:
            run: a run, or a folder that `nlpkit export` wrote.
            runtime: what computes. `auto` takes the run's ONNX export if this machine has one already, and torch otherwise; `onnx` and
                its like are exported now where they are not in the cache, and proved to answer like the run.
            threads: processor threads; default: all that this process may use.

        Raises:
            RunError: no whole run, or its base, tokenizer or adapter is not the one that it was trained with; an export that answers
                otherwise than its run.
            SourceError: its base cannot be brought here.
            ConfigError: the runtime is not installed.
        """
        if isinstance(run, (str, Path)) and is_export(Path(run)):
            return cls.of_export(Path(run), runtime=runtime, threads=threads)
        run = default_run() if run is None else run if isinstance(run, Run) else Run.open(run)
        from nlpkit.classifiers.opening import kept_export  # an export is proved through this class

        folder = kept_export(run, runtime)
        if folder:
            return cls.of_export(folder, threads=threads)
        record = run.read()
        model, tokenizer = load_model(run)
        return cls.of_model(
            model,
            tokenizer,
            text_task_from(record.task),
            max_tokens=record.max_tokens,
            threads=threads,
            name=run.name,
            identity=identity_of(run),
            bf16=runtime == "torch-bf16",
        )

    @classmethod
    def of_model(
        cls, model: Any, tokenizer: Any, task: TextTask, *, bf16: bool = False, **settings: Any
    ) -> Classifier:
        """That of a transformers model and tokenizer in memory; `settings` are those of the constructor."""
        from nlpkit.classifiers.torch_runtime import TorchRuntime

        return cls(TorchRuntime(model, bf16=bf16), Tokenizing.of(tokenizer), task, **settings)

    @classmethod
    def of_export(
        cls, folder: Path, *, runtime: RuntimeName = "auto", threads: int | None = None
    ) -> Classifier:
        """That of an exported folder, without torch.

        Raises:
            RunError: it is damaged.
            ConfigError: its runtime is not installed, or another is asked for.
        """
        record = Exported.read(folder)
        if runtime not in ("auto", record.form):
            raise ConfigError(
                f"{folder}: exported for {record.form}, {runtime} is asked for; cure: name the run that it was made of"
            )
        tokenizing = Tokenizing.read(folder, frame=record.frame, pad_id=record.pad_id)
        return cls(
            _runtime(folder, record, threads or _cores()),
            tokenizing,
            text_task_from(record.task),
            max_tokens=record.max_tokens,
            threads=threads,
            name=record.name,
            identity=f"{record.run} {record.weights_sha256}",
        )

    @property
    def columns(self) -> Mapping[str, ColumnType]:
        """The columns that a scored file gains."""
        return self.task.family.columns

    @functools.cached_property
    def fingerprint(self) -> str:
        """The runtime, and a hash of all that the bytes of an answer depend on but the budget: weights, task, libraries, processor."""
        return f"{self.runtime.name} {fingerprint({'run': self._identity, **self.runtime.identity})}"

    @property
    def device(self) -> str:
        """Where the model computes: cpu, cuda:0, mps."""
        return self.runtime.device

    def predict(self, texts: Sequence[str | TextInput]) -> list[Prediction]:
        """The prediction for each text, in order. The same texts give the same bits, whatever the number of threads.

        Raises:
            NlpkitError: a single window does not fit the device's memory.
        """
        if not texts:
            return []
        encoded = self.encode(texts)
        answers = self.task.decode(self._read(encoded), encoded)
        return [
            answer
            if len(one.windows) == 1 and not one.partial
            else replace(answer, windows=len(one.windows), partial=one.partial)
            for answer, one in zip(answers, encoded, strict=True)
        ]

    def logits(self, texts: Sequence[str | TextInput]) -> np.ndarray:
        """Return the raw outputs, (texts, outputs): a long text's are the mean over its windows, each weighted by its length."""
        return self._read(self.encode(texts))

    def shown(self, answer: Prediction) -> Shown:
        """Return how the terminal and the demo show an answer."""
        return self.task.family.shown(answer)

    def encode(self, texts: Sequence[str | TextInput]) -> list[Encoded]:
        """Return each text as the model reads it: the ids of its windows, with special tokens."""
        inputs = [TextInput(text=text) if isinstance(text, str) else text for text in texts]
        return self.task.encode(inputs, self._tokenizing, self.max_tokens)

    def tune(self, texts: Sequence[str | TextInput]) -> int:
        """The budget that is fastest on this machine for such texts, which it has from now on; measured in a second or two."""
        sequences = [one.windows[0] for one in self.encode(texts)]
        sample = _so_many_tokens(sequences, max(TUNING_TOKENS * self.threads, 2 * max(self._budgets)))
        taken = dict.fromkeys(self._budgets, float("inf"))
        started = time.perf_counter()
        for _ in range(3):
            for budget in self._budgets:
                before = time.perf_counter()
                self._forward(sample, budget)
                taken[budget] = min(taken[budget], time.perf_counter() - before)
            if time.perf_counter() - started > TUNING_SECONDS / 2:
                break
        fastest = min(taken, key=lambda budget: taken[budget])
        self.budget = fastest if taken[fastest] < BETTER * taken[self._budgets[1]] else self._budgets[1]
        return self.budget

    @property
    def _budgets(self) -> tuple[int, ...]:
        return CPU_BUDGETS if self.runtime.workers else GPU_BUDGETS

    def _read(self, encoded: Sequence[Encoded]) -> np.ndarray:
        import numpy as np

        flat = [window for one in encoded for window in one.windows]
        outputs = self._forward(flat, self.budget)
        lengths = np.array([len(window) for window in flat], dtype=np.float64) - self._tokenizing.frame.size
        owner = np.repeat(np.arange(len(encoded)), [len(one.windows) for one in encoded])
        sizes = np.maximum(lengths, 1)  # a text of no tokens still has an answer
        total = np.zeros((len(encoded), outputs.shape[1]))
        np.add.at(total, owner, outputs * sizes[:, None])
        weight = np.bincount(owner, weights=sizes, minlength=len(encoded))
        mean: np.ndarray = total / weight[:, None]
        return mean

    def _forward(self, sequences: Sequence[list[int]], budget: int) -> np.ndarray:
        """Outputs of framed sequences, (sequences, outputs)."""
        import numpy as np

        outputs = np.empty((len(sequences), self.task.head.outputs), dtype=np.float64)

        def compute(batch: list[int]) -> None:
            outputs[batch] = self._logits([sequences[place] for place in batch])

        plan = batches([len(one) for one in sequences], budget)
        if not self.runtime.workers:
            for batch in plan:
                compute(batch)
            return outputs
        with (
            self.runtime.single_threaded(),
            ThreadPoolExecutor(self.threads, initializer=self.runtime.begin) as pool,
        ):
            list(pool.map(compute, plan))
        return outputs

    def _logits(self, sequences: list[list[int]]) -> np.ndarray:
        """One batch; where memory runs out, its halves."""
        import numpy as np

        try:
            return self._run(sequences)
        except OutOfMemoryError as error:
            if len(sequences) == 1:
                raise NlpkitError(
                    f"a text of {len(sequences[0])} tokens does not fit the memory of {self.device}"
                ) from error
        self.runtime.free()
        half = len(sequences) // 2
        return np.concatenate([self._logits(sequences[:half]), self._logits(sequences[half:])])

    def _run(self, sequences: list[list[int]]) -> np.ndarray:
        import numpy as np

        lengths = np.array([len(one) for one in sequences])
        mask = (np.arange(lengths.max()) < lengths[:, None]).astype(np.int64)
        ids = np.full(mask.shape, self._tokenizing.pad_id, dtype=np.int64)
        ids[mask.astype(bool)] = np.concatenate(sequences)
        return self.runtime.logits(ids, mask)


def _runtime(folder: Path, record: Exported, threads: int) -> Runtime:
    if record.form in ("onnx", "onnx-int8"):
        from nlpkit.classifiers.onnx_runtime import OnnxRuntime

        return OnnxRuntime(folder, name=record.form)
    if record.form in ("openvino", "openvino-bf16"):
        from nlpkit.classifiers.openvino_runtime import OpenVinoRuntime

        return OpenVinoRuntime(folder, name=record.form, threads=threads)
    from nlpkit.classifiers.torch_runtime import TorchRuntime
    from nlpkit.models.pretrained import load_merged, pick_device

    return TorchRuntime(load_merged(folder).to(pick_device()))


def _so_many_tokens(sequences: Sequence[list[int]], tokens: int) -> list[list[int]]:
    """Sequences, repeated or left out evenly, until they hold about so many tokens."""
    mean = max(1, sum(map(len, sequences)) // len(sequences))
    count = max(1, tokens // mean)
    return [sequences[place * len(sequences) // count] for place in range(count)]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
