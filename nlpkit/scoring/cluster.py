"""Scoring on a Ray cluster: one reader on this machine, copies of the model on all, the outcomes back in order.

Ray Data is the engine: it keeps the order, holds the reader back when the object store fills, starts a worker anew that was killed and
computes again what was lost with it. A block of its is one chunk, so that the chunks are those of a scoring on one machine, and with them
the bytes and the way to go on after a kill.
"""

from __future__ import annotations

import functools
import pickle
import platform
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from nlpkit.errors import ConfigError, NlpkitError, RunError, optional
from nlpkit.scoring.connecting import connected
from nlpkit.scoring.engine import Engine, Tunable
from nlpkit.scoring.journal import Chunk
from nlpkit.scoring.reading import Batch
from nlpkit.scoring.work import Work

STORE = 512 << 20
"""Bytes of the object store that chunks may wait in, read ahead or done early."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a worker says of the model that it loaded."""

    columns: tuple[str, ...]
    fingerprint: str
    budget: int | None


class RayFleet:
    """Copies of a model on a Ray cluster. Made by `open_fleet`, which holds the connection."""

    def __init__(self, load: Callable[[], Engine], *, workers: int, gpus: bool) -> None:
        self._load = load
        self._workers = workers
        self._needs: dict[str, float] = {"num_cpus": 1, "num_gpus": 1} if gpus else {"num_cpus": 1}
        self._scout: Any = None
        facts: Facts = self._ask("facts")
        self.columns, self.fingerprint = facts.columns, facts.fingerprint
        self._budget = facts.budget

    @property
    def budget(self) -> int | None:
        """The tokens that every worker computes together."""
        return self._budget

    @budget.setter
    def budget(self, budget: int) -> None:
        if self._budget is None:
            raise ConfigError(f"a budget of {budget} is asked for, but this model has none; cure: leave it out")
        self._budget = budget

    def tune(self, texts: Sequence[str]) -> int | None:
        """The budget that was fastest on one of the workers; all have it from now on."""
        if self._budget is not None:
            self._budget = int(self._ask("tune", list(texts)))
        return self._budget

    def chunks(self, work: Work, *, done: int, budget: int | None) -> Generator[Chunk]:
        """The chunks after the first `done` records, in order.

        Raises:
            ConfigError: the input is a pipe, which only this process can read.
            RunError: a worker's model, processor or libraries are not those of the first.
            NlpkitError: what would be raised on one machine, at the same row.
        """
        if work.input.path is None:
            raise ConfigError("standard input can be read by this process only; expected a file to score with --ray")
        self._dismiss_scout()
        with self._context(), closing(self._outcomes(work, done, budget)) as outcomes:
            for outcome in outcomes:
                if isinstance(outcome, Exception):
                    raise outcome
                yield outcome

    def _outcomes(self, work: Work, done: int, budget: int | None) -> Generator[Chunk | NlpkitError]:
        ray, data = optional("ray", extra="ray"), optional("ray.data", extra="ray")
        expected = Facts(columns=self.columns, fingerprint=self.fingerprint, budget=budget)
        here = {"ray.io/node-id": ray.get_runtime_context().get_node_id()}  # where the input is
        dataset = data.read_datasource(_reader(work, done), override_num_blocks=1, num_cpus=0, label_selector=here).map_batches(
            _Worker,
            fn_constructor_args=(self._load, work, expected),
            compute=data.ActorPoolStrategy(min_size=1, max_size=self._workers, initial_size=self._workers),
            batch_size=None,
            batch_format="pyarrow",
            **self._needs,
        )
        for table in dataset.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
            yield from unpacked(table)

    @contextmanager
    def _context(self) -> Iterator[None]:
        """Ray Data's settings while it works for us."""
        data = optional("ray.data", extra="ray")
        context = data.DataContext.get_current().copy()
        context.execution_options.preserve_order = True
        context.execution_options.resource_limits = data.ExecutionResources(object_store_memory=STORE)
        context.enable_progress_bars = False
        context.target_max_block_size = 1  # what is read stays as it was cut: a row to a block, a chunk to a row
        with data.DataContext.current(context):
            yield

    def _ask(self, what: str, *arguments: object) -> Any:
        """The answer of the one worker that says what there is to know before the others are started."""
        ray = optional("ray", extra="ray")
        if self._scout is None:
            self._scout = ray.remote(**self._needs)(_Scout).remote(self._load)
        answer = ray.get(getattr(self._scout, what).remote(*arguments))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _dismiss_scout(self) -> None:
        if self._scout is not None:
            optional("ray", extra="ray").kill(self._scout)
            self._scout = None


