"""Check that the documents' figures stand in benchmarks/results: `python -m tests.receipts [FILE...]`.

A section's figures are looked up in the receipts that it links to, else in those that its page links to. The
README's are looked up in docs/benchmarks.md. A figure is a percentage, a number of times, or a decimal.
"""

from __future__ import annotations

import functools
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
BENCHMARKS = ROOT / "docs" / "benchmarks.md"
FIGURE = re.compile(r"(?<![\w.,/-])(\d[\d,]*\.\d+|\d[\d,]*(?=%| times\b))(%?)(?![\d/-]|\.\d)")
RECEIPT = re.compile(r"benchmarks/results/([\w-]+)\.(?:md|json|png)")
NOT_MEASURED = re.compile(
    r"`[^`\n]*`|\]\([^)]*\)|arXiv:[\d.]+|(?<=at )95%|\b(?:nominal )?95%(?=\s+(?:intervals?|confidence)\b)"
    r"|(?<=Intervals are )95%|\b(?:Python|accelerate|MultiWOZ) \d[\d.]*\d(?: to \d[\d.]*\d)?"
)
"""Code, targets of links, numbers of papers, versions, and the level of intervals and confidence."""


@dataclass(frozen=True, kw_only=True)
class Missing:
    """A figure that no linked receipt holds."""

    path: Path
    section: str
    figure: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}: {self.section}: {self.figure}"


def sections(text: str) -> Iterator[tuple[str, str]]:
    """Yield (heading, text) of each part of a page."""
    code = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    for part in re.split(r"^(?=#+ )", code, flags=re.MULTILINE):
        yield part.partition("\n")[0].lstrip("# "), part


def figures(text: str) -> list[tuple[str, str]]:
    """Return (number, `%` or nothing) of each figure in the text."""
    return FIGURE.findall(NOT_MEASURED.sub(" ", text))


def stands_in(number: str, percent: str, receipts: frozenset[str]) -> bool:
    """Whether one of the receipts shows the figure, or holds a number that rounds to it."""
    plain = number.replace(",", "")
    digits = len(plain.partition(".")[2])
    scales = (1.0, 100.0) if percent else (1.0,)
    return any(f"{value:.{digits}f}" == plain for receipt in receipts for value in shown(receipt)) or any(
        f"{abs(value) * scale:.{digits}f}" == plain
        for receipt in receipts
        for value in measured(receipt)
        for scale in scales
    )


@functools.cache
def shown(receipt: str) -> frozenset[float]:
    """Return the numbers in a receipt's text."""
    path = RESULTS / f"{receipt}.md"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return frozenset(float(number.replace(",", "")) for number in re.findall(r"\d[\d,]*(?:\.\d+)?", text))


@functools.cache
def measured(receipt: str) -> tuple[float, ...]:
    """Return the numbers in a receipt's JSON."""
    path = RESULTS / f"{receipt}.json"
    return tuple(_numbers(json.loads(path.read_text(encoding="utf-8")))) if path.exists() else ()


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _numbers(part)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield float(value)


def check(path: Path) -> tuple[int, list[Missing]]:
    """Return how many figures a page has, and those without a receipt."""
    text = path.read_text(encoding="utf-8")
    if path.name == "README.md":
        there = {number for number, _ in figures(BENCHMARKS.read_text(encoding="utf-8"))}
        there |= set(re.findall(r"\d[\d,]*", BENCHMARKS.read_text(encoding="utf-8")))
        measured_here = text.partition("## Measured")[2].partition("\n## ")[0]
        every = figures(measured_here)
        return len(every), [
            Missing(path=path, section="Measured", figure=number + percent)
            for number, percent in every
            if number not in there
        ]
    page = frozenset(RECEIPT.findall(text))
    count, missing = 0, []
    for heading, part in sections(text):
        receipts = frozenset(RECEIPT.findall(part)) or page
        for number, percent in figures(part):
            count += 1
            if not stands_in(number, percent, receipts):
                missing.append(Missing(path=path, section=heading, figure=number + percent))
    return count, missing


def main(names: list[str]) -> int:
    """Print the figures without a receipt, and how many there are."""
    paths = [ROOT / name for name in names] or [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    total, absent = 0, 0
    for path in paths:
        count, missing = check(path)
        print(*missing, sep="\n" if missing else "")
        total, absent = total + count, absent + len(missing)
    print(f"{total} figures, {absent} without a receipt", file=sys.stderr)
    return bool(absent)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
