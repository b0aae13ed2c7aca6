"""Results as JSON for programs and as a Markdown page for people, beside each other."""

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


def save(
    folder: Path,
    name: str,
    found: dict[str, Any],
    *,
    title: str,
    machine: Machine,
    lines: Sequence[str],
    timed: bool = True,
) -> str:
    """The Markdown page, once it and `NAME.json` are written. What is not timed does not depend on how busy the machine was."""
    whole = {"benchmark": name, "created": now(), "machine": dataclasses.asdict(machine), **found}
    page = "\n".join([f"# {title}", "", *machine.lines(timed=timed), "", *lines]) + "\n"
    write_whole(folder / f"{name}.json", json.dumps(whole, indent=2, ensure_ascii=False) + "\n")
    write_whole(folder / f"{name}.md", page)
    return page


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """The lines of a Markdown table: text to the left, numbers to the right."""
    rule = ["---" if index == 0 else "---:" for index in range(len(head))]
    return ["| " + " | ".join(map(str, row)) + " |" for row in (head, rule, *rows)]
