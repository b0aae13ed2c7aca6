"""From the files of a package to those that nlpkit reads: one function for each entry of the catalog."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from nlpkit.errors import SourceError
from nlpkit.sources import conversations, dinov2, multilingual, ratings, reviews, weights
from nlpkit.sources.entry import Entry

Prepare = Callable[[list[Path], Path], None]

_PREPARE: Mapping[str, Prepare] = {
    "minilm-l6": weights.copy,
    "mpnet-base": weights.join_mpnet,
    "multilingual-e5-small": multilingual.multilingual_e5,
    "dinov2-small": dinov2.dinov2_small,
    "smollm2-135m": weights.convert_gguf,
    "gemma3-270m": weights.convert_gemma,
    "movie-reviews": reviews.movie_reviews,
    "tweets": reviews.tweets,
    "sentiment-ratings": ratings.sentiment_ratings,
    "chitchat": conversations.chitchat,
    "movie-dialog": conversations.movie_dialog,
}


def prepare(entry: Entry, raw: list[Path], folder: Path) -> None:
    """Make the entry's files in `folder` from the raw files, and check the number of rows in every part.

    Raises:
        SourceError: the raw files are not what the catalog says.
    """
    folder.mkdir(parents=True)
    try:
        _PREPARE[entry.name](raw, folder)
    except (ValueError, LookupError) as error:
        raise SourceError(
            f"{entry.name}: the files of {entry.version} are not as expected: {error}"
        ) from error
    _count(entry, folder)


def _count(entry: Entry, folder: Path) -> None:
    if not entry.parts:
        return
    import pyarrow.parquet as pq

    for part in entry.parts:
        rows = pq.ParquetFile(folder / part.file).metadata.num_rows
        if rows != part.rows:
            raise SourceError(f"{entry.name}: {part.name} has {rows:,} rows, expected {part.rows:,}")
