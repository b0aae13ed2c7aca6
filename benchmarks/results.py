"""Results as JSON for programs, and as a Markdown page for people."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import Machine
from nlpkit.files import write_whole
from nlpkit.run import now

FOLDER = Path(__file__).parent / "results"


def earlier_tasks(folder: Path, name: str) -> dict[str, Any]:
    """Return what a benchmark has measured on other data before, by the data's name."""
    path = folder / f"{name}.json"
    tasks: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["tasks"] if path.is_file() else {}
    return tasks


def save(
    folder: Path,
    name: str,
    measured: dict[str, Any],
    *,
    title: str,
    machine: Machine,
    lines: Sequence[str],
    timed: bool = True,
) -> str:
    """Write `NAME.json` and `NAME.md`, and return the Markdown page.

    With `timed`, the page says how busy the machine was.
    """
    record = {"benchmark": name, "created": now(), "machine": dataclasses.asdict(machine), **measured}
    page = "\n".join([f"# {title}", "", *machine.lines(timed=timed), "", *lines]) + "\n"
    write_whole(folder / f"{name}.json", json.dumps(record, indent=2, ensure_ascii=False) + "\n")
    write_whole(folder / f"{name}.md", page)
    return page


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Return the lines of a Markdown table: the first column to the left, the others to the right."""
    rule = ["---" if index == 0 else "---:" for index in range(len(head))]
    return ["| " + " | ".join(map(str, row)) + " |" for row in (head, rule, *rows)]
