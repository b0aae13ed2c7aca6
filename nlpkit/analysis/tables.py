"""The tidy tables behind the page, as CSV and as Parquet: one observation a row, one variable a column."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from nlpkit.analysis.counts import ALL, Cell
from nlpkit.analysis.findings import Findings
from nlpkit.analysis.to_read import Chosen
from nlpkit.files import write_whole
from nlpkit.scoring.output_columns import Columns
from nlpkit.scoring.writers import writer_of

Rows: TypeAlias = list[dict[str, Any]]

OWN = frozenset({
    "period", "label", "texts", "share", "low", "high", "given", "counted", "other_texts", "difference", "p",
    "corrected_p", "is_shown", "since", "earliest", "latest", "before", "after",
})  # fmt: skip
"""Columns of the tables; one of the user's of such a name gets an underscore behind it."""
ROWS = "rows.parquet"
"""Lists each row of the file with its label, groups and period: the rows of any cell are found there."""


def write_tables(folder: Path, tables: Mapping[str, Rows]) -> list[Path]:
    """Write each table that has rows as NAME.csv and NAME.parquet, and return the paths."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, rows in tables.items():
        if not rows:
            continue
        columns = list(dict.fromkeys(column for row in rows for column in row))
        writer = writer_of("csv", Columns(given=None, added=dict.fromkeys(columns, "string")))
        write_whole(folder / f"{name}.csv", (writer.header() + writer.rows(rows)[0]).decode())
        path = folder / f"{name}.parquet"
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        full = [{column: row.get(column) for column in columns} for row in rows]
        pq.write_table(pa.Table.from_pylist(full), temporary)
        temporary.replace(path)
        written += [folder / f"{name}.csv", path]
    return written


def tables_of(findings: Findings, chosen: Sequence[Chosen], *, by: Sequence[str]) -> dict[str, Rows]:
    """Return the tables: shares, differences, changes and the texts to read."""
    return {
        "shares": _shares(findings, by),
        "differences": [
            {
                **_columns(each.cell, by),
                "label": each.label,
                "texts": each.texts,
                "other_texts": each.others,
                "difference": each.difference,
                "low": each.low,
                "high": each.high,
                "p": each.p,
                "corrected_p": each.corrected_p,
                "is_shown": each.is_shown,
            }
            for each in findings.differences
        ],
        "changes": [
            {
                **_columns(each.cell, by),
                "label": each.label,
                "since": each.since,
                "earliest": each.earliest,
                "latest": each.latest,
                "before": each.before,
                "after": each.after,
                "difference": each.difference,
                "low": each.low,
                "high": each.high,
                "texts": each.texts,
                "p": each.p,
            }
            for each in findings.changes
        ],
        "to_read": [
            {
                "kind": each.kind,
                "group": " = ".join(each.group) if each.group else "",
                "label": each.candidate.label,
                "probability": each.candidate.probability,
                "share_of_label": each.share,
                "period": each.candidate.period,
                "file": each.candidate.file,
                "row": each.candidate.row,
                "text": each.candidate.text,
            }
            for each in chosen
        ],
    }


def _columns(cell: Cell, by: Sequence[str]) -> dict[str, str]:
    """Return the value of each column that makes a cell; empty for those that do not."""
    values = dict(cell.groups)
    return {f"{column}_" if column in OWN else column: values.get(column, "") for column in by}


def _shares(findings: Findings, by: Sequence[str]) -> Rows:
    rows: Rows = []
    for cell in [ALL, *sorted(cell for cell in findings.estimates if cell != ALL)]:
        estimate, tally = findings.estimates[cell], findings.counts.of(cell)
        for number, label in enumerate(findings.labels):
            rows.append(
                {
                    **_columns(cell, by),
                    "period": cell.period,
                    "label": label,
                    "texts": tally.texts,
                    "share": float(estimate.share[number]),
                    "low": float(estimate.low[number]),
                    "high": float(estimate.high[number]),
                    "given": int(tally.given[number]),
                    "counted": float(tally.given[number] / tally.texts),
                }
            )
    return rows
