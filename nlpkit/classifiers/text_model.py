"""Texts to logits: tokenized, cut into windows, put in batches, and computed by a runtime."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from nlpkit.classifiers.runtime import CPU_BUDGETS, GPU_BUDGETS, SERVER, OutOfMemoryError, Runtime
from nlpkit.classifiers.text_tokenizer import TextTokenizer
from nlpkit.data.examples import Picture, TextInput
from nlpkit.errors import NlpkitError
from nlpkit.models.batching import batches
from nlpkit.tasks.encoding import Encoded
from nlpkit.tasks.prediction import Prediction
from nlpkit.tasks.task import TextTask

if TYPE_CHECKING:
    import numpy as np

TUNING_SECONDS = 2.0

TUNING_TOKENS = 2048
"""Tokens a thread that each budget is tried on."""

BETTER = 0.97
"""Share of the default budget's time that another must stay under: short measurements are noisy."""


class TextModel:
    """A runtime and a tokenizer, and the task that its logits answer."""

    def __init__(
        self,
        runtime: Runtime,
        tokenizer: TextTokenizer,
        task: TextTask,
        *,
        max_tokens: int,
        threads: int | None = None,
        name: str = "",
        identity: str = "",
    ) -> None:
        self.runtime = runtime
        self.tokenizer = tokenizer
        self.task = task
        self.max_tokens = max_tokens
        self.threads: int = threads or usable_cores()
        self.name = name
        self.identity = identity
        """A hash of all that the run's answers depend on, besides the runtime."""
        self.budget: int = self._budgets[1]
        """Max tokens per batch, padding included.

        Which texts share a batch decides the last bits of an answer.
        """

    def encode(self, texts: Sequence[str | TextInput]) -> list[Encoded]:
        """Return each text as the model reads it: the ids of its windows, with special tokens."""
        inputs = [TextInput(text=text) if isinstance(text, str) else text for text in texts]
        return self.task.encode(inputs, self.tokenizer, self.max_tokens)

    def predict(self, texts: Sequence[str | TextInput]) -> list[Prediction]:
        """Return the answer to each text, in order.

        Raises:
            NlpkitError: a single window does not fit the device's memory.
        """
        encoded = self.encode(texts)
        return self.answers(encoded, self.logits_of(encoded)) if encoded else []

    def answers(self, encoded: Sequence[Encoded], logits: np.ndarray) -> list[Prediction]:
        """Return the answers that the raw outputs of encoded texts stand for."""
        answers = self.task.decode(logits, encoded)
        return [
            answer
            if len(text.windows) == 1 and not text.partial and not text.is_unreadable
            else replace(
                answer, windows=len(text.windows), partial=text.partial, is_unreadable=text.is_unreadable
            )
            for answer, text in zip(answers, encoded, strict=True)
        ]

    def logits(self, texts: Sequence[str | TextInput]) -> np.ndarray:
        """Return the raw outputs, as `logits_of` does.

        Raises:
            NlpkitError: a single window does not fit the device's memory.
        """
        return self.logits_of(self.encode(texts))

    def logits_of(self, encoded: Sequence[Encoded]) -> np.ndarray:
        """Return the raw outputs: (texts, outputs), or of a head for tokens (tokens of all windows, outputs).

        A long text's are the mean over its windows, each weighted by its length; those of tokens stay apart.
        """
        windows = [window for text in encoded for window in text.windows]
        return self.pooled(encoded, self.forward(windows))

    def pooled(self, encoded: Sequence[Encoded], rows: Sequence[np.ndarray]) -> np.ndarray:
        """Return the raw outputs of texts; `rows` are those of all their windows, as `forward` returns."""
        import numpy as np

        windows = [window for text in encoded for window in text.windows]
        if self.task.head.level == "token":
            before, frame = len(self.tokenizer.frame.before), self.tokenizer.frame.size
            kept = [
                row[before : before + len(window) - frame] for row, window in zip(rows, windows, strict=True)
            ]
            return np.concatenate(kept)
        outputs = np.stack(rows)
        lengths = np.array([len(window) for window in windows], dtype=np.float64) - self.tokenizer.frame.size
        owner = np.repeat(np.arange(len(encoded)), [len(text.windows) for text in encoded])
        sizes = np.maximum(lengths, 1)  # a text of no tokens still has an answer
        total = np.zeros((len(encoded), outputs.shape[1]))
        np.add.at(total, owner, outputs * sizes[:, None])
        weight = np.bincount(owner, weights=sizes, minlength=len(encoded))
        mean: np.ndarray = total / weight[:, None]
        return mean

    def tune(self, texts: Sequence[str | TextInput]) -> int:
        """Choose the budget that is fastest on this machine for such texts, by measuring for a second or two.

        Returns:
            The budget, which the model uses from now on.
        """
        if self.runtime.device == SERVER:  # measuring would be paid for, and the budget changes no answer
            return self.budget
        sequences = [text.windows[0] for text in self.encode(texts)]
        sample = _resized(sequences, max(TUNING_TOKENS * self.threads, 2 * max(self._budgets)))
        seconds = dict.fromkeys(self._budgets, float("inf"))
        started = time.perf_counter()
        for _ in range(3):
            for budget in self._budgets:
                before = time.perf_counter()
                self.forward(sample, budget)
                seconds[budget] = min(seconds[budget], time.perf_counter() - before)
            if time.perf_counter() - started > TUNING_SECONDS / 2:
                break
        fastest = min(seconds, key=lambda budget: seconds[budget])
        default = self._budgets[1]
        self.budget = fastest if seconds[fastest] < BETTER * seconds[default] else default
        return self.budget

    @property
    def _budgets(self) -> tuple[int, ...]:
        return CPU_BUDGETS if self.runtime.workers else GPU_BUDGETS

    def forward(
        self,
        sequences: Sequence[list[int]],
        budget: int | None = None,
        *,
        pictures: Sequence[Picture | None] = (),
    ) -> list[np.ndarray]:
        """Return the outputs of each sequence with its special tokens: (outputs,), or of a head for tokens
        (time, outputs), padding included. `pictures`: what a model of pictures reads with each.
        """
        outputs: dict[int, np.ndarray] = {}
        seen = pictures or [None] * len(sequences)

        def compute(batch: list[int]) -> None:
            rows = self._halving([sequences[index] for index in batch], [seen[index] for index in batch])
            outputs.update(zip(batch, rows, strict=True))

        plan = batches(list(map(self._size, sequences, seen)), budget or self.budget)
        if not self.runtime.workers:
            for batch in plan:
                compute(batch)
            return [outputs[index] for index in range(len(sequences))]
        with (
            self.runtime.single_threaded(),
            ThreadPoolExecutor(self.threads, initializer=self.runtime.begin) as pool,
        ):
            list(pool.map(compute, plan))
        return [outputs[index] for index in range(len(sequences))]

    def _halving(self, sequences: list[list[int]], pictures: Sequence[Picture | None]) -> list[np.ndarray]:
        """Compute a batch; where memory runs out, its halves."""
        try:
            return list(self._run(sequences, pictures).astype("float64"))
        except OutOfMemoryError as error:
            if len(sequences) == 1:
                raise NlpkitError(
                    f"a text of {len(sequences[0])} tokens does not fit the memory of {self.runtime.device}"
                ) from error
        self.runtime.free()
        half = len(sequences) // 2
        return [
            *self._halving(sequences[:half], pictures[:half]),
            *self._halving(sequences[half:], pictures[half:]),
        ]

    def _size(self, sequence: list[int], picture: Picture | None) -> int:
        """Return the tokens that a sequence takes of the budget."""
        return len(sequence)

    def _run(self, sequences: list[list[int]], pictures: Sequence[Picture | None] = ()) -> np.ndarray:
        """Compute one padded batch."""
        return self.runtime.logits(*self._padded(sequences))

    def _padded(self, sequences: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
        """Return ids and mask, (batch, time)."""
        import numpy as np

        lengths = np.array([len(sequence) for sequence in sequences])
        mask = (np.arange(lengths.max()) < lengths[:, None]).astype(np.int64)
        ids = np.full(mask.shape, self.tokenizer.pad_id, dtype=np.int64)
        ids[mask.astype(bool)] = np.concatenate(sequences)
        return ids, mask


def usable_cores() -> int:
    """Return how many processor threads this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _resized(sequences: Sequence[list[int]], tokens: int) -> list[list[int]]:
    """Repeat sequences or leave some out, evenly, until they hold about so many tokens."""
    mean = max(1, sum(map(len, sequences)) // len(sequences))
    count = max(1, tokens // mean)
    return [sequences[index * len(sequences) // count] for index in range(count)]
