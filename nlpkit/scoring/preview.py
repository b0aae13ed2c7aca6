"""What a job will take, before it: rows, tokens, seconds, memory, energy and a hosted model's price."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from nlpkit.data.examples import TextInput
from nlpkit.errors import ConfigError
from nlpkit.scoring.chunks import ChunkPlan
from nlpkit.scoring.file_sample import characters_of, sample_files
from nlpkit.scoring.folder_scoring import plan_folder
from nlpkit.scoring.job import WORTH_TUNING
from nlpkit.scoring.measured import PART_ROWS, PARTS, Estimate, Reader, job_seconds, measure, ratio_of
from nlpkit.scoring.options import ScoreOptions
from nlpkit.scoring.output import STREAM
from nlpkit.scoring.predictors import Predictor, Tunable
from nlpkit.scoring.score import plan_file
from nlpkit.scoring.spent import Spent, Stopwatch
from nlpkit.scoring.store_location import is_remote


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a job will take on this machine, as it is now."""

    rows: int
    """Rows that can be scored."""
    rows_are: str
    """`exact`, or `estimated` where not all of a large file was read."""
    rejected: int
    """Rows that cannot be scored, among those that were read."""
    read: int
    """Rows that were read to count and to draw from."""
    drawn: int
    """Rows that were drawn across the file, and encoded."""
    sampled: int
    """Those of them that were computed."""
    equal_share: float
    """Share of the rows whose text stands in a row before."""
    computed: int
    """Texts to compute: equal ones within a chunk are computed once."""
    tokens: Estimate | None
    """Of all rows, without special tokens; None where the model does not tell how it reads."""
    unknown_share: float | None
    """Share of the drawn tokens that the model does not know."""
    longer_share: float | None
    """Share of the drawn texts longer than the model reads at once: it reads them in windows."""
    reads: int | None
    """Tokens that it reads at once, special tokens included."""
    partly_read: int
    """Sampled texts so long that not all of them is read."""
    seconds: Estimate
    """Of the job without loading the model. The interval is about which rows were drawn."""
    cpu_seconds: float
    """Of the processor, over all threads."""
    loading_seconds: float
    runtime: str
    """Its name, and with how many threads it computes."""
    memory_mb: float | None
    """The most that this process held."""
    kilojoules: float | None
    """Of the processor, with all that runs on it; None where the machine does not tell."""
    price_per_million: float | None
    dollars: float | None
    """What a hosted model would ask for the tokens of all rows, without instructions and answers."""

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return asdict(self)


@dataclass(frozen=True)
class PreviewInput:
    """What the choice of a runtime asks of an input of which no output is planned."""

    source: str

    def begun_with(self) -> str | None:
        """Return None: there is no work to go on with."""
        return None

    def is_long(self, size: int) -> bool:
        """Return whether the input holds at least so many bytes."""
        path = Path(self.source)
        files = path.rglob("*") if path.is_dir() else [path]
        return sum(file.stat().st_size for file in files if file.is_file()) >= size


def preview(
    source: Path | str,
    model: Predictor,
    options: ScoreOptions | None = None,
    *,
    loading_seconds: float,
    budget: int | None = None,
    price_per_million: float | None = None,
    seed: int = 1,
    progress: Callable[[int], None] = lambda rows: None,
) -> Preview:
    """Say what scoring a file or a folder will take: nothing is written, a few hundred rows are computed.

    Args:
        source: a file or a folder.
        model: what would answer, with the runtime and threads that would be used.
        options: how rows are read; of the output nothing counts.
        loading_seconds: what loading the model took.
        budget: max tokens per batch; default: measured, as the job does.
        price_per_million: of a hosted model, in dollars for a million input tokens.
        seed: draws the rows.
        progress: gets how many rows are read.

    Raises:
        ConfigError: the price is no number, or the source can be read only once, or lies in a store.
        DataError: the source cannot be read, or holds no row that can be scored.
    """
    checked_price(price_per_million)
    plans = _plans(source, model, options or ScoreOptions())
    sample = sample_files(plans, most=PARTS * PART_ROWS, seed=seed, progress=progress)
    tuning = _tune(model, plans[0], budget)
    measured = measure(model, plans[0], sample.drawn)
    scale = 1 / sample.share_read
    seconds, cpu_seconds = job_seconds(sample, measured, tuning, scale)
    reading = _reading(model, [drawn.given for drawn in sample.drawn], sample.characters * scale)
    power = (
        None if measured.joules is None else measured.joules / sum(each.wall for each in measured.computing)
    )
    tokens = reading.get("tokens")
    return Preview(
        rows=round(sample.rows * scale),
        rows_are="exact" if sample.is_complete else "estimated",
        rejected=sample.rejected,
        read=sample.rows + sample.rejected,
        drawn=len(sample.drawn),
        sampled=len(measured.drawn),
        equal_share=1 - sample.distinct / sample.rows,
        computed=round(sample.computed * scale),
        tokens=tokens,
        unknown_share=reading.get("unknown_share"),
        longer_share=reading.get("longer_share"),
        reads=reading.get("reads"),
        partly_read=measured.partly_read,
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        loading_seconds=loading_seconds,
        runtime=_runtime(model),
        memory_mb=_peak_memory(),
        kilojoules=None if power is None else power * seconds.value / 1e3,
        price_per_million=price_per_million,
        dollars=None
        if price_per_million is None or tokens is None
        else tokens.value / 1e6 * price_per_million,
    )


