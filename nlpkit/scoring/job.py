"""A scoring that was checked, and how it is carried out: chunk by chunk into a journal, or to standard
output.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from nlpkit import __version__
from nlpkit.errors import ConfigError, DataError, NlpkitError, RunError
from nlpkit.scoring.ahead import behind
from nlpkit.scoring.batches import Batch, TextRows, put_back
from nlpkit.scoring.chunks import ChunkPlan, Fleet, score_chunks
from nlpkit.scoring.journal import disk, open_journal
from nlpkit.scoring.output import Output
from nlpkit.scoring.predictors import Predictor, Tunable
from nlpkit.scoring.progress import Progress, ProgressClock
from nlpkit.scoring.state import Chunk, InputDigest, State, load

WORTH_TUNING = 1024
"""Texts of a first chunk from which on a second or two of measuring pays."""


@dataclass(frozen=True, kw_only=True)
class ScoreSummary:
    """What was done."""

    rows: int
    """Rows that were scored."""
    written: int
    """Rows in the output: as many, unless there is one an opinion."""
    rejected: int
    partly_read: int
    """Texts so long that not all of them was read."""
    abstained: int
    """Texts that the model gave no label, as it was not certain enough."""
    guarded: int
    """Cells of a CSV or TSV with an apostrophe before what a spreadsheet would run as a formula."""
    unreadable: Mapping[str, int]
    """Texts that are mostly unknown to the model's tokenizer, by their script; their answers mean little."""
    seconds: float
    texts_per_second: float
    """In this run alone."""
    resumed_from: int
    """Rows that an earlier run had done, rejected ones included."""
    output: Path | str | None
    """None is standard output, a string a path in an object store."""
    rejects: Path | str | None
    """The file of rejected rows, or their folder, where there are any."""
    budget: int | None = None
    """Max tokens per batch, where the model has such a number."""


@dataclass(frozen=True, kw_only=True)
class ScoringJob:
    """A checked scoring of one file by one model."""

    plan: ChunkPlan
    model: Predictor | Fleet
    output: Output
    overwrite: bool
    raw_csv: bool
    piped: Generator[Batch] | None
    """All batches of standard input, which can be read only once."""

    @property
    def settings(self) -> dict[str, str]:
        """All that decides a byte of the output besides the input's content and the budget."""
        file = self.plan.rows.file
        return {
            "nlpkit": __version__,
            "model": self.model.fingerprint,
            "columns": " ".join(self.plan.columns.added),
            "text column": self.plan.rows.text,
            "input": "standard input" if file.path is None else "a file",
            "input format": file.file.full_format,
            "encoding": file.file.encoding or "utf-8",
            "output format": self.output.format,
            "rows of a chunk": str(self.plan.chunk_rows),
            "raw csv": str(self.raw_csv),
            **({"turns": str(self.plan.rows.turns)} if self.plan.rows.turns else {}),
            **({"aspect": self.plan.rows.aspect} if self.plan.rows.aspect else {}),
            **({"image": self.plan.rows.image} if self.plan.rows.image else {}),
        }

    @property
    def rows_done(self) -> int | None:
        """Records that are done, as far as the disk shows; None where all are."""
        try:
            state = load(self.output.folder)
        except NlpkitError:
            return 0  # it is refused when its turn comes, or overwritten
        if state is None:
            return None if self.output.is_recorded else 0
        return state.read if state.sealed is None else None

    def run(
        self,
        *,
        budget: int | None = None,
        progress: Callable[[Progress], None] | None = None,
        total: int | None = None,
    ) -> ScoreSummary:
        """Score the file, and return the summary once the output is complete and in its place.

        Args:
            budget: max tokens per batch; default: the one that it began with, else measured.
            progress: called after each chunk, from another thread.
            total: the rows of the input, as progress reports them.
        """
        clock = ProgressClock(progress, total=total)
        if self.output.path is None:
            return _to_stdout(self, clock, budget)
        return _to_file(self, self.output.path, clock, budget)


