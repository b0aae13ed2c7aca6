"""Measure how easy the documents are to read: `python -m tests.ease [FILE...]`.

Prints the median length of a page's sentences in words, the share above 25 words, and the sentences above 30.
Code, tables, headings and pictures are left out. A colon or a semicolon ends a sentence too: a reader pauses.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
LONG, TOO_LONG = 25, 30
WORD = re.compile(r"[A-Za-z0-9][\w'’-]*")
END = re.compile(r"(?<=[.?!:;])[\"')\]]*\s+(?=[A-Z0-9`\"'(*\[])|(?<=[;:])\s+")
FEWEST = 3
"""Words of a sentence; fewer are a label."""


def paragraphs(text: str) -> Iterator[str]:
    """Yield the paragraphs and list items of a page, each on one line."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    for part in re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )|(?<=\|)\n|\n(?=\|)", prose):
        if part.strip() and part.strip()[0] not in "#|!<":
            yield " ".join(re.sub(r"^\s*(?:[-*]|\d+\.)\s+", "", part.strip()).split())


def sentences(text: str) -> list[str]:
    """Return the sentences of a page, links without their targets."""
    found = []
    for paragraph in paragraphs(text):
        shown = re.sub(r"!?\[([^]]*)\]\([^)]*\)", r"\1", paragraph)
        found += [sentence for sentence in END.split(shown) if words(sentence) >= FEWEST]
    return found


def words(sentence: str) -> int:
    """Return how many words a sentence has; code counts as one."""
    return len(WORD.findall(re.sub(r"`[^`]*`", "code", sentence)))


def main(names: list[str]) -> None:
    """Print the measures of each page and of all."""
    paths = [ROOT / name for name in names] or [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    every: list[int] = []
    for path in paths:
        page = sentences(path.read_text(encoding="utf-8"))
        lengths = [words(sentence) for sentence in page]
        every += lengths
        print(f"{path.relative_to(ROOT)}: {_measures(lengths)}")
        print(*(f"  {words(line)}: {line}" for line in page if words(line) > TOO_LONG), sep="\n")
    print(f"all: {_measures(every)}")


def _measures(lengths: list[int]) -> str:
    share = sum(length > LONG for length in lengths) / len(lengths)
    return f"{len(lengths)} sentences, median {median(lengths):g} words, {share:.1%} above {LONG}"


if __name__ == "__main__":
    main(sys.argv[1:])
