"""A codebook: the labels of a task in words. Annotators, training, zero-shot readers and the model card all
use this one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from nlpkit.config import load_config, validate
from nlpkit.errors import ConfigError
from nlpkit.settings import Settings

MOST_LABELS = 1000
"""More labels than people or models can tell apart by their words."""


def _text(value: object) -> object:
    """Accept a label that YAML reads as a number."""
    return str(value) if type(value) in (int, float) else value


def _lines(value: object) -> object:
    """Accept a single line for a list of one."""
    return (value,) if isinstance(value, str) else value


def _entries(value: object) -> object:
    """Accept plain names, and a mapping from names to descriptions."""
    if isinstance(value, Mapping):
        value = [{"label": name, "description": words or ""} for name, words in value.items()]
    if isinstance(value, (list, tuple)):
        return tuple(
            {"label": entry} if not isinstance(entry, (Mapping, LabelWords)) else entry for entry in value
        )
    return value


Line: TypeAlias = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1), BeforeValidator(_text)
]
Lines: TypeAlias = Annotated[tuple[Line, ...], BeforeValidator(_lines)]


class LabelWords(Settings):
    """What one label means."""

    label: Line
    """Its name in data and answers."""
    words: str = ""
    """The name as people say it; default: the name, with blanks for underscores."""
    description: str = ""
    """What the label means, in a sentence or two."""
    examples: Lines = ()
    """Texts that have the label."""
    excludes: Lines = ()
    """What the label is not, and perhaps which label that is."""

    @property
    def spoken(self) -> str:
        """The name as people say it."""
        return self.words or self.label.replace("_", " ")


class Codebook(Settings):
    """The labels of a task in words, in their order."""

    title: str = ""
    question: str = ""
    """What the labels answer, such as "What does the customer want?"."""
    labels: Annotated[tuple[LabelWords, ...], BeforeValidator(_entries), Field(min_length=2)]
    tie_breaks: Lines = ()
    """Rules for texts that several labels fit."""

    @model_validator(mode="after")
    def _distinct(self) -> Codebook:
        if len(self.labels) > MOST_LABELS:
            raise ValueError(
                f"labels: {len(self.labels):,} of them; expected at most {MOST_LABELS:,}; "
                "hint: read coarser labels first, with a codebook for each of them"
            )
        owners: dict[str, tuple[int, str]] = {}
        for number, entry in enumerate(self.labels, 1):
            for meaning, how in _meanings(entry):
                first, name = owners.setdefault(meaning, (number, entry.label))
                if first != number:
                    raise ValueError(
                        f"labels: {name!r} (label {first}) and {entry.label!r} (label {number}) have one "
                        f"meaning: both {how}; hint: merge them, or say what tells them apart"
                    )
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the labels, in their order."""
        return tuple(entry.label for entry in self.labels)


LabelsInWords: TypeAlias = Codebook | Mapping[str, str] | Sequence[str]
"""A codebook, labels with their descriptions, or names alone."""


def codebook_of(labels: LabelsInWords) -> Codebook:
    """Return labels in words as a codebook.

    Raises:
        ConfigError: fewer than two labels, or two of one meaning.
    """
    if isinstance(labels, Codebook):
        return labels
    if isinstance(labels, str):
        raise ConfigError(f"labels: found the text {labels[:40]!r}; expected a list of labels")
    return validate({"labels": labels}, Codebook, where=Path("the labels"))


def read_codebook(path: Path) -> Codebook:
    """Read a codebook from YAML.

    Raises:
        ConfigError: with every problem: file, line, key, and the nearest name of an unknown key.
    """
    return load_config(path, Codebook)


def _meanings(entry: LabelWords) -> Iterator[tuple[str, str]]:
    """Yield what no other label may share, and how a shared one is said."""
    for text in dict.fromkeys((entry.label, entry.spoken)):
        yield f"name {_plain(text)}", f"are called {text!r}"
    if entry.description:
        yield f"description {_plain(entry.description)}", f"are described as {entry.description[:60]!r}"
    for example in entry.examples:
        yield f"example {_plain(example)}", f"have the example {example[:60]!r}"


def _plain(text: Any) -> str:
    """Return a text without case, punctuation and underscores; of signs alone, such as emoji, as it is."""
    return " ".join(re.findall(r"[^\W_]+", text.casefold())) or text.strip()
