"""Scoring on a Ray cluster: one reader on this machine, copies of the model on all, the outcomes back in
order.

Ray Data is the engine: it keeps the order, holds the reader back when the object store fills, starts a worker
anew that was killed and computes again what was lost with it. A block of its is one chunk, so that the chunks
are those of a scoring on one machine, and with them the bytes and the way to go on after a kill.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

from nlpkit.errors import ConfigError, NlpkitError, optional
from nlpkit.scoring.chunks import ChunkPlan
from nlpkit.scoring.connecting import connected, hushed
from nlpkit.scoring.predictors import Predictor
from nlpkit.scoring.state import Chunk
from nlpkit.scoring.workers import ModelFacts, ModelProbe, Worker, read, unpacked
from nlpkit.tasks.answers.family import ColumnType

STORE = 512 << 20
"""Bytes of the object store that chunks may wait in, read ahead or done early."""


class RayFleet:
    """Copies of a model on a Ray cluster. Made by `open_fleet`, which holds the connection."""

    def __init__(self, load: Callable[[], Predictor], *, workers: int, gpus: bool) -> None:
        self._load = load
        self._workers = workers
        self._needs: dict[str, float] = {"num_cpus": 1, "num_gpus": 1} if gpus else {"num_cpus": 1}
        self._probe: Any = None
        self._planned: list[_PlannedFile] = []
        self._stream: _ChunkStream | None = None
        facts: ModelFacts = self._ask("facts")
        self.columns: Mapping[str, ColumnType] = facts.columns
        self.fingerprint: str = facts.fingerprint
        self.turns: int | None = facts.turns
        self.reads_aspects: bool = facts.reads_aspects
        self.reads_pictures: bool = facts.reads_pictures
        self._budget = facts.budget

    @property
    def budget(self) -> int | None:
        """Max tokens per batch, in every worker."""
        return self._budget

    @budget.setter
    def budget(self, budget: int) -> None:
        if self._budget is None:
            raise ConfigError(
                f"a budget of {budget} is asked for, but this model has none; hint: leave out --budget"
            )
        self._budget = budget

    def tune(self, texts: Sequence[Any]) -> int | None:
        """Measure the fastest budget on one of the workers; all have it from now on."""
        if self._budget is not None:
            self._budget = int(self._ask("tune", list(texts)))
        return self._budget

    def chunks(self, plan: ChunkPlan, *, done: int, budget: int | None) -> Generator[Chunk]:
        """Yield the chunks after the first `done` records, in order.

        Raises:
            ConfigError: the input is a pipe, which only this process can read.
            RunError: a worker's model, processor or libraries are not those of the first.
            NlpkitError: what would be raised on one machine, at the same row.
        """
        if plan.rows.file.path is None:
            raise ConfigError(
                "standard input can be read by this process only; expected a file to score with --ray"
            )
        part = _PlannedFile.of(plan, done)
        if self._stream is None or not self._stream.continues_with(part, budget):
            self.close()
            index = next((index for index, planned in enumerate(self._planned) if planned == part), None)
            parts = [part] if index is None else self._planned[index:]
            self._stream = _ChunkStream(parts, budget, self._outcomes(parts, budget))
        try:
            yield from self._stream.take()
        except BaseException:
            self.close()
            raise

    def plan(self, parts: Sequence[tuple[ChunkPlan, int]]) -> None:
        """Take note of what will be asked for: one stream, for which the workers are started once."""
        self._planned = [_PlannedFile.of(plan, done) for plan, done in parts]

    def close(self) -> None:
        """End what goes on in the workers, and them."""
        if self._probe is not None:
            optional("ray", extra="ray").kill(self._probe)
        if self._stream is not None:
            self._stream.close()
        self._probe = self._stream = None

    def _outcomes(
        self, parts: Sequence[_PlannedFile], budget: int | None
    ) -> Generator[tuple[int, Chunk | NlpkitError]]:
        ray, data = optional("ray", extra="ray"), optional("ray.data", extra="ray")
        expected = ModelFacts(columns=self.columns, fingerprint=self.fingerprint, budget=budget)
        here = {"ray.io/node-id": ray.get_runtime_context().get_node_id()}  # where the input is
        with self._context():
            dataset = data.read_datasource(
                _reader(parts), override_num_blocks=1, num_cpus=0, label_selector=here
            ).map_batches(
                Worker,
                fn_constructor_args=(self._load, [part.plan for part in parts], expected),
                compute=data.ActorPoolStrategy(
                    min_size=1, max_size=self._workers, initial_size=self._workers
                ),
                batch_size=1,
                batch_format="pyarrow",
                **self._needs,
            )
            tables = dataset.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0)
            with hushed():
                first = next(iter_tables := iter(tables), None)
            for table in chain([] if first is None else [first], iter_tables):
                yield from unpacked(table)

    @contextmanager
    def _context(self) -> Iterator[None]:
        """Set Ray Data up for this work, and only for it."""
        data = optional("ray.data", extra="ray")
        context = data.DataContext.get_current().copy()
        context.execution_options.preserve_order = True
        context.execution_options.resource_limits = data.ExecutionResources(object_store_memory=STORE)
        context.enable_progress_bars = False
        context.target_max_block_size = (
            1  # what is read stays as it was cut: a row to a block, a chunk to a row
        )
        with data.DataContext.current(context):
            yield

    def _ask(self, what: str, *arguments: object) -> Any:
        """Ask the one worker that is started before the others what there is to know."""
        ray = optional("ray", extra="ray")
        if self._probe is None:
            self._probe = ray.remote(**self._needs)(ModelProbe).remote(self._load)
        answer = ray.get(getattr(self._probe, what).remote(*arguments))
        if isinstance(answer, Exception):
            raise answer
        return answer


@contextmanager
def open_fleet(
    load: Callable[[], Predictor], address: str | None, *, workers: int | None = None
) -> Iterator[RayFleet]:
    """Start the workers of a cluster, each with a copy of the model on one processor core, or on one GPU
    where there are any.

    Args:
        load: loads the model in a worker; whatever it reads must be there, at the same path, on every
            machine.
        address: `host:port` of the cluster that this machine belongs to; None joins the one that runs here,
            or starts one.
        workers: how many at the most; default: what the cluster has.

    Raises:
        ConfigError: Ray is not installed, or the address is invalid.
        NlpkitError: the cluster cannot be reached.
        RunError: the model cannot be loaded there.
    """
    with connected(address) as (cores, gpus):
        available = gpus or cores
        with closing(RayFleet(load, workers=min(workers or available, available), gpus=bool(gpus))) as fleet:
            yield fleet


@dataclass(frozen=True, kw_only=True)
class _PlannedFile:
    """A file to read, from a record on, as it is now."""

    plan: ChunkPlan
    done: int
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, plan: ChunkPlan, done: int) -> _PlannedFile:
        """Note the size and time that the file has now."""
        status = plan.rows.file.path.stat() if plan.rows.file.path else None
        return cls(
            plan=plan,
            done=done,
            size=status.st_size if status else 0,
            mtime_ns=status.st_mtime_ns if status else 0,
        )


class _ChunkStream:
    """The outcomes of some parts, one part after the other."""

    def __init__(
        self,
        parts: Sequence[_PlannedFile],
        budget: int | None,
        outcomes: Generator[tuple[int, Chunk | NlpkitError]],
    ) -> None:
        self._parts, self._budget, self._outcomes = parts, budget, outcomes
        self._at = 0
        self._waiting: tuple[int, Chunk | NlpkitError] | None = None

    def continues_with(self, part: _PlannedFile, budget: int | None) -> bool:
        """Find out whether this part comes next, unchanged since it may have been read."""
        return self._at < len(self._parts) and self._parts[self._at] == part and self._budget == budget

    def take(self) -> Generator[Chunk]:
        """Yield the chunks of the next part."""
        number, self._at = self._at, self._at + 1
        while item := self._waiting or next(self._outcomes, None):
            part, outcome = self._waiting = item
            if part != number:
                return
            self._waiting = None
            if isinstance(outcome, Exception):
                raise outcome
            yield outcome

    def close(self) -> None:
        """End the stream."""
        self._outcomes.close()


def _reader(parts: Sequence[_PlannedFile]) -> Any:
    """Return a source of Ray Data with one reader, whose blocks are the batches."""
    block, data = optional("ray.data.block", extra="ray"), optional("ray.data", extra="ray")
    unknown = block.BlockMetadata(num_rows=None, size_bytes=None, input_files=None, exec_stats=None)

    def estimate_inmemory_data_size(self: object) -> None:
        return None

    def get_read_tasks(self: object, *_: object, **__: object) -> list[Any]:
        return [data.ReadTask(functools.partial(read, [(part.plan, part.done) for part in parts]), unknown)]

    # Made here, because its parent is known only where Ray is.
    methods = {"estimate_inmemory_data_size": estimate_inmemory_data_size, "get_read_tasks": get_read_tasks}
    return type("Chunks", (data.Datasource,), methods)()
