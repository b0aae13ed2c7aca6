"""The tidy tables behind the page, as CSV and as Parquet: one observation a row, one variable a column."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from nlpkit.analysis.about import About
from nlpkit.analysis.cells import ALL, Cell
from nlpkit.analysis.drivers import Decomposition
from nlpkit.analysis.findings import Findings
from nlpkit.analysis.study import Study, counted_share
from nlpkit.files import write_whole
from nlpkit.scoring.output_columns import Columns
from nlpkit.scoring.writers import writer_of

Rows: TypeAlias = list[dict[str, Any]]

ROWS = "rows.parquet"
"""Lists each row of the file with its label, groups and period: the rows of any cell are found there."""
SHARE = ("period", "label", "texts", "share", "low", "high", "given", "counted")
DIFFERENCE = (
    "label", "texts", "other_texts", "difference", "low", "high", "p", "corrected_p", "is_shown",
)  # fmt: skip
CHANGE = (
    "label", "since", "earliest", "latest", "before", "after", "difference", "low", "high", "texts", "p",
)  # fmt: skip
EFFECT = ("value", "low", "high", "p", "corrected_p")
OWN = {*SHARE, *DIFFERENCE, *CHANGE}
"""Columns of the tables; one of the user's of such a name gets an underscore behind it."""


def write_tables(folder: Path, tables: Mapping[str, Rows]) -> None:
    """Write each table that has rows as NAME.csv and NAME.parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for name, rows in tables.items():
        if not rows:
            continue
        writer = writer_of("csv", Columns(given=None, added=dict.fromkeys(rows[0], "string")))
        write_whole(folder / f"{name}.csv", (writer.header() + writer.rows(rows)[0]).decode())
        path = folder / f"{name}.parquet"
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        pq.write_table(pa.Table.from_pylist(rows), temporary)
        temporary.replace(path)


def tables_of(study: Study) -> dict[str, Rows]:
    """Return the tables by name."""
    findings, about, by = study.findings, study.about, study.rows.by
    return {
        "shares": _shares(findings, by),
        "differences": [
            {**_columns(each.cell, by), **_fields(each, DIFFERENCE)} for each in findings.differences
        ],
        "changes": [{**_columns(each.cell, by), **_fields(each, CHANGE)} for each in findings.changes],
        "to_read": [
            {
                "kind": each.kind,
                "group": " = ".join(each.group) if each.group else "",
                "label": each.candidate.label,
                "probability": each.candidate.probability,
                "share_of_label": each.share,
                **_fields(each.candidate, ("period", "file", "row", "text")),
            }
            for each in study.chosen
        ],
        "themes": [
            {
                "theme": theme.name,
                "sample_texts": theme.texts,
                "stability": theme.stability,
                "terms": ", ".join(term for term, _ in theme.terms),
                "central_text": theme.central[0],
            }
            for theme in (about.themes.themes if about.themes else ())
        ],
        "theme_shares": _theme_shares(about, findings.labels),
        "aspects": _aspects(about),
        "drivers": [row for change in (*about.drivers, *about.neighbors) for row in _drivers(change)],
    }


def _fields(value: object, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(value, name) for name in names}


def _columns(cell: Cell, by: Sequence[str]) -> dict[str, str]:
    """Return the value of each column that makes a cell; empty for those that do not."""
    values = dict(cell.groups)
    return {f"{column}_" if column in OWN else column: values.get(column, "") for column in by}


def _shares(findings: Findings, by: Sequence[str]) -> Rows:
    rows: Rows = []
    for cell in [ALL, *sorted(cell for cell in findings.estimates if cell != ALL)]:
        estimate, tally = findings.estimates[cell], findings.counts.of(cell)
        for number, label in enumerate(findings.labels):
            given = tally.given[number]
            figures = (float(each[number]) for each in (estimate.share, estimate.low, estimate.high))
            values = (cell.period, label, tally.texts, *figures, int(given), float(given / tally.texts))
            rows.append({**_columns(cell, by), **dict(zip(SHARE, values, strict=True))})
    return rows


def _theme_shares(about: About, labels: Sequence[str]) -> Rows:
    rows: Rows = []
    names = about.themes.names if about.themes else ()
    for cell, counts in sorted(about.theme_counts.items()):
        whole = int(counts[:, 0].sum())
        for name, (texts, *given) in zip(names, counts.tolist(), strict=True):
            score = counted_share(texts, whole)
            rows.append(
                {
                    "group": " = ".join(cell.groups[0]) if cell.groups else "",
                    "period": cell.period,
                    "theme": name,
                    "texts": texts,
                    "share": score.value,
                    **_fields(score, ("low", "high")),
                    **{f"given_{label}": count for label, count in zip(labels, given, strict=True)},
                }
            )
    return rows


def _aspects(about: About) -> Rows:
    rows: Rows = []
    for aspect in about.aspects.largest if about.aspects else ():
        for polarity, count in sorted(aspect.polarities.items()):
            score, first = counted_share(count, aspect.mentions), aspect.examples[polarity][0]
            rows.append(
                {
                    "aspect": aspect.name,
                    "polarity": polarity,
                    "count": count,
                    "mentions": aspect.mentions,
                    "share": score.value,
                    **_fields(score, ("low", "high")),
                    "example_file": first.file,
                    "example_row": first.row,
                }
            )
    return rows


def _drivers(change: Decomposition) -> Rows:
    effects = [("(all)", name, getattr(change, name)) for name in ("mix", "rate", "whole")]
    effects += [
        (driver.part, name, getattr(driver, name)) for driver in change.drivers for name in ("mix", "rate")
    ]
    return [
        {
            **_fields(change, ("kind", "by", "label", "before", "after")),
            "texts_before": change.texts[0],
            "texts_after": change.texts[1],
            "part": part,
            "effect": name,
            **_fields(effect, EFFECT),
        }
        for part, name, effect in effects
    ]
