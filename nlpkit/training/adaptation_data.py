"""The texts of an adaptation: read, without near-equal ones, split, and cut in windows."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from nlpkit.data.near import near_groups
from nlpkit.errors import DataError
from nlpkit.settings import Settings
from nlpkit.settings.data import as_sources
from nlpkit.tasks.encoding import Frame, placed_ids, whole_characters
from nlpkit.training.rows import fingerprint_of
from nlpkit.training.unlabeled_texts import TextSource, read_texts

LEAST = 50
"""Texts, none nearly equal to another, below which nothing can be learned and measured."""


class AdaptationData(Settings):
    """What is learned from, and what is held out."""

    unlabelled: Annotated[  # an old name
        tuple[TextSource, ...], BeforeValidator(as_sources), Field(min_length=1)
    ]
    """Texts; their labels, if they have any, are not read."""
    held_out: Annotated[float, Field(gt=0, le=0.5)] = 0.1
    """The share of the texts that is held out to choose and report on."""
    near_duplicates: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Of texts that share this much (Jaccard similarity of word pairs) the first is used."""


@dataclass(frozen=True, kw_only=True)
class AdaptationTexts:
    """Texts to learn from and held-out ones, none nearly equal to another."""

    train: Sequence[str]
    held_out: Sequence[str]
    dropped: int
    """Texts that are nearly equal to another one."""
    sources: Sequence[str]

    def describe(self) -> dict[str, Any]:
        """Return counts and a fingerprint of each part, for run.json."""
        parts = {"train": self.train, "held_out": self.held_out}
        return {
            "sources": list(self.sources),
            "rows": {name: len(texts) for name, texts in parts.items()},
            "near_duplicates_dropped": self.dropped,
            "sha256": {name: fingerprint_of([(text,) for text in texts]) for name, texts in parts.items()},
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """A text, or a part of a longer one, as the model reads it."""

    text: int
    """The number of its text."""
    start: int
    """The number of its first token in the text."""
    input_ids: list[int]
    """With special tokens."""
    begins: list[bool | None]
    """Whether a word begins with each token; None for a special token."""


def load_texts(data: AdaptationData, *, seed: int) -> AdaptationTexts:
    """Read the texts and hold out some of them, chosen by the seed.

    Raises:
        DataError: a file or a row is wrong, or too few texts are left.
        SourceError: a source cannot be brought here.
    """
    every = [text for source in data.unlabelled for text in read_texts(source, seed)]  # an old name
    groups = near_groups(every, threshold=data.near_duplicates, seed=seed)
    first = dict(zip(reversed(groups), reversed(every), strict=True))
    texts = [first[group] for group in sorted(first)]
    if len(texts) < LEAST:
        hint = "add texts, or cut long ones: `cut: sentences` below the source"
        if len(set(every)) >= LEAST:
            hint = "data.near_duplicates=1.0 drops equal ones only"
        raise DataError(
            f"data.unlabelled: {len(texts):,} of {len(every):,} texts are left without near-equal ones; "
            f"expected at least {LEAST}; hint: {hint}"
        )
    random.Random(seed).shuffle(texts)  # noqa: S311
    count = max(1, round(data.held_out * len(texts)))
    return AdaptationTexts(
        train=texts[count:],
        held_out=texts[:count],
        dropped=len(every) - len(texts),
        sources=[source.source for source in data.unlabelled],  # an old name
    )


def windows_of(
    texts: Sequence[str], tokenizer: Any, max_tokens: int, end: Sequence[int] = ()
) -> list[Window]:
    """Encode texts in windows of at most `max_tokens`, one behind the other, shortest windows first.

    `end`: the ids that end a text, behind its last token.

    Raises:
        RunError: the tokenizer does not know where its tokens stand.
    """
    return sorted(_windows(texts, tokenizer, max_tokens, end), key=lambda window: len(window.input_ids))


def _windows(texts: Sequence[str], tokenizer: Any, max_tokens: int, end: Sequence[int]) -> Iterator[Window]:
    frame = Frame.of(tokenizer)
    size = max_tokens - frame.size
    before, after = [None] * len(frame.before), [None] * len(frame.after)
    for number, (text, (ids, offsets)) in enumerate(zip(texts, placed_ids(tokenizer, texts), strict=True)):
        places = whole_characters(text, offsets)
        starts = zip(places, [(-1, -1), *places], strict=False)
        begins = [*(this[0] > last[1] for this, last in starts), *[None] * len(end)]
        ids = [*ids, *end]
        for start in range(0, len(ids), size):
            yield Window(
                text=number, start=start, input_ids=frame.around(ids[start : start + size]),
                begins=[*before, *begins[start : start + size], *after],
            )  # fmt: skip
