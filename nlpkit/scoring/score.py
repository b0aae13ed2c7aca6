"""Score a file: every row as it was, with what the model says of its text."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from nlpkit import __version__
from nlpkit.data.records import count_rows
from nlpkit.errors import ConfigError, DataError, NlpkitError, RunError
from nlpkit.scoring.ahead import behind
from nlpkit.scoring.columns import Kind, columns_of
from nlpkit.scoring.engine import Engine, Fleet, Tunable
from nlpkit.scoring.journal import Chunk, disk, open_journal
from nlpkit.scoring.paths import OnError, Paths, check_paths
from nlpkit.scoring.progress import Clock, Progress
from nlpkit.scoring.reading import Batch, Input
from nlpkit.scoring.state import STATE, Source, State, load
from nlpkit.scoring.work import Work, chunks
from nlpkit.scoring.writing import writer_of

CHUNK_ROWS = 2048
"""Rows that are scored and made safe together: some seconds of work on a CPU, and enough to sort texts by length."""


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


def score_file(
    classifier: Engine | Fleet,
    source: Path | str,
    target: Path | str,
    *,
    text_column: str = "text",
    format: str | None = None,
    output_format: str | None = None,
    encoding: str | None = None,
    on_error: OnError = "stop",
    rejects: Path | None = None,
    record: Path | None = None,
    overwrite: bool = False,
    raw_csv: bool = False,
    prefix: str = "",
    chunk_rows: int = CHUNK_ROWS,
    budget: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> ScoreSummary:
    """The summary of a scoring, once the output is whole and in its place.

    Memory stays constant. A scoring of a file into a file that was stopped, by whatever, goes on where it was when it is called again
    in the same way, and makes the same bytes.

    Args:
        classifier: the model.
        source: a file, or "-" for standard input.
        target: a file, or "-" for standard output.
        text_column: the column that holds the text.
        format: csv, tsv, jsonl, parquet or arrow, where the input's name does not say it.
        output_format: likewise for the output.
        encoding: the input's text encoding, where it is not UTF-8.
        on_error: "skip" writes bad rows to a file of their own; "stop" ends at the first.
        rejects: that file; next to the output unless said.
        record: a file that keeps how the output was made. Where it says that the output was made so already, nothing is done.
        overwrite: replace an output that exists, and drop unfinished work that cannot go on.
        raw_csv: leave CSV cells that a spreadsheet would run as formulas as they are.
        prefix: put before the names of the new columns.
        chunk_rows: rows that are computed and made safe together.
        budget: tokens that are computed together, which decides the last bits; default: what is measured to be fastest for the first
            rows. A scoring that goes on keeps the one it began with.
        progress: called after each chunk, from another thread.

    Raises:
        ConfigError: the paths or formats cannot be meant, or a new column has the name of one that is there.
        DataError: the input is bad, or has changed since the scoring began.
        RunError: the model or the settings have changed since.
        NlpkitError: the disk is full, or another process writes the output.
    """
    paths = check_paths(
        source,
        target,
        text_column=text_column,
        format=format,
        output_format=output_format,
        encoding=encoding,
        on_error=on_error,
        rejects=rejects,
        record=record,
        overwrite=overwrite,
    )
    rows = Input(path=paths.source, format=paths.format, encoding=encoding, text_column=text_column, skip=on_error == "skip")
    # Standard input can be read only once: its first rows are taken now, and tell the columns.
    piped = rows.batches(chunk_rows, done=0) if paths.source is None else None
    first = next(piped, None) if piped else None
    added: dict[str, Kind] = {f"{prefix}{name}": "string" if name == "label" else "float" for name in classifier.columns}
    columns = columns_of(rows, first, paths.output_format, added)
    work = Work(
        input=rows,
        columns=columns,
        writer=writer_of(paths.output_format, columns, compress=paths.compress, raw_csv=raw_csv),
        names=tuple(classifier.columns),
        prefix=prefix,
        chunk_rows=chunk_rows,
    )
    clock = Clock(progress, total=count_rows(paths.source, format=paths.format) if progress and paths.source else None)
    job = _Job(work=work, model=classifier, paths=paths, clock=clock, budget=budget, first=first, rest=piped)
    if paths.target is None:
        return _to_stdout(job, overwrite=overwrite)
    return _to_file(job, paths.target, settings=_settings(work, classifier, paths, raw_csv=raw_csv), overwrite=overwrite)


def _settings(work: Work, model: Engine | Fleet, paths: Paths, *, raw_csv: bool) -> dict[str, str]:
    """All that decides a byte of the output besides the input's content and the budget."""
    return {
        "nlpkit": __version__,
        "model": model.fingerprint,
        "columns": " ".join(work.columns.added),
        "text column": work.input.text_column,
        "input": "standard input" if paths.source is None else "a file",
        "input format": work.input.format,
        "encoding": work.input.encoding or "utf-8",
        "output format": paths.output_format,
        "rows of a chunk": str(work.chunk_rows),
        "raw csv": str(raw_csv),
    }


