"""Score a file: every row as it was, with what the model says of its text."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Protocol

from nlpkit import __version__
from nlpkit.data.records import count_rows
from nlpkit.errors import DataError, NlpkitError
from nlpkit.scoring.columns import Columns, Kind, columns_of
from nlpkit.scoring.journal import Chunk, disk, open_journal
from nlpkit.scoring.paths import OnError, Paths, check_paths
from nlpkit.scoring.progress import Clock, Progress
from nlpkit.scoring.reading import Batch, Input, reject_lines
from nlpkit.scoring.state import Source, State
from nlpkit.scoring.writing import Format, writer_of
from nlpkit.tasks.prediction import Prediction

CHUNK_ROWS = 2048
"""Rows that are scored and made safe together: some seconds of work on a CPU, and enough to sort texts by length."""


class Engine(Protocol):
    """What scoring needs of a model; Classifier is one."""

    @property
    def fingerprint(self) -> str:
        """Changes with whatever may change an answer."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns that its predictions fill."""

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """One prediction for each text; the same list gives the same predictions."""


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
    output: Path | None
    """None is standard output."""
    rejects: Path | None
    """The file of rejected rows, where there are any."""


def score_file(
    classifier: Engine,
    source: Path | str,
    target: Path | str,
    *,
    text_column: str = "text",
    format: str | None = None,
    output_format: str | None = None,
    encoding: str | None = None,
    on_error: OnError = "stop",
    rejects: Path | None = None,
    overwrite: bool = False,
    raw_csv: bool = False,
    prefix: str = "",
    chunk_rows: int = CHUNK_ROWS,
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
        overwrite: replace an output that exists, and drop unfinished work that cannot go on.
        raw_csv: leave CSV cells that a spreadsheet would run as formulas as they are.
        prefix: put before the names of the new columns.
        chunk_rows: rows that are computed and made safe together.
        progress: called after each chunk.

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
        overwrite=overwrite,
    )
    rows = Input(path=paths.source, format=paths.format, encoding=encoding, text_column=text_column, skip=on_error == "skip")
    # Standard input can be read only once: its first rows are taken now, and tell the columns.
    piped = rows.batches(chunk_rows, done=0) if paths.source is None else None
    first = next(piped, None) if piped else None
    added: dict[str, Kind] = {f"{prefix}{name}": "string" if name == "label" else "float" for name in classifier.columns}
    columns = columns_of(rows, first, paths.output_format, added)
    scorer = _Scorer(
        engine=classifier,
        input=rows,
        piped=chain([first] if first else [], piped) if piped else None,
        columns=columns,
        writer=writer_of(paths.output_format, columns, compress=paths.compress, raw_csv=raw_csv),
        prefix=prefix,
        chunk_rows=chunk_rows,
    )
    clock = Clock(progress, total=count_rows(paths.source, format=paths.format) if progress and paths.source else None)
    if paths.target is None:
        return _to_stdout(scorer, paths, clock, overwrite=overwrite)
    return _to_file(scorer, paths, paths.target, clock, settings=scorer.settings(paths, raw_csv=raw_csv), overwrite=overwrite)


@dataclass(frozen=True, kw_only=True)
class _Scorer:
    """Turns rows into the bytes of the output, chunk by chunk."""

    engine: Engine
    input: Input
    piped: Iterator[Batch] | None
    """The rows of standard input."""
    columns: Columns
    writer: Format
    prefix: str
    chunk_rows: int

    def settings(self, paths: Paths, *, raw_csv: bool) -> dict[str, str]:
        """All that decides a byte of the output besides the input's content."""
        return {
            "nlpkit": __version__,
            "model": self.engine.fingerprint,
            "columns": " ".join(self.columns.added),
            "text column": self.input.text_column,
            "input": "standard input" if paths.source is None else "a file",
            "input format": self.input.format,
            "encoding": self.input.encoding or "utf-8",
            "output format": paths.output_format,
            "rows of a chunk": str(self.chunk_rows),
            "raw csv": str(raw_csv),
        }

    def chunks(self, state: State) -> Iterator[Chunk]:
        """The chunks after those that are done."""
        header = b"" if state.size else self.writer.header()
        for batch in self.piped or self.input.batches(self.chunk_rows, done=state.read):
            rows, partly_read = self._rows(batch)
            yield Chunk(
                data=header + self.writer.rows(rows),
                rejects=reject_lines(batch.bad),
                read=batch.read,
                rows=len(rows),
                rejected=len(batch.bad),
                partly_read=partly_read,
            )
            header = b""

    def _rows(self, batch: Batch) -> tuple[list[dict[str, object]], int]:
        """The output's rows, and how many of their texts were not read whole."""
        distinct = list(dict.fromkeys(batch.texts))
        answers = dict(zip(distinct, self.engine.predict(distinct), strict=True)) if distinct else {}
        rows: list[dict[str, object]] = []
        for record, text in zip(batch.records, batch.texts, strict=True):
            self.columns.check(record)
            rows.append({**record.fields, **self._answer(answers[text].row(), record.where)})
        return rows, sum(answers[text].partial for text in batch.texts)

    def _answer(self, answer: Mapping[str, str | float], where: str) -> dict[str, object]:
        found: dict[str, object] = {}
        for name in self.engine.columns:
            value: object = answer.get(name)
            if isinstance(value, float):
                if not math.isfinite(value):
                    raise NlpkitError(f"{where}: the model answers {value} for {name!r}; expected a number: its weights may be damaged")
                value = round(value, 6) + 0.0  # No minus zero.
            found[self.prefix + name] = value
        return found


def _to_file(scorer: _Scorer, paths: Paths, target: Path, clock: Clock, *, settings: Mapping[str, str], overwrite: bool) -> ScoreSummary:
    source = Source.of(paths.source) if paths.source else None
    with open_journal(paths, target, State(source=source, settings=settings), overwrite=overwrite) as journal:
        clock.begin(journal.state)
        if journal.state.sealed is None:
            for chunk in scorer.chunks(journal.state):
                journal.commit(chunk)
                clock.tick(journal.state)
            _refuse_empty(scorer.input, journal.state)
            if source and paths.source and not source.still(paths.source):
                raise DataError(f"{paths.source}: its content changed while it was scored; cure: score it from the start with --overwrite")
        journal.finish(scorer.writer.seal, paths.rejects)
    return _summary(journal.state, paths, clock)


def _to_stdout(scorer: _Scorer, paths: Paths, clock: Clock, *, overwrite: bool) -> ScoreSummary:
    state = State(source=None, settings={})
    clock.begin(state)
    if paths.rejects:
        with disk(paths.rejects.parent):
            paths.rejects.open("wb" if overwrite else "xb").close()
    for chunk in scorer.chunks(state):
        _put_out(chunk.data)
        if chunk.rejects and paths.rejects:
            with disk(paths.rejects.parent), paths.rejects.open("ab") as file:
                file.write(chunk.rejects)
        state = chunk.after(state)
        clock.tick(state)
    _refuse_empty(scorer.input, state)
    return _summary(state, paths, clock)


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
    )
