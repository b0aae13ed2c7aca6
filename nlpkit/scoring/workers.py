"""What the processes of a cluster do: one reads and cuts, the others turn batches into chunks.

What a user can fix comes back as an answer, not as an exception: Ray would wrap it, and retry what must fail
again.
"""

from __future__ import annotations

import functools
import pickle
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nlpkit.errors import NlpkitError, RunError
from nlpkit.scoring.batches import Batch
from nlpkit.scoring.chunks import ChunkPlan
from nlpkit.scoring.predictors import Predictor, Tunable
from nlpkit.scoring.state import Chunk
from nlpkit.tasks.answers.family import ColumnType
from nlpkit.tasks.prediction import reads_aspects, reads_pictures, turns_read_by


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """What a worker says of the model that it loaded."""

    columns: Mapping[str, ColumnType]
    fingerprint: str
    budget: int | None
    turns: int | None = None
    """How many turns before a turn it reads; None for a model that reads texts."""
    reads_aspects: bool = False
    reads_pictures: bool = False


def packed(items: Iterable[object]) -> Any:
    """Return a block with each item in a row."""
    import pyarrow

    return pyarrow.table(
        {"item": pyarrow.array([pickle.dumps(item) for item in items], pyarrow.large_binary())}
    )


def unpacked(block: Any) -> Iterator[Any]:
    """Yield the items of a block."""
    for item in block["item"]:
        yield pickle.loads(item.as_buffer())  # noqa: S301


def read(parts: Sequence[tuple[ChunkPlan, int]]) -> Iterator[Any]:
    """Yield the batches of each plan after the records that are done, as blocks, each with the number of its
    plan.

    An error that the user can fix is the last of them, so that it is raised at its place in the order.
    """
    for number, (plan, done) in enumerate(parts):
        try:
            for batch in plan.batches(done):
                yield packed([(number, batch)])
        except NlpkitError as error:
            yield packed([(number, error)])
            return


class Worker:
    """A copy of the model, which turns batches into chunks."""

    def __init__(
        self, load: Callable[[], Predictor], plans: Sequence[ChunkPlan], expected: ModelFacts
    ) -> None:
        self._plans = plans
        self._predictor: Predictor | NlpkitError = _attempt(functools.partial(_load_same, load, expected))

    def __call__(self, block: Any) -> Any:
        return packed(
            [
                (number, _attempt(functools.partial(self._chunk, number, item)))
                for number, item in unpacked(block)
            ]
        )

    def _chunk(self, number: int, item: Batch | NlpkitError) -> Chunk:
        if isinstance(self._predictor, NlpkitError):
            raise self._predictor
        if isinstance(item, NlpkitError):
            raise item
        return self._plans[number].score(self._predictor, item)


def _attempt(act: Callable[[], Any]) -> Any:
    """Return what an act returns, or the error that the user can fix: Ray would wrap it, and retry what must
    fail again.
    """
    try:
        return act()
    except NlpkitError as error:
        return error


def _load_same(load: Callable[[], Predictor], expected: ModelFacts) -> Predictor:
    predictor = load()
    if isinstance(predictor, Tunable) and expected.budget is not None:
        predictor.budget = expected.budget
    if predictor.fingerprint != expected.fingerprint:
        raise RunError(
            f"{platform.node()}: its model, libraries or processor are not those of the first worker, "
            "so that its answers may differ in the last digits; "
            "hint: make the machines of the cluster alike, or use those that are"
        )
    return predictor


class ModelProbe:
    """A copy of the model that tells what there is to know of all of them."""

    def __init__(self, load: Callable[[], Predictor]) -> None:
        self._predictor: Predictor | NlpkitError = _attempt(load)

    def facts(self) -> ModelFacts | NlpkitError:
        """Say what the model is."""
        predictor = self._predictor
        if isinstance(predictor, NlpkitError):
            return predictor
        budget = predictor.budget if isinstance(predictor, Tunable) else None
        return ModelFacts(
            columns=dict(predictor.columns),
            fingerprint=predictor.fingerprint,
            budget=budget,
            turns=turns_read_by(predictor),
            reads_aspects=reads_aspects(predictor),
            reads_pictures=reads_pictures(predictor),
        )

    def tune(self, texts: list[Any]) -> int | NlpkitError:
        """Measure the budget that is fastest here."""
        predictor = self._predictor
        if isinstance(predictor, NlpkitError):
            return predictor
        if not isinstance(predictor, Tunable):
            raise TypeError("only a model with a budget is asked to tune it")
        budget: int | NlpkitError = _attempt(functools.partial(predictor.tune, texts))
        return budget
