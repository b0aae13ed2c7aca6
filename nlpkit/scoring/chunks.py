"""From the rows of one input to the bytes of its output: chunk by chunk, in whatever process."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

from nlpkit.data.text_language import scripts_of
from nlpkit.errors import NlpkitError
from nlpkit.generation.decision_server import naming_rows
from nlpkit.scoring.ahead import ahead
from nlpkit.scoring.batches import Batch, TextRows, plain, reject_lines
from nlpkit.scoring.listed_rows import AnswerColumns
from nlpkit.scoring.output_columns import Columns
from nlpkit.scoring.predictors import Predictor, ScoringModel
from nlpkit.scoring.state import Chunk, State
from nlpkit.scoring.writers import RowWriter


@dataclass(frozen=True, kw_only=True)
class ChunkPlan:
    """How rows are read, cut into chunks and written. It can be sent to another process, where the input is a
    file.
    """

    rows: TextRows
    columns: Columns
    writer: RowWriter
    answers: AnswerColumns
    """What the model calls its columns."""
    prefix: str
    chunk_rows: int

    def batches(self, done: int) -> Generator[Batch]:
        """Yield the rows after the first `done` records, cut at the same rows however often the work was
        interrupted.
        """
        return self.rows.batches(self.chunk_rows, done=done)

    def score(self, predictor: Predictor, batch: Batch) -> Chunk:
        """Return the outcome of some rows; it depends on no others. Equal inputs are computed once.

        Raises:
            DataError: a row does not fit the columns of the output.
            NlpkitError: the model's answer is not a number, or a server gives none.
        """
        distinct = list(dict.fromkeys(batch.inputs))
        texts = (given if isinstance(given, str) else given.text for given in batch.inputs)
        with naming_rows(zip(texts, (record.where for record in batch.records), strict=True)):
            answers = dict(zip(distinct, predictor.predict(distinct), strict=True)) if distinct else {}
        rows: list[dict[str, object]] = []
        for record, given in zip(batch.records, batch.inputs, strict=True):
            self.columns.check(record)
            rows += (
                {**record.fields, **self._cells(answer, record.where)}
                for answer in self.answers.rows(answers[given].row(), record.row)
            )
        data, guarded = self.writer.rows(rows)
        return Chunk(
            data=data,
            rejects=reject_lines(batch.bad),
            read=batch.read,
            rows=len(batch.records),
            more=len(rows) - len(batch.records),
            rejected=len(batch.bad),
            partly_read=sum(answers[given].partial for given in batch.inputs),
            abstained=sum(answers[given].is_abstention for given in batch.inputs),
            guarded=guarded,
            unreadable=scripts_of(plain(given) for given in batch.inputs if answers[given].is_unreadable),
        )

    def _cells(self, answer: Mapping[str, Any], where: str) -> dict[str, object]:
        """Return the new cells of a row, by column."""
        return {self.prefix + name: _rounded(answer.get(name), name, where) for name in self.answers.kinds}


def _rounded(value: Any, name: str, where: str) -> Any:
    """Return a value with all numbers in it to six decimals.

    Raises:
        NlpkitError: one is no number.
    """
    if isinstance(value, list):
        return [_rounded(element, name, where) for element in value]
    if isinstance(value, Mapping):
        return {key: _rounded(part, name, where) for key, part in value.items()}
    if not isinstance(value, float):
        return value
    if not math.isfinite(value):
        raise NlpkitError(
            f"{where}: the model answers {value} for {name!r}; expected a number; "
            "hint: its weights may be damaged: train or export it again"
        )
    return round(value, 6) + 0.0  # No minus zero.


@runtime_checkable
class Fleet(ScoringModel, Protocol):
    """Copies of a model in other processes, which score chunks for this one."""

    def plan(self, parts: Sequence[tuple[ChunkPlan, int]]) -> None:
        """Take note of what will be asked for in turn: each plan, and how many records of it are done."""

    def chunks(self, plan: ChunkPlan, *, done: int, budget: int | None) -> Generator[Chunk]:
        """Yield the chunks after the first `done` records, in order."""


def score_chunks(
    plan: ChunkPlan, model: Predictor | Fleet, state: State, batches: Generator[Batch]
) -> Generator[Chunk]:
    """Yield the chunks after those that are done, in order, the header of the file before the first.

    Args:
        plan: what is done with each batch.
        model: what answers.
        state: what is done.
        batches: what is left to do, for a model in this process.
    """
    header = b"" if state.size else plan.writer.header()
    if isinstance(model, Fleet):
        chunks = model.chunks(plan, done=state.read, budget=state.budget)
    else:
        # Standard input is not read ahead: nothing could stop a thread that waits for a pipe.
        chunks = _score(plan, model, batches if plan.rows.file.path is None else ahead(batches))
    with closing(chunks):
        for chunk in chunks:
            yield replace(chunk, data=header + chunk.data) if header else chunk
            header = b""


def _score(plan: ChunkPlan, predictor: Predictor, batches: Generator[Batch]) -> Generator[Chunk]:
    with closing(batches):
        for batch in batches:
            yield plan.score(predictor, batch)
