"""Labelled rows from wherever they lie: source -> records -> examples."""

from __future__ import annotations

import random
from collections.abc import Sequence

from nlpkit.data.examples import LabeledText
from nlpkit.data.records import read_records
from nlpkit.errors import DataError
from nlpkit.settings import DataSource
from nlpkit.sources import resolve
from nlpkit.tasks.task import Task


def read_examples(task: Task, sources: Sequence[DataSource], *, seed: int) -> list[LabeledText]:
    """Every example of the sources, in their order; where a source has a limit, so many of it, chosen by the seed.

    Raises:
        DataError: a file or a row is wrong, or a source holds no rows.
    """
    return [example for source in sources for example in _read_one(task, source, seed)]


def _read_one(task: Task, source: DataSource, seed: int) -> list[LabeledText]:
    path = resolve(source.source, kind="data")
    needed = [source.text, source.label, *(one for one in (source.spread, source.weight) if one)]
    records = read_records(path, format=source.format, encoding=source.encoding, columns=needed)
    examples = [task.parse(record, source) for record in records]
    if not examples:
        raise DataError(f"{source.source}: no rows; expected labelled texts")
    if source.limit is None or source.limit >= len(examples):
        return examples
    chosen = sorted(random.Random(seed).sample(range(len(examples)), source.limit))  # noqa: S311
    return [examples[place] for place in chosen]
