"""The rows of one training: read, split without leaks, and encoded."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from nlpkit.classifiers.text_tokenizer import TextTokenizer
from nlpkit.data.splits import folds, hold_out, split
from nlpkit.errors import DataError
from nlpkit.settings.data import ConversationData, Data, Subset
from nlpkit.tasks.reading import read_examples
from nlpkit.tasks.task import Task, TextTask
from nlpkit.training.left_out import without
from nlpkit.training.swaps import swapped_rows

AnyTask = TypeVar("AnyTask", bound=Task)


@dataclass(frozen=True, kw_only=True)
class Rows(Generic[AnyTask]):
    """What is trained on, chosen on and reported on, and the task as the training rows fitted it."""

    task: AnyTask
    train: tuple[Any, ...]
    validation: tuple[Any, ...]
    test: tuple[Any, ...]
    dropped: int
    """Training rows dropped because they stand, nearly equal, in the held-out ones."""
    skipped: tuple[str, ...] = ()
    """Why examples were left out while reading, where the config allows it."""
    left_out: int = 0
    """How many were left out while reading."""
    swapped: tuple[int, ...] | None = None
    """The last training rows are copies with groups of people exchanged: the number of each one's original;
    None where none were asked for."""
    unused: tuple[str, ...] = ()
    """Columns that hold something and are not used, each with its source."""
    sources: tuple[str, ...] = ()
    """Where the training rows came from, as the config names it."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """What else the record holds: what else was trained on."""
    extra_texts: tuple[str, ...] = ()
    """Texts without labels that were trained on too."""

    @property
    def texts(self) -> list[str]:
        """All texts that are trained on, as evaluations look for them."""
        return [*(text for row in self.train for text in self.task.family.texts(row)), *self.extra_texts]

    @property
    def held_out(self) -> dict[str, tuple[Any, ...]]:
        """What is reported on, part by part."""
        return {"validation": self.validation, "test": self.test}

    def describe(self) -> dict[str, Any]:
        """Return counts, label balance and a fingerprint of each part, for run.json."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        counts = described(self.task, parts, self.sources, dropped=self.dropped, left_out=self.left_out)
        return {
            **counts,
            **({} if self.swapped is None else {"swapped": len(self.swapped)}),
            **self.extra,
        }


