"""A scoring that was found to make sense, and how it is carried out: chunk by chunk into a journal, or to standard output."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from nlpkit.data.records import count_rows
from nlpkit.errors import ConfigError, DataError, NlpkitError, RunError
from nlpkit.scoring.ahead import behind
from nlpkit.scoring.batches import Batch, TextRows
from nlpkit.scoring.chunks import ChunkPlan, chunks
from nlpkit.scoring.journal import Chunk, disk, open_journal
from nlpkit.scoring.paths import Paths
from nlpkit.scoring.predictors import Fleet, Predictor, Tunable
from nlpkit.scoring.progress import Progress, ProgressClock
from nlpkit.scoring.state import STATE, InputDigest, State, load

WORTH_TUNING = 1024
"""Texts of a first chunk from which on a second or two of measuring pays."""


@dataclass(frozen=True, kw_only=True)
class ScoreSummary:
    """What was done."""

    rows: int
    """Rows in the output."""
    rejected: int
    partly_read: int
    """Texts so long that not all of them was read."""
    seconds: float
    texts_per_second: float
    """In this run alone."""
    resumed_from: int
    """Rows that an earlier run had done, rejected ones included."""
    output: Path | str | None
    """None is standard output, a string a place in an object store."""
    rejects: Path | str | None
    """The file of rejected rows, or their folder, where there are any."""
    budget: int | None = None
    """Tokens that were computed together, where the model has such a number."""


@dataclass(frozen=True, kw_only=True)
class ScoringJob:
    """A scoring that was found to make sense."""

    work: ChunkPlan
    model: Predictor | Fleet
    paths: Paths
    settings: Mapping[str, str]
    """All that decides a byte of the output besides the input's content and the budget."""
    overwrite: bool
    first: Batch | None
    """The first rows of standard input, which can be read only once."""
    rest: Generator[Batch] | None

    @property
    def begun(self) -> int | None:
        """How many records are done, as far as the disk tells; None where all are."""
        try:
            state = load(self.paths.folder)
        except NlpkitError:
            return 0  # it is refused when its turn comes, or overwritten
        if state is None:
            return None if _is_recorded(self.paths) else 0
        return state.read if state.sealed is None else None

    def run(
        self, *, budget: int | None = None, progress: Callable[[Progress], None] | None = None
    ) -> ScoreSummary:
        """The summary, once the output is whole and in its place."""
        paths = self.paths
        clock = ProgressClock(
            progress,
            total=count_rows(paths.source, format=paths.format) if progress and paths.source else None,
        )
        if paths.target is None:
            return _to_stdout(self, clock, budget)
        return _to_file(self, paths.target, clock, budget)

    def chunks(self, state: State) -> Generator[Chunk]:
        """The chunks after those that are done."""
        return chunks(self.work, self.model, state, self._piped() if self.rest else None)

    def _piped(self) -> Generator[Batch]:
        if self.first:
            yield self.first
        yield from self.rest or ()


def _settled(job: ScoringJob, state: State, asked: int | None) -> State:
    """The state with the budget that the model has from now on: the one that was recorded, else asked for, else measured."""
    if not isinstance(job.model, Tunable):
        if asked is not None:
            raise ConfigError(
                f"a budget of {asked} is asked for, but this model has none; cure: leave it out"
            )
        return state
    if state.budget and asked and state.budget != asked:
        raise RunError(
            f"{state.rows:,} rows are done with a budget of {state.budget}, but {asked} is asked for; "
            "cure: leave it out, or score from the start with --overwrite"
        )
    if known := state.budget or asked:
        job.model.budget = known
    else:
        first = job.first or next(job.work.batches(0), None)
        if first and len(first.texts) >= WORTH_TUNING:
            job.model.tune(first.texts)
    return state.model_copy(update={"budget": job.model.budget})


def _to_file(job: ScoringJob, target: Path, clock: ProgressClock, budget: int | None) -> ScoreSummary:
    paths = job.paths
    source = InputDigest.of(paths.source) if paths.source else None
    begin = State(source=source, settings=job.settings)
    if done := _done_before(paths, target, begin, overwrite=job.overwrite):
        clock.begin(done)
        return _summary(done, paths, clock)
    with open_journal(paths, target, begin, overwrite=job.overwrite) as journal:
        clock.begin(journal.state)
        if journal.state.sealed is None:
            journal.state = _settled(job, journal.state, budget)

            def keep(chunk: Chunk) -> None:
                journal.commit(chunk)
                clock.tick(journal.state)

            with closing(job.chunks(journal.state)) as found, behind(keep) as put:
                for chunk in found:
                    put(chunk)
            _refuse_empty(job.work.input, journal.state)
            if source and paths.source and not source.still(paths.source):
                raise DataError(
                    f"{paths.source}: its content changed while it was scored; cure: score it from the start with --overwrite"
                )
        journal.finish(job.work.writer.seal, paths.rejects, paths.record)
    return _summary(journal.state, paths, clock)


def _done_before(paths: Paths, target: Path, begin: State, *, overwrite: bool) -> State | None:
    """The state in which the output was finished, if it was, and of the same input by the same model and settings."""
    if paths.record is None or not _is_recorded(paths):
        return None
    try:
        if done := load(paths.record.parent, paths.record.name):
            done.refuse_other(begin, target)
        return done
    except NlpkitError:
        if not overwrite:
            raise
        return None


def _is_recorded(paths: Paths) -> bool:
    recorded = paths.record is not None and paths.record.exists()
    return (
        recorded
        and paths.target is not None
        and paths.target.exists()
        and not (paths.folder / STATE).exists()
    )


def _to_stdout(job: ScoringJob, clock: ProgressClock, budget: int | None) -> ScoreSummary:
    rejects = job.paths.rejects
    state = _settled(job, State(source=None, settings={}), budget)
    clock.begin(state)
    if rejects:
        with disk(rejects.parent):
            rejects.open("wb" if job.overwrite else "xb").close()

    def put_out(chunk: Chunk) -> None:
        nonlocal state
        _put_out(chunk.data)
        if chunk.rejects and rejects:
            with disk(rejects.parent), rejects.open("ab") as file:
                file.write(chunk.rejects)
        state = chunk.after(state)
        clock.tick(state)

    with closing(job.chunks(state)) as found, behind(put_out) as put:
        for chunk in found:
            put(chunk)
    _refuse_empty(job.work.input, state)
    return _summary(state, job.paths, clock)


def _put_out(data: bytes) -> None:
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise  # Whoever read has had enough, as `head` does; that is no fault of the disk.
    except OSError as error:
        raise NlpkitError(
            f"standard output: could not be written: {error.strerror or error}; expected a place that takes it"
        ) from error


def _refuse_empty(source: TextRows, state: State) -> None:
    if not state.rows:
        found = f"none of its {state.rejected:,} rows can be scored" if state.rejected else "holds no rows"
        raise DataError(f"{source.name}: {found}; expected a text in the column {source.text_column!r}")


def _summary(state: State, paths: Paths, clock: ProgressClock) -> ScoreSummary:
    done = state.rows + state.rejected - clock.resumed_from
    return ScoreSummary(
        rows=state.rows,
        rejected=state.rejected,
        partly_read=state.partly_read,
        seconds=clock.seconds,
        texts_per_second=done / clock.seconds if clock.seconds > 0 else 0.0,
        resumed_from=clock.resumed_from,
        output=paths.target,
        rejects=paths.rejects if state.rejected else None,
        budget=state.budget,
    )
