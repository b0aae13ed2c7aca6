"""The rows of one training: read, split without leaks, and encoded."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nlpkit.data.examples import LabeledText
from nlpkit.data.splits import hold_out, split
from nlpkit.settings import Data
from nlpkit.tasks.encoding import Encoded, Frame, token_ids
from nlpkit.tasks.reading import read_examples
from nlpkit.tasks.task import Task


@dataclass(frozen=True, kw_only=True)
class Rows:
    """What is trained on, chosen on and reported on, and the task as the training rows fitted it."""

    task: Task
    train: tuple[LabeledText, ...]
    validation: tuple[LabeledText, ...]
    test: tuple[LabeledText, ...]
    dropped: int
    """Training rows dropped because they stand, nearly equal, in the held-out ones."""
    sources: tuple[str, ...] = ()
    """Where the training rows came from, as the config names it."""
    beside: Mapping[str, Any] = field(default_factory=dict)
    """What the record says besides: what else was learnt from."""

    def describe(self) -> dict[str, Any]:
        """Counts, label balance and a fingerprint of each part, for run.json."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        return {
            "sources": list(self.sources),
            "rows": {name: len(rows) for name, rows in parts.items()},
            "labels": {name: _balance(rows) for name, rows in parts.items()},
            "near_duplicates_dropped": self.dropped,
            "sha256": {name: _hash(rows) for name, rows in parts.items() if rows},
            **self.beside,
        }


def load_rows(task: Task, data: Data, *, seed: int) -> Rows:
    """The parts that the config asks for; held-out files win over training rows that repeat them.

    Raises:
        DataError: a file or a row is wrong, or a part stays empty.
        SourceError: a source cannot be brought here.
    """
    train = read_examples(task, data.train, seed=seed)
    fitted = task.fitted(train)
    files = {
        name: tuple(read_examples(fitted, value, seed=seed)) if isinstance(value, tuple) else ()
        for name, value in (("validation", data.validation), ("test", data.test))
    }
    sources = tuple(one.source for one in data.train)
    dropped = 0
    if held := (*files["validation"], *files["test"]):
        before = len(train)
        train = list(hold_out(train, held, data.near_duplicates).train)
        dropped = before - len(train)
    shares = {
        name: value if isinstance(value, float) else 0.0
        for name, value in (("validation", data.validation), ("test", data.test))
    }
    if not any(shares.values()):
        return Rows(
            task=fitted,
            train=tuple(train),
            validation=files["validation"],
            test=files["test"],
            dropped=dropped,
            sources=sources,
        )
    parts = split(
        train,
        validation=shares["validation"],
        test=shares["test"],
        seed=seed,
        near_duplicates=data.near_duplicates,
    )
    return Rows(
        task=fitted,
        train=parts.train,
        validation=parts.validation or files["validation"],
        test=parts.test or files["test"],
        dropped=dropped,
        sources=sources,
    )


def encode(examples: Sequence[LabeledText], task: Task, tokenizer: Any, max_tokens: int) -> list[Encoded]:
    """The examples as ids and targets; what does not fit `max_tokens` is cut from the end, and counted."""
    frame = Frame.of(tokenizer)
    room = max_tokens - frame.size
    scale = len(examples) / total if (total := sum(example.weight for example in examples)) else 1.0
    return [
        Encoded(
            input_ids=frame.around(ids[:room]),
            target=task.target(example),
            weight=example.weight * scale,  # so that weights average 1 and the loss keeps its size
            cut=max(0, len(ids) - room),
        )
        for example, ids in zip(
            examples, token_ids(tokenizer, [example.text for example in examples]), strict=True
        )
    ]


def _balance(rows: Sequence[LabeledText]) -> dict[str, int]:
    return dict(sorted(Counter(row.label for row in rows if row.label is not None).items()))


def _hash(rows: Sequence[LabeledText]) -> str:
    digest = hashlib.sha256()
    for row in rows:
        digest.update(
            repr((row.text, row.label, row.value, row.spread, row.weight)).encode("utf-8", "backslashreplace")
        )
    return digest.hexdigest()