def described(
    task: Task, parts: Mapping[str, Sequence[Any]], sources: Sequence[str], *, dropped: int, left_out: int
) -> dict[str, Any]:
    """Return counts, label balance and a fingerprint of each part of the rows of a run, for run.json."""
    return {
        "sources": list(sources),
        "rows": {name: len(rows) for name, rows in parts.items()},
        **task.family.describe(parts),
        "near_duplicates_dropped": dropped,
        "skipped": left_out,
        "sha256": {
            name: fingerprint_of([task.family.identity(row) for row in rows])
            for name, rows in parts.items()
            if rows
        },
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingRow:
    """One example as the model is trained on it: plain ints, with special tokens."""

    input_ids: list[int]
    target: list[float]
    weight: float
    cut: int
    """How many tokens of the text did not fit."""
    turns_cut: int = 0
    """How many turns before it did not fit."""
    picture: str = ""
    """The SHA-256 of its picture; empty where it has none."""


def load_rows(task: AnyTask, data: Data | ConversationData, *, seed: int) -> Rows[AnyTask]:
    """Read and split the parts that the config asks for; held-out files win over training rows that repeat
    them.

    Raises:
        ConfigError: a source has a key that means nothing to the task.
        DataError: a file or a row is wrong, or a part stays empty.
        SourceError: a source cannot be brought here.
    """
    family = task.family
    reading = read_examples(task, data.train, seed=seed)
    train, skipped, unused = reading.examples, list(reading.skipped), list(reading.unused)
    left_out = reading.left_out
    if isinstance(data, Data) and data.leave_out:
        train, reason = without(train, data.leave_out)
        left_out += len(reading.examples) - len(train)
        skipped.append(reason)
    fitted = task.fit(train)
    held: dict[str, tuple[Any, ...]] = {"validation": (), "test": ()}
    shares = {"validation": 0.0, "test": 0.0}
    for name, value in (("validation", data.validation), ("test", data.test)):
        if isinstance(value, tuple):
            reading = read_examples(fitted, value, seed=seed)
            held[name] = reading.examples
            skipped += reading.skipped
            left_out += reading.left_out
            unused += reading.unused
        else:
            shares[name] = value
    dropped = 0
    if taken := (*held["validation"], *held["test"]):
        kept = hold_out(train, taken, family, near_duplicates=data.near_duplicates)
        train, dropped = kept.train, len(kept.dropped)
    if apart := _apart(train, family, data, shares["test"], seed=seed):
        train, held["test"], shares["test"] = apart[0], apart[1] or held["test"], 0.0
    if any(shares.values()):
        parts = split(train, family, **shares, seed=seed, near_duplicates=data.near_duplicates)
        train = parts.train
        held = {"validation": parts.validation or held["validation"], "test": parts.test or held["test"]}
    copies = swapped_rows(train, (*held["validation"], *held["test"]), fitted, data, seed=seed)
    return Rows(
        task=fitted,
        train=(*train, *(copies or {}).values()),
        validation=held["validation"],
        test=held["test"],
        dropped=dropped,
        skipped=tuple(skipped),
        left_out=left_out,
        swapped=None if copies is None else tuple(copies),
        unused=tuple(dict.fromkeys(unused)),
        sources=tuple(source.source for source in data.train),
    )


def _apart(
    train: Sequence[Any], family: Any, data: Data | ConversationData, share: float, *, seed: int
) -> tuple[tuple[Any, ...], tuple[Any, ...]] | None:
    """Return the rows to train on and those to report on, where a fold or a subset asks for it.

    Raises:
        DataError: a fold would stay empty, or fewer rows are there than the subset asks for.
    """
    if not isinstance(data, Data) or not (data.fold or data.subset):
        return None
    test: tuple[Any, ...] = ()
    if data.fold:
        numbers = folds(train, family, count=data.fold.of, seed=seed, near_duplicates=data.near_duplicates)
        pairs = list(zip(train, numbers, strict=True))
        test = tuple(example for example, number in pairs if number == data.fold.number)
        train = tuple(example for example, number in pairs if number != data.fold.number)
    elif share:
        parts = split(
            train, family, validation=0.0, test=share, seed=seed, near_duplicates=data.near_duplicates
        )
        train, test = parts.train, parts.test
    return (_subset(train, data.subset) if data.subset else tuple(train)), test


def _subset(train: Sequence[Any], subset: Subset) -> tuple[Any, ...]:
    if subset.rows > len(train):
        raise DataError(
            f"data.subset.rows: {subset.rows:,}; "
            f"expected at most the {len(train):,} rows that are not held out"
        )
    order = list(range(len(train)))
    random.Random(subset.draw).shuffle(order)  # noqa: S311
    return tuple(train[number] for number in sorted(order[: subset.rows]))


def encode(examples: Sequence[Any], task: TextTask, tokenizer: Any, max_tokens: int) -> list[TrainingRow]:
    """Encode examples as ids and targets; what does not fit `max_tokens` is cut from the end, and counted."""
    tokenizing = TextTokenizer.of(tokenizer)
    size = max_tokens - tokenizing.frame.size
    scale = len(examples) / total if (total := sum(example.weight for example in examples)) else 1.0
    encoded = task.encode([task.input(example) for example in examples], tokenizing, max_tokens)
    return [
        TrainingRow(
            input_ids=read.windows[0],
            target=task.family.target(example, read),
            weight=example.weight * scale,  # so that weights average 1 and the loss keeps its size
            cut=max(0, read.tokens - size),
            turns_cut=read.turns_cut,
            picture=read.picture.sha256 if read.picture else "",
        )
        for example, read in zip(examples, encoded, strict=True)
    ]


def fingerprint_of(rows: Sequence[tuple[Any, ...]]) -> str:
    """Return a hash of rows."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(repr(row).encode("utf-8", "backslashreplace"))
    return digest.hexdigest()
