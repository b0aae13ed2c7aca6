"""Write the table of docs/reliability.md from results.json: `python -m tests.reliability.table`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.reliability.items import ITEMS, Item
from tests.reliability.record import read_results

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- the table: make reliability -->\n", "<!-- end of the table -->\n"
PARTS = {
    "A": "Scoring",
    "B": "Bad input",
    "C": "Prompts",
    "D": "Model files",
    "E": "Demo and server",
    "F": "Privacy",
    "G": "Training",
    "H": "Environment",
    "I": "The newer commands",
    "J": "Other machines",
}


def lines() -> list[str]:
    """Return the lines of the table, with the versions below it."""
    records = read_results()
    versions = list(dict.fromkeys(named(record) for record in records.values()))
    table = []
    for letter, title in PARTS.items():
        table += ["", f"### {title}", "", "| | What holds | Asked | Tried | Lost | Last run |"]
        table.append("| ---: | --- | --- | --- | ---: | --- |")
        table += [row(item, records.get(str(item.number)), versions) for item in ITEMS if item.part == letter]
    table += ["", *(f"- Versions {number}: {text}." for number, text in enumerate(versions, start=1)), ""]
    return table


def named(record: dict[str, Any]) -> str:
    return ", ".join(f"{name} {version}" for name, version in record["versions"].items())


def row(item: Item, record: dict[str, Any] | None, versions: list[str]) -> str:
    """Return one line; the counts are those of the last run, never those that were asked for."""
    first = f"| {item.number} | {item.promise} | {item.asked} "
    if record is None:
        return f"{first}| not run yet | | |"
    tried = ", ".join(f"{count:,} {unit}" for unit, count in record["tried"].items()) or "nothing"
    skipped = f"; {len(record['skipped'])} left out" if record["skipped"] else ""
    draw = "full" if record["full"] else "few"
    run = f"{record['date']}, {draw}, versions {versions.index(named(record)) + 1}"
    return f"{first}| {tried}{skipped} | {len(record['lost'])} | {run} |"


def page() -> str:
    """Return the page with today's table."""
    text = PAGE.read_text(encoding="utf-8")
    return "\n".join([text.partition(BEGIN)[0] + BEGIN.rstrip(), *lines(), END + text.partition(END)[2]])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
