"""What computing and writing some rows of a job takes, and what follows for all of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

from nlpkit.data.examples import TextInput
from nlpkit.models.batching import batches
from nlpkit.scoring.batches import Batch
from nlpkit.scoring.chunks import ChunkPlan
from nlpkit.scoring.file_sample import Drawn, FileSample, characters_of
from nlpkit.scoring.predictors import Answer, Predictor, Tunable
from nlpkit.scoring.spent import EnergyMeter, Spent, Stopwatch
from nlpkit.tasks.encoding import Encoded

PARTS, PART_ROWS, FEWEST_ROWS = 4, 512, 32
"""The sample is measured in so many parts, of at most and at least so many rows each."""
PART_SECONDS = 1.5
"""What a part should take."""
T_QUANTILE = 3.182
"""Of Student's distribution with PARTS - 1 degrees of freedom, for a 95% interval."""


@runtime_checkable
class Reader(Protocol):
    """A model that tells how it reads texts; Classifier is one."""

    @property
    def max_tokens(self) -> int:
        """Tokens of a window, special tokens included."""

    def encode(self, texts: Sequence[str | TextInput]) -> list[Encoded]:
        """Return each text as the model reads it."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """An estimate with its 95% interval."""

    value: float
    low: float
    high: float


class _Known:
    """Gives answers that were computed before, so that all else of a chunk can be measured alone."""

    columns: ClassVar[Mapping[str, Any]] = {}
    fingerprint = ""

    def __init__(self, answers: Sequence[Answer]) -> None:
        self._answers = answers

    def predict(self, texts: Sequence[Any]) -> Sequence[Answer]:
        return self._answers[: len(texts)]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What computing the parts of the sample took."""

    drawn: tuple[Drawn, ...]
    costs: tuple[int, ...]
    """Of each part, as `cost_of` has them."""
    whole_cost: int
    """Of all rows that were drawn, as one chunk of the job."""
    whole_characters: int
    computing: tuple[Spent, ...]
    """Of each part."""
    writing: Spent
    """Of a row."""
    partly_read: int
    joules: float | None


def measure(model: Predictor, plan: ChunkPlan, drawn: Sequence[Drawn]) -> Measured:
    """Compute some of the drawn rows in parts, each as the job computes a chunk.

    Args:
        model: what answers.
        plan: writes the rows.
        drawn: in random order.
    """
    pilot = [each.given for each in drawn[:FEWEST_ROWS]]
    model.predict(pilot)  # the first call of a model takes longer than the next
    watch = Stopwatch()
    model.predict(pilot)
    pace = watch.spent().wall / len(pilot)
    most = min(PART_ROWS, math.ceil(len(drawn) / PARTS))
    size = min(max(round(PART_SECONDS / pace), FEWEST_ROWS), most)
    end = min(PARTS * size, len(drawn))
    parts = [drawn[start : start + size] for start in range(0, end, size)]
    computing, writing, partly = [], Spent(), 0
    meter = EnergyMeter()
    for part in parts:
        inputs = list(dict.fromkeys(each.given for each in part))
        watch = Stopwatch()
        answers = model.predict(inputs)
        computing.append(watch.spent())
        batch = Batch(
            records=[each.record for each in part],
            inputs=[each.given for each in part],
            bad=[],
            read=len(part),
        )
        plan.score(_Known(answers), batch)
        writing += watch.spent()
        partly += sum(answer.partial for answer in answers)
    measured = tuple(each for part in parts for each in part)
    whole = list({each.given: None for each in drawn})
    return Measured(
        drawn=measured,
        costs=tuple(cost_of(model, list({each.given: None for each in part})) for part in parts),
        whole_cost=cost_of(model, whole),
        whole_characters=sum(map(characters_of, whole)),
        computing=tuple(computing),
        writing=writing.times(1 / len(measured)),
        partly_read=partly,
        joules=meter.joules(),
    )


def cost_of(model: Predictor, inputs: Sequence[str | TextInput]) -> int:
    """Return the tokens that computing inputs together takes, padding included: what the seconds grow with.

    Few texts are padded more than a chunk of the job, whose batches hold texts of like length. For a model
    that does not show how it reads, characters stand for tokens.
    """
    if not (isinstance(model, Reader) and isinstance(model, Tunable)):
        return sum(map(characters_of, inputs))
    lengths = [len(window) for text in model.encode(inputs) for window in text.windows]
    plan = batches(lengths, model.budget)
    return sum(len(batch) * max(lengths[index] for index in batch) for batch in plan)


def job_seconds(
    sample: FileSample, measured: Measured, tuning: Spent, scale: float
) -> tuple[Estimate, float]:
    """Return the job's seconds, and those of the processor.

    Computing grows with the tokens of the texts to compute, and these with their characters.
    """
    cost = measured.whole_cost * sample.computed_characters * scale / max(measured.whole_characters, 1)
    besides = tuning + (sample.spent + measured.writing.times(sample.rows)).times(scale)
    pace, error = ratio_of([each.wall for each in measured.computing], measured.costs)
    cpu_pace, _ = ratio_of([each.cpu for each in measured.computing], measured.costs)
    value, wide = pace * cost + besides.wall, T_QUANTILE * error * cost
    seconds = Estimate(value=value, low=max(value - wide, besides.wall), high=value + wide)
    return seconds, cpu_pace * cost + besides.cpu


def ratio_of(parts: Sequence[float], sizes: Sequence[float]) -> tuple[float, float]:
    """Return the sum of parts over that of their sizes, and its standard error (Cochran 1977, chapter 6)."""
    ratio = sum(parts) / max(sum(sizes), 1)
    count = len(parts)
    if count < 2:
        return ratio, 0.0
    squares = sum((part - ratio * size) ** 2 for part, size in zip(parts, sizes, strict=True))
    return ratio, math.sqrt(squares / (count * (count - 1))) / (sum(sizes) / count)