def _settled(job: _Job, state: State, asked: int | None) -> State:
    """The state with the budget that the model has from now on: the one that was recorded, else asked for, else measured."""
    if not isinstance(job.model, Tunable):
        if asked is not None:
            raise ConfigError(f"a budget of {asked} is asked for, but this model has none; cure: leave it out")
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


@dataclass(frozen=True, kw_only=True)
class _Job:
    """A scoring that was found to make sense."""

    work: Work
    model: Engine | Fleet
    paths: Paths
    clock: Clock
    budget: int | None
    first: Batch | None
    """The first rows of standard input, which can be read only once."""
    rest: Generator[Batch] | None

    def chunks(self, state: State) -> Generator[Chunk]:
        """The chunks after those that are done."""
        return chunks(self.work, self.model, state, self._piped() if self.rest else None)

    def _piped(self) -> Generator[Batch]:
        if self.first:
            yield self.first
        yield from self.rest or ()


def _to_file(job: _Job, target: Path, *, settings: Mapping[str, str], overwrite: bool) -> ScoreSummary:
    paths, clock = job.paths, job.clock
    source = Source.of(paths.source) if paths.source else None
    begin = State(source=source, settings=settings)
    if done := _done_before(paths, target, begin, overwrite=overwrite):
        clock.begin(done)
        return _summary(done, paths, clock)
    with open_journal(paths, target, begin, overwrite=overwrite) as journal:
        clock.begin(journal.state)
        if journal.state.sealed is None:
            journal.state = _settled(job, journal.state, job.budget)

            def keep(chunk: Chunk) -> None:
                journal.commit(chunk)
                clock.tick(journal.state)

            with closing(job.chunks(journal.state)) as found, behind(keep) as put:
                for chunk in found:
                    put(chunk)
            _refuse_empty(job.work.input, journal.state)
            if source and paths.source and not source.still(paths.source):
                raise DataError(f"{paths.source}: its content changed while it was scored; cure: score it from the start with --overwrite")
        journal.finish(job.work.writer.seal, paths.rejects, paths.record)
    return _summary(journal.state, paths, clock)


def _done_before(paths: Paths, target: Path, begin: State, *, overwrite: bool) -> State | None:
    """The state in which the output was finished, if it was, and of the same input by the same model and settings."""
    if paths.record is None or not target.exists() or (paths.folder / STATE).exists():
        return None
    try:
        if done := load(paths.record.parent, paths.record.name):
            done.refuse_other(begin, target)
        return done
    except NlpkitError:
        if not overwrite:
            raise
        return None


def _to_stdout(job: _Job, *, overwrite: bool) -> ScoreSummary:
    rejects, clock = job.paths.rejects, job.clock
    state = _settled(job, State(source=None, settings={}), job.budget)
    clock.begin(state)
    if rejects:
        with disk(rejects.parent):
            rejects.open("wb" if overwrite else "xb").close()

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
        raise NlpkitError(f"standard output: could not be written: {error.strerror or error}; expected a place that takes it") from error


def _refuse_empty(source: Input, state: State) -> None:
    if not state.rows:
        found = f"none of its {state.rejected:,} rows can be scored" if state.rejected else "holds no rows"
        raise DataError(f"{source.name}: {found}; expected a text in the column {source.text_column!r}")


def _summary(state: State, paths: Paths, clock: Clock) -> ScoreSummary:
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
