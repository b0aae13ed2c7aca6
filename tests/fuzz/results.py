"""What fuzzing tried last, by target and engine: fuzzed.json, and its table in docs/hardening.md."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from nlpkit.files import write_whole
from tests.faults import tables

RESULTS = Path(__file__).with_name("fuzzed.json")
LEAST_SECONDS = 60
"""Of a try that is recorded."""


def record(engine: Literal["hypothesis", "atheris"], results: Mapping[str, Mapping[str, Any]]) -> None:
    """Keep what an engine tried on some targets, and write the table again."""
    held = tables.read_results(RESULTS)
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    for name, tried in results.items():
        if tried.get("seconds", 0) >= LEAST_SECONDS:
            kept = {key: tried[key] for key in ("executions", "seconds", "findings")}
            held.setdefault(name, {})[engine] = kept | {"date": today}
    tables.write_results(RESULTS, held)
    write_whole(tables.PAGE, page())


def page() -> str:
    """Return the page with today's table."""
    rows = [
        "| target | engine | executions | minutes | findings | date |",
        "|---|---|---:|---:|---:|---|",
    ]
    for name, engines in tables.read_results(RESULTS).items():
        rows += [
            f"| `{name}` | {engine} | {tried['executions']:,} | {tried['seconds'] / 60:.0f} "
            f"| {len(tried['findings'])} | {tried['date']} |"
            for engine, tried in engines.items()
        ]
    return tables.with_table("make fuzz", rows)
