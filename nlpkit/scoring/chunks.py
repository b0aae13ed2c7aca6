"""What is done with the rows of one input: chunk by chunk they become the bytes of the output, in whatever process."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace

from nlpkit.errors import NlpkitError
from nlpkit.scoring.ahead import ahead
from nlpkit.scoring.batches import Batch, TextRows, reject_lines
from nlpkit.scoring.journal import Chunk
from nlpkit.scoring.output_columns import Columns
from nlpkit.scoring.predictors import Fleet, Predictor
from nlpkit.scoring.state import State
from nlpkit.scoring.writing import RowWriter


@dataclass(frozen=True, kw_only=True)
class ChunkPlan:
    """How rows are read, cut into chunks and written. It can be sent to another process, where the input is a file."""

    input: TextRows
    columns: Columns
    writer: RowWriter
    names: tuple[str, ...]
    """What the model calls its columns."""
    prefix: str
    chunk_rows: int

    def batches(self, done: int) -> Generator[Batch]:
        """The rows after the first `done` records, cut at the same places however often the work was interrupted."""
        return self.input.batches(self.chunk_rows, done=done)

    def chunk(self, engine: Predictor, batch: Batch) -> Chunk:
        """The outcome of some rows; it depends on no others.

        Raises:
            DataError: a row does not fit the columns of the output.
            NlpkitError: the model answers what is no number.
        """
        distinct = list(dict.fromkeys(batch.texts))
        answers = dict(zip(distinct, engine.predict(distinct), strict=True)) if distinct else {}
        rows: list[dict[str, object]] = []
        for record, text in zip(batch.records, batch.texts, strict=True):
            self.columns.check(record)
            rows.append({**record.fields, **self._answer(answers[text].row(), record.where)})
        return Chunk(
            data=self.writer.rows(rows),
            rejects=reject_lines(batch.bad),
            read=batch.read,
            rows=len(rows),
            rejected=len(batch.bad),
            partly_read=sum(answers[text].partial for text in batch.texts),
        )

    def _answer(self, answer: Mapping[str, str | float], where: str) -> dict[str, object]:
        found: dict[str, object] = {}
        for name in self.names:
            value: object = answer.get(name)
            if isinstance(value, float):
                if not math.isfinite(value):
                    raise NlpkitError(
                        f"{where}: the model answers {value} for {name!r}; expected a number: its weights may be damaged"
                    )
                value = round(value, 6) + 0.0  # No minus zero.
            found[self.prefix + name] = value
        return found


def chunks(
    work: ChunkPlan, model: Predictor | Fleet, state: State, piped: Generator[Batch] | None
) -> Generator[Chunk]:
    """The chunks after those that are done, in order, the header of the file before the first.

    Args:
        work: what is done with each batch.
        model: what answers.
        state: what is done.
        piped: the batches of standard input. They are not read ahead: nothing could stop a thread that waits for a pipe.
    """
    header = b"" if state.size else work.writer.header()
    if isinstance(model, Fleet):
        found = model.chunks(work, done=state.read, budget=state.budget)
    else:
        found = _here(work, model, piped or ahead(work.batches(state.read)))
    with closing(found):
        for chunk in found:
            yield replace(chunk, data=header + chunk.data) if header else chunk
            header = b""


def _here(work: ChunkPlan, engine: Predictor, batches: Generator[Batch]) -> Generator[Chunk]:
    with closing(batches):
        for batch in batches:
            yield work.chunk(engine, batch)