@contextmanager
def open_fleet(load: Callable[[], Engine], address: str | None, *, workers: int | None = None) -> Iterator[RayFleet]:
    """The workers of a cluster, each with a copy of the model on one processor core, or on one GPU where the cluster has any.

    Args:
        load: loads the model in a worker; whatever it reads must be there, at the same path, on every machine.
        address: `host:port` of the cluster that this machine belongs to; None joins the one that runs here, or starts one.
        workers: how many at the most; default: what the cluster has.

    Raises:
        ConfigError: Ray is not installed, or the address cannot be meant.
        NlpkitError: the cluster cannot be reached.
        RunError: the model cannot be loaded there.
    """
    with connected(address, workers=workers) as (cores, gpus):
        room = gpus or cores
        yield RayFleet(load, workers=min(workers or room, room), gpus=bool(gpus))


def packed(items: Iterable[object]) -> Any:
    """A block with each item in a row."""
    import pyarrow

    return pyarrow.table({"item": pyarrow.array([pickle.dumps(item) for item in items], pyarrow.large_binary())})


def unpacked(block: Any) -> Iterator[Any]:
    """The items of a block."""
    for item in block["item"]:
        yield pickle.loads(item.as_buffer())  # noqa: S301 - made by our own processes, which could do anything anyway


def _reader(work: Work, done: int) -> Any:
    """A source of Ray Data with one reader, whose blocks are the batches."""
    block, data = optional("ray.data.block", extra="ray"), optional("ray.data", extra="ray")
    unknown = block.BlockMetadata(num_rows=None, size_bytes=None, input_files=None, exec_stats=None)

    def estimate_inmemory_data_size(self: object) -> None:
        return None

    def get_read_tasks(self: object, *_: object, **__: object) -> list[Any]:
        return [data.ReadTask(functools.partial(read, work, done), unknown)]

    # Made here, because its parent is known only where Ray is.
    methods = {"estimate_inmemory_data_size": estimate_inmemory_data_size, "get_read_tasks": get_read_tasks}
    return type("Chunks", (data.Datasource,), methods)()


def read(work: Work, done: int) -> Iterator[Any]:
    """The batches as blocks; an error that the user can cure is the last of them, so that it is raised at its place in the order."""
    try:
        for batch in work.batches(done):
            yield packed([batch])
    except NlpkitError as error:
        yield packed([error])


class _Worker:
    """A copy of the model, which turns batches into chunks."""

    def __init__(self, load: Callable[[], Engine], work: Work, expected: Facts) -> None:
        self._work = work
        self._engine: Engine | NlpkitError = _attempt(functools.partial(_same, load, expected))

    def __call__(self, block: Any) -> Any:
        return packed([_attempt(functools.partial(self._chunk, item)) for item in unpacked(block)])

    def _chunk(self, item: Batch | NlpkitError) -> Chunk:
        if isinstance(self._engine, NlpkitError):
            raise self._engine
        if isinstance(item, NlpkitError):
            raise item
        return self._work.chunk(self._engine, item)


def _attempt(act: Callable[[], Any]) -> Any:
    """What comes out, or the error that the user can cure: Ray would wrap it, and try again what must fail again."""
    try:
        return act()
    except NlpkitError as error:
        return error


def _same(load: Callable[[], Engine], expected: Facts) -> Engine:
    engine = load()
    if isinstance(engine, Tunable) and expected.budget is not None:
        engine.budget = expected.budget
    if engine.fingerprint != expected.fingerprint:
        raise RunError(
            f"{platform.node()}: its model, libraries or processor are not those of the first worker, so that its answers may "
            "differ in the last digits; cure: make the machines of the cluster alike, or use those that are"
        )
    return engine


class _Scout:
    """A copy of the model that tells what there is to know of all of them."""

    def __init__(self, load: Callable[[], Engine]) -> None:
        self._engine: Engine | NlpkitError = _attempt(load)

    def facts(self) -> Facts | NlpkitError:
        """What the model is."""
        engine = self._engine
        if isinstance(engine, NlpkitError):
            return engine
        budget = engine.budget if isinstance(engine, Tunable) else None
        return Facts(columns=tuple(engine.columns), fingerprint=engine.fingerprint, budget=budget)

    def tune(self, texts: list[str]) -> int | NlpkitError:
        """The budget that is fastest here."""
        found: int | NlpkitError = _attempt(lambda: self._engine.tune(texts))  # type: ignore[union-attr]  # asked of tunable ones only
        return found