def checked_price(price: float | None) -> float | None:
    """Return a price in dollars for a million tokens.

    Raises:
        ConfigError: it is no number of 0 or more.
    """
    if price is not None and not 0 <= price < math.inf:
        raise ConfigError(f"a price of {price} for a million tokens: expected a number such as 0.15")
    return price


def _plans(source: Path | str, model: Predictor, options: ScoreOptions) -> list[ChunkPlan]:
    """Return how each file of the source is read; rows that cannot be scored are counted."""
    if str(source) == STREAM or is_remote(str(source)):
        where = "standard input can be read only once" if str(source) == STREAM else f"{source}: in a store"
        raise ConfigError(f"{where}; expected a file or a folder of this machine for a preview")
    options = replace(options, on_error="stop", rejects=None, output_format=None, record=None, overwrite=True)
    paths = [Path(source)]
    if paths[0].is_dir():
        files = plan_folder(paths[0], paths[0].absolute().parent / f".{paths[0].name}.preview", options).files
        paths = [paths[0] / path for path in files]
    plans = [plan_file(path, STREAM, options).job(model).plan for path in paths]
    return [replace(plan, rows=replace(plan.rows, skip=True)) for plan in plans]


def _tune(model: Predictor, plan: ChunkPlan, budget: int | None) -> Spent:
    """Settle the budget as the job does, and return what that takes."""
    if not isinstance(model, Tunable):
        return Spent()
    if budget is not None:
        model.budget = budget
        return Spent()
    batches = plan.batches(0)
    first = next(batches, None)
    batches.close()
    watch = Stopwatch()
    if first and len(first.inputs) >= WORTH_TUNING:
        model.tune(first.inputs)
    return watch.spent()


def _reading(model: Predictor, given: Sequence[str | TextInput], characters: float) -> dict[str, Any]:
    """Return what the tokenizer says of the sampled texts; nothing where the model does not tell."""
    reader = next(
        (each for each in (model, getattr(model, "classifier", None)) if isinstance(each, Reader)), None
    )
    if reader is None:
        return {}
    encoded = reader.encode(given)
    tokens = [text.tokens for text in encoded]
    pace, error = ratio_of(tokens, [characters_of(text) for text in given])
    wide = 1.96 * error * characters
    value = pace * characters
    return {
        "tokens": Estimate(value=value, low=max(value - wide, 0.0), high=value + wide),
        "unknown_share": sum(text.unknown for text in encoded) / max(sum(tokens), 1),
        "longer_share": sum(len(text.windows) > 1 or text.partial for text in encoded) / len(encoded),
        "reads": reader.max_tokens,
    }


def _runtime(model: Predictor) -> str:
    inner = getattr(model, "classifier", model)
    name = getattr(getattr(inner, "runtime", None), "name", type(inner).__name__)
    threads = getattr(inner, "threads", None)
    return name if threads is None else f"{name}, {threads} thread{'s' if threads != 1 else ''}"


def _peak_memory() -> float | None:
    """Return the most megabytes that this process held; None where the system does not tell."""
    import sys

    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
