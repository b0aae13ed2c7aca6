"""The tables of docs/hardening.md that are written from the results of replays."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nlpkit.files import write_whole
from tests.faults.patched import ROOT

PAGE = ROOT / "docs" / "hardening.md"


def with_table(command: str, lines: Sequence[str]) -> str:
    """Return the page with the table that a command writes."""
    begin, end = f"<!-- the table: {command} -->\n", f"<!-- end of the table: {command} -->\n"
    text = PAGE.read_text(encoding="utf-8")
    return "\n".join([text.partition(begin)[0] + begin, *lines, "", end + text.partition(end)[2]])


def read_results(path: Path) -> dict[str, dict[str, Any]]:
    """Return the last result of each name; no file: none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def write_results(path: Path, results: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the results, in the order of their names."""
    write_whole(path, json.dumps(dict(sorted(results.items())), indent=1) + "\n")
