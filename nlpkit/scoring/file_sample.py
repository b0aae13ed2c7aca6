"""One pass over the rows of a file before a job: counts, equal texts, and rows drawn across it."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass

from nlpkit.data.examples import TextInput
from nlpkit.data.rows import Record
from nlpkit.errors import DataError
from nlpkit.scoring.chunks import ChunkPlan
from nlpkit.scoring.spent import Spent, Stopwatch

READ_ROWS = 1_000_000
"""Rows after which the pass ends, and the rest is estimated."""
MOST_HASHES = 100_000


class DistinctCount:
    """Count different texts in bounded memory: exactly up to MOST_HASHES of them, then estimated.

    Adaptive sampling (Flajolet 1990, doi:10.1007/BF02241657): where there are too many hashes, those with
    another odd bit are dropped. The standard error is then about 0.4%.
    """

    def __init__(self, most: int = MOST_HASHES) -> None:
        self._most, self._bits = most, 0
        self._hashes: set[int] = set()

    def add(self, text: str) -> None:
        """Take note of a text."""
        digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        number = int.from_bytes(digest)
        if number & ((1 << self._bits) - 1):
            return
        self._hashes.add(number)
        while len(self._hashes) > self._most:
            self._bits += 1
            self._hashes = {kept for kept in self._hashes if not kept & ((1 << self._bits) - 1)}

    @property
    def count(self) -> int:
        """How many different texts there were."""
        return len(self._hashes) << self._bits


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A row that was drawn, and what the model is given for it."""

    record: Record
    given: str | TextInput


@dataclass(frozen=True, kw_only=True)
class FileSample:
    """What a pass over files found."""

    rows: int
    """Rows that can be scored, in what was read."""
    rejected: int
    computed: int
    """Rows whose text is computed: equal ones of a chunk are computed once."""
    characters: int
    """Of all texts that were read."""
    computed_characters: int
    distinct: int
    """Different texts, over all chunks."""
    spent: Spent
    """What reading took."""
    share_read: float
    """1 where all rows were read; else estimated from the number of rows, or of bytes."""
    drawn: tuple[Drawn, ...]
    """Drawn evenly from the rows whose text is computed, in random order."""

    @property
    def is_complete(self) -> bool:
        """Whether all rows were read, so that counts are exact."""
        return self.share_read == 1


def sample_files(
    plans: Sequence[ChunkPlan],
    *,
    most: int,
    seed: int,
    read_rows: int = READ_ROWS,
    progress: Callable[[int], None] = lambda rows: None,
) -> FileSample:
    """Read files once, in constant memory.

    Args:
        plans: how each file is read and cut into chunks.
        most: rows that are drawn.
        seed: draws them.
        read_rows: rows after which the pass ends.
        progress: gets how many rows are read.

    Raises:
        DataError: a file cannot be read, or holds no row that can be scored.
    """
    draws, distinct, drawn = random.Random(seed), DistinctCount(), list[Drawn]()  # noqa: S311
    rows = rejected = computed = characters = computed_characters = 0
    watch = Stopwatch()
    share_read = 1.0
    for number, plan in enumerate(plans):
        before = rows + rejected
        with closing(plan.batches(0)) as batches:
            for batch in batches:
                rows, rejected = rows + len(batch.records), rejected + len(batch.bad)
                seen: set[str | TextInput] = set()
                for record, given in zip(batch.records, batch.inputs, strict=True):
                    size = characters_of(given)
                    characters += size
                    if given in seen:
                        continue
                    seen.add(given)
                    distinct.add(given if isinstance(given, str) else repr(given))
                    computed, computed_characters = computed + 1, computed_characters + size
                    slot = len(drawn) if len(drawn) < most else draws.randrange(computed)
                    if slot < most:
                        drawn[slot : slot + 1] = [Drawn(record=record, given=given)]
                progress(rows + rejected)
                if rows + rejected >= read_rows and next(batches, None) is not None:
                    share_read = _share_read(plans, number, rows + rejected - before, rows + rejected)
                    break
        if share_read < 1:
            break
    if not rows:
        raise DataError(
            f"{plans[0].rows.file.name}: none of {rejected:,} rows can be scored; "
            f"expected a text in the column {plans[0].rows.text!r}"
        )
    draws.shuffle(drawn)
    return FileSample(
        rows=rows, rejected=rejected, computed=computed, characters=characters,
        computed_characters=computed_characters, distinct=min(distinct.count, computed),
        spent=watch.spent(), share_read=share_read, drawn=tuple(drawn),
    )  # fmt: skip


def characters_of(given: str | TextInput) -> int:
    """Return the characters of all that the model reads for a row."""
    if isinstance(given, str):
        return len(given)
    return len(given.text) + len(given.about) + sum(len(turn.text) for turn in given.context)


def _share_read(plans: Sequence[ChunkPlan], number: int, of_last: int, read: int) -> float:
    """Return the share of all rows that were read: `read`, of them `of_last` of the file with that number."""
    counts = [plan.rows.file.count() for plan in plans[number:]]
    if None not in counts:
        left = max(sum(count or 0 for count in counts) - of_last, 1)
        return read / (read + left)
    return 0.5  # a format that tells no count: at least as many again