def _begin(job: ScoringJob, state: State, asked: int | None) -> tuple[State, Generator[Batch]]:
    """Settle the budget: the one that was recorded, else asked for, else measured on the first batch.

    Returns:
        the state with the budget, and the batches that are left to do.
    """
    batches = job.piped or job.plan.batches(state.read)
    if not isinstance(job.model, Tunable):
        if asked is not None:
            raise ConfigError(
                f"a budget of {asked} is asked for, but this model has none; hint: leave out --budget"
            )
        return state, batches
    if state.budget and asked and state.budget != asked:
        raise RunError(
            f"{state.rows:,} rows are done with a budget of {state.budget}, but {asked} is asked for; "
            "hint: leave out --budget, or score from the start with --overwrite"
        )
    if known := state.budget or asked:
        job.model.budget = known
    elif first := next(batches, None):
        if len(first.inputs) >= WORTH_TUNING:
            job.model.tune(first.inputs)
        batches = put_back(first, batches)
    return state.model_copy(update={"budget": job.model.budget}), batches


def _to_file(job: ScoringJob, target: Path, clock: ProgressClock, budget: int | None) -> ScoreSummary:
    source = job.plan.rows.file.path
    digest = InputDigest.of(source) if source else None
    begin = State(source=digest, settings=job.settings)
    if done := _done_before(job.output, target, begin, overwrite=job.overwrite):
        clock.begin(done)
        return _summary(done, job.output, clock)
    with open_journal(job.output, target, begin, overwrite=job.overwrite) as journal:
        clock.begin(journal.state)
        if journal.state.sealed is None:
            journal.state, batches = _begin(job, journal.state, budget)

            def keep(chunk: Chunk) -> None:
                journal.commit(chunk)
                clock.tick(journal.state)

            with (
                closing(score_chunks(job.plan, job.model, journal.state, batches)) as chunks,
                behind(keep) as put,
            ):
                for chunk in chunks:
                    put(chunk)
            _refuse_empty(job.plan.rows, journal.state)
            if source and digest and not digest.still(source):
                raise DataError(
                    f"{source}: its content changed while it was scored; "
                    "hint: score it from the start with --overwrite"
                )
        journal.finish(job.plan.writer.seal, job.output.rejects, job.output.record)
    return _summary(journal.state, job.output, clock)


def _done_before(output: Output, target: Path, begin: State, *, overwrite: bool) -> State | None:
    """Return the state in which the output was finished, if it was, and of the same input by the same model
    and settings.
    """
    if output.record is None or not output.is_recorded:
        return None
    try:
        if done := load(output.record.parent, output.record.name):
            done.refuse_other(begin, target)
        return done
    except NlpkitError:
        if not overwrite:
            raise
        return None


def _to_stdout(job: ScoringJob, clock: ProgressClock, budget: int | None) -> ScoreSummary:
    rejects = job.output.rejects
    state, batches = _begin(job, State(source=None, settings={}), budget)
    clock.begin(state)
    if rejects:
        with disk(rejects.parent):
            rejects.parent.mkdir(parents=True, exist_ok=True)
            rejects.open("wb" if job.overwrite else "xb").close()

    def put_out(chunk: Chunk) -> None:
        nonlocal state
        _put_out(chunk.data)
        if chunk.rejects and rejects:
            with disk(rejects.parent), rejects.open("ab") as file:
                file.write(chunk.rejects)
        state = chunk.after(state)
        clock.tick(state)

    with closing(score_chunks(job.plan, job.model, state, batches)) as chunks, behind(put_out) as put:
        for chunk in chunks:
            put(chunk)
    _refuse_empty(job.plan.rows, state)
    return _summary(state, job.output, clock)


def _put_out(data: bytes) -> None:
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise  # Whoever read has had enough, as `head` does; that is no fault of the disk.
    except OSError as error:
        raise NlpkitError(
            f"standard output: could not be written: {error.strerror or error}; "
            "hint: write to a file, with --output"
        ) from error


def _refuse_empty(rows: TextRows, state: State) -> None:
    if not state.rows:
        reason = f"none of its {state.rejected:,} rows can be scored" if state.rejected else "holds no rows"
        raise DataError(f"{rows.file.name}: {reason}; expected a text in the column {rows.text!r}")


def _summary(state: State, output: Output, clock: ProgressClock) -> ScoreSummary:
    done = state.rows + state.rejected - clock.resumed_from
    return ScoreSummary(
        rows=state.rows,
        written=state.rows + state.more,
        rejected=state.rejected,
        partly_read=state.partly_read,
        abstained=state.abstained,
        guarded=state.guarded,
        unreadable=state.unreadable,
        seconds=clock.seconds,
        texts_per_second=done / clock.seconds if clock.seconds > 0 else 0.0,
        resumed_from=clock.resumed_from,
        output=output.path,
        rejects=output.rejects if state.rejected else None,
        budget=state.budget,
    )
