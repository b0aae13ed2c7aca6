"""How fast one process reads, cuts and writes for all workers of a cluster."""

from __future__ import annotations

import time
from pathlib import Path

from nlpkit.scoring.batches import TextRows
from nlpkit.scoring.chunks import ChunkPlan
from nlpkit.scoring.journal import open_journal
from nlpkit.scoring.listed_rows import AnswerColumns
from nlpkit.scoring.options import ScoreOptions
from nlpkit.scoring.output_columns import plan_columns
from nlpkit.scoring.score import CHUNK_ROWS, plan_file
from nlpkit.scoring.state import Chunk, InputDigest, State
from nlpkit.scoring.workers import read, unpacked
from nlpkit.scoring.writers import writer_of


def limits(folder: Path) -> dict[str, float]:
    """Measure the two steps that one process does for all workers, in rows a second.

    Reading and cutting is measured in CPU time, writing in wall time.
    """
    source = folder / "texts.csv"
    planned = plan_file(source, folder / "out.csv", ScoreOptions())
    rows = TextRows(file=planned.file, text="text", skip=False)
    columns = plan_columns(rows, (), "csv", {})
    work = ChunkPlan(
        rows=rows,
        columns=columns,
        writer=writer_of("csv", columns),
        answers=AnswerColumns(kinds={}),
        prefix="",
        chunk_rows=CHUNK_ROWS,
    )
    before = time.process_time()
    counts = [batch.read for block in read([(work, 0)] * 5) for _, batch in unpacked(block)]
    reading = sum(counts) / (time.process_time() - before)
    data = (folder / "whole.csv").read_bytes()
    data_of_chunk = data[: len(data) * CHUNK_ROWS // sum(counts) * 5]
    chunk = Chunk(
        data=data_of_chunk,
        rejects=b"",
        read=CHUNK_ROWS,
        rows=CHUNK_ROWS,
        more=0,
        rejected=0,
        partly_read=0,
        abstained=0,
        guarded=0,
        unreadable={},
    )
    begin = State(source=InputDigest.of(source), settings={})
    with open_journal(planned.output, folder / "out.csv", begin, overwrite=False) as journal:
        started = time.perf_counter()
        for _ in range(50):
            journal.commit(chunk)
    return {
        "reading_rows_per_second": reading,
        "writing_rows_per_second": 50 * CHUNK_ROWS / (time.perf_counter() - started),
    }
