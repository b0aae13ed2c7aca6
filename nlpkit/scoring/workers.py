"""What the processes of a cluster do: one reads and cuts, the others turn batches into chunks.

What a user can cure comes back as an answer, not as an exception: Ray would wrap it, and try again what must fail again.
"""

from __future__ import annotations

import functools
import pickle
import platform
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from nlpkit.errors import NlpkitError, RunError
from nlpkit.scoring.batches import Batch
from nlpkit.scoring.chunks import ChunkPlan
from nlpkit.scoring.journal import Chunk
from nlpkit.scoring.predictors import Predictor, Tunable


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """What a worker says of the model that it loaded."""

    columns: tuple[str, ...]
    fingerprint: str
    budget: int | None


def packed(items: Iterable[object]) -> Any:
    """A block with each item in a row."""
    import pyarrow

    return pyarrow.table(
        {"item": pyarrow.array([pickle.dumps(item) for item in items], pyarrow.large_binary())}
    )


def unpacked(block: Any) -> Iterator[Any]:
    """The items of a block."""
    for item in block["item"]:
        yield pickle.loads(item.as_buffer())  # noqa: S301


def read(parts: Sequence[tuple[ChunkPlan, int]]) -> Iterator[Any]:
    """The batches of each work after the records that are done, as blocks, each with the number of its work.

    An error that the user can cure is the last of them, so that it is raised at its place in the order.
    """
    for number, (work, done) in enumerate(parts):
        try:
            for batch in work.batches(done):
                yield packed([(number, batch)])
        except NlpkitError as error:
            yield packed([(number, error)])
            return


class Worker:
    """A copy of the model, which turns batches into chunks."""

    def __init__(
        self, load: Callable[[], Predictor], works: Sequence[ChunkPlan], expected: ModelFacts
    ) -> None:
        self._works = works
        self._engine: Predictor | NlpkitError = _attempt(functools.partial(_same, load, expected))

    def __call__(self, block: Any) -> Any:
        return packed(
            [
                (number, _attempt(functools.partial(self._chunk, number, item)))
                for number, item in unpacked(block)
            ]
        )

    def _chunk(self, number: int, item: Batch | NlpkitError) -> Chunk:
        if isinstance(self._engine, NlpkitError):
            raise self._engine
        if isinstance(item, NlpkitError):
            raise item
        return self._works[number].chunk(self._engine, item)


def _attempt(act: Callable[[], Any]) -> Any:
    """What comes out, or the error that the user can cure: Ray would wrap it, and try again what must fail again."""
    try:
        return act()
    except NlpkitError as error:
        return error


def _same(load: Callable[[], Predictor], expected: ModelFacts) -> Predictor:
    engine = load()
    if isinstance(engine, Tunable) and expected.budget is not None:
        engine.budget = expected.budget
    if engine.fingerprint != expected.fingerprint:
        raise RunError(
            f"{platform.node()}: its model, libraries or processor are not those of the first worker, so that its answers may "
            "differ in the last digits; cure: make the machines of the cluster alike, or use those that are"
        )
    return engine


class ModelProbe:
    """A copy of the model that tells what there is to know of all of them."""

    def __init__(self, load: Callable[[], Predictor]) -> None:
        self._engine: Predictor | NlpkitError = _attempt(load)

    def facts(self) -> ModelFacts | NlpkitError:
        """What the model is."""
        engine = self._engine
        if isinstance(engine, NlpkitError):
            return engine
        budget = engine.budget if isinstance(engine, Tunable) else None
        return ModelFacts(columns=tuple(engine.columns), fingerprint=engine.fingerprint, budget=budget)

    def tune(self, texts: list[str]) -> int | NlpkitError:
        """The budget that is fastest here."""
        found: int | NlpkitError = _attempt(lambda: self._engine.tune(texts))  # type: ignore[union-attr]  # asked of tunable ones only
        return found
