"""A run's classifier: texts in, calibrated predictions out. Evaluation, scorer and demo all load this one."""

from __future__ import annotations

import functools
import gc
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlpkit.errors import NlpkitError
from nlpkit.inference.batching import TOKEN_BUDGET, batches
from nlpkit.inference.first_token import first_token_only
from nlpkit.models.lora import WEIGHTS, load_adapter
from nlpkit.models.pretrained import find_base, load_classifier, load_tokenizer, pick_device, refuse_other_base, source_of
from nlpkit.run import Run, fingerprint, sha256_of, versions
from nlpkit.tasks.encoding import MAX_CHARACTERS, MAX_WINDOWS, Frame, token_ids, windows
from nlpkit.tasks.prediction import Prediction
from nlpkit.tasks.task import Task, task_from

if TYPE_CHECKING:
    import numpy as np
    import torch

GPU_BUDGET = 32_768
"""Tokens a batch on a GPU."""


class Classifier:
    """A model, its tokenizer and its task. `Classifier.load` is the way in."""

    def __init__(
        self, model: Any, tokenizer: Any, task: Task, *, max_tokens: int, temperature: float = 1.0,
        threads: int | None = None, name: str = "", identity: str = "",
    ) -> None:  # fmt: skip
        self.model = first_token_only(model.eval())
        self.tokenizer = tokenizer
        self.task = task
        self.max_tokens = max_tokens
        self.temperature = temperature
        self.threads = threads or _cores()
        self.name = name
        self._identity = identity
        self._frame = Frame.of(tokenizer)

    @classmethod
    def load(cls, run: Run | Path | str | None = None, *, threads: int | None = None) -> Classifier:
        """The classifier of a whole run; with none named, the one that the package carries.

        Raises:
            RunError: no whole run, or its base, tokenizer or adapter is not the one that it was trained with.
            SourceError: its base cannot be brought here.
        """
        run = default_run() if run is None else run if isinstance(run, Run) else Run.open(run)
        record = run.read()
        task = task_from(record.task)
        folder, base = find_base(source_of(record.base))
        refuse_other_base(run.path, record.base, base)
        tokenizer = load_tokenizer(run.tokenizer)
        plain = load_classifier(folder, id2label=task.id2label, regression=task.kind == "intensity", pad_id=tokenizer.pad_token_id)
        model = load_adapter(plain, run.adapter).to(pick_device())
        files = [run.adapter / WEIGHTS, run.marker, *sorted(run.tokenizer.glob("*.json"))]
        return cls(
            model, tokenizer, task,
            max_tokens=record.max_tokens, temperature=record.temperature, threads=threads, name=run.name, identity=sha256_of(files),
        )  # fmt: skip

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that a scored file gains."""
        return self.task.columns

    @functools.cached_property
    def fingerprint(self) -> str:
        """A hash of all that the bytes of an answer depend on: weights, tokenizer, task, device, libraries, processor."""
        import torch

        return fingerprint(
            {
                "run": self._identity,
                "device": str(self.device),
                "cpu": torch.backends.cpu.get_cpu_capability(),
                "versions": {name: version for name, version in versions().items() if name in ("torch", "transformers", "tokenizers")},
                "budget": self._budget,
            }
        )

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        device: torch.device = next(self.model.parameters()).device
        return device

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """The prediction for each text, in order. The same texts give the same bits, whatever the number of threads.

        Raises:
            NlpkitError: a single window does not fit the device's memory.
        """
        if not texts:
            return []
        logits, counts, partial = self._read(texts)
        answers = self.task.decode(logits, self.temperature)
        return [
            answer if count == 1 and not part else _with_windows(answer, count, part)
            for answer, count, part in zip(answers, counts, partial, strict=True)
        ]

    def logits(self, texts: Sequence[str]) -> np.ndarray:
        """The raw outputs, (texts, outputs): a long text's are the mean over its windows, each weighted by its length."""
        return self._read(texts)[0]

    @property
    def _budget(self) -> int:
        return TOKEN_BUDGET if self.device.type == "cpu" else GPU_BUDGET

    def _read(self, texts: Sequence[str]) -> tuple[np.ndarray, list[int], list[bool]]:
        import numpy as np

        room = self.max_tokens - self._frame.size
        ids = token_ids(self.tokenizer, texts)
        cut = [windows(one, room) for one in ids]
        flat = [self._frame.around(window) for one in cut for window in one]
        outputs = self._forward(flat)
        sizes = np.array([len(window) for one in cut for window in one], dtype=np.float64)
        owner = np.repeat(np.arange(len(texts)), [len(one) for one in cut])
        sizes = np.maximum(sizes, 1)  # a text of no tokens still has an answer
        total = np.zeros((len(texts), outputs.shape[1]))
        np.add.at(total, owner, outputs * sizes[:, None])
        weight = np.bincount(owner, weights=sizes, minlength=len(texts))
        partial = [
            len(text) > MAX_CHARACTERS or (len(one) == MAX_WINDOWS and len(all_ids) > MAX_WINDOWS * room)
            for text, one, all_ids in zip(texts, cut, ids, strict=True)
        ]
        return total / weight[:, None], [len(one) for one in cut], partial

    def _forward(self, sequences: Sequence[list[int]]) -> np.ndarray:
        """Outputs of framed sequences, (sequences, outputs)."""
        import numpy as np
        import torch

        outputs = np.empty((len(sequences), self.task.outputs), dtype=np.float64)

        def compute(batch: list[int]) -> None:
            outputs[batch] = self._logits([sequences[place] for place in batch])

        plan = batches([len(one) for one in sequences], self._budget)
        if self.device.type != "cpu":
            for batch in plan:
                compute(batch)
            return outputs
        # A batch is computed on one thread: small matrices gain little from two, and the bits do not depend on how many there are.
        before = torch.get_num_threads()
        try:
            torch.set_num_threads(1)
            with ThreadPoolExecutor(self.threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
                list(pool.map(compute, plan))
        finally:
            torch.set_num_threads(before)
        return outputs

    def _logits(self, sequences: list[list[int]]) -> np.ndarray:
        """One batch; where memory runs out, its halves."""
        import numpy as np
        import torch

        try:
            return self._run(sequences)
        except (torch.OutOfMemoryError, MemoryError) as error:
            if len(sequences) == 1:
                raise NlpkitError(f"a text of {len(sequences[0])} tokens does not fit the memory of {self.device}") from error
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        half = len(sequences) // 2
        return np.concatenate([self._logits(sequences[:half]), self._logits(sequences[half:])])

    def _run(self, sequences: list[list[int]]) -> np.ndarray:
        import torch

        width = max(len(one) for one in sequences)
        pad = self.tokenizer.pad_token_id
        ids = torch.tensor([one + [pad] * (width - len(one)) for one in sequences], device=self.device)
        mask = torch.tensor([[1] * len(one) + [0] * (width - len(one)) for one in sequences], device=self.device)
        with torch.inference_mode():
            logits = self.model(input_ids=ids, attention_mask=mask).logits
        found: np.ndarray = logits.float().cpu().numpy()
        return found


def default_run() -> Run:
    """The run that the package carries: three classes, trained on reviews and tweets."""
    return Run.open(Path(__file__).parent.parent / "default")


def _with_windows(answer: Prediction, count: int, partial: bool) -> Prediction:
    import dataclasses

    return dataclasses.replace(answer, windows=count, partial=partial)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
