"""The outputs that the documents show, compared with what is printed: blocks of the language `text`."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
NUMBER = r"[+-]?\d+(?:\.\d+)?"
VALUE = re.compile(
    r"[+−-]?\$?\d+(?:[.,]\d+)*(?:e[+-]?\d+)?(?:%| points?\b| (?:ms|s|min|h|kB|MB|GB|threads?)\b)?"
    r"|\b(?:negative|neutral|positive)\b|[━─]+"
)


def outputs(document: str) -> list[str]:
    """Return the outputs that a document shows."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(r"^```text\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def output(document: str, number: int) -> str:
    """Return one of the outputs that a document shows, for a test that prints it."""
    return outputs(document)[number]


def agrees(printed: str, shown: str) -> bool:
    """Whether an output has the words that are shown, and nearly the numbers.

    Integers may differ by one, others by two in the last digit. In `shown`, a line `...` stands for any
    lines, and `...` in a line for any part of it.
    """
    shown = re.sub(r"^ +(?=\.\.\.$)", "", shown, flags=re.MULTILINE)
    parts = re.split(rf"(^\.\.\.\n|\.\.\.|{NUMBER}|\s+)", shown.strip() + "\n", flags=re.MULTILINE)
    numbers = [part for part in parts if re.fullmatch(NUMBER, part)]
    pattern = "".join(map(_pattern, parts))
    match = re.fullmatch(pattern, printed.strip() + "\n", re.DOTALL)
    return match is not None and all(
        abs(float(first) - float(second)) <= _tolerance(second)
        for first, second in zip(match.groups(), numbers, strict=True)
    )


def has_shape(printed: str, shown: str) -> bool:
    """Whether the lines that are shown are printed in their order, whatever their values.

    Values are numbers with their units, and labels of sentiment. Lines may wrap elsewhere, and others may
    stand between; `...` in a line stands for any part of it.
    """
    lines = iter(_masked(printed))
    patterns = [
        "".join(map(_pattern, re.split(r"(\.\.\.|\s+)", line)))
        for line in _masked(shown)
        if line not in ("", "...")
    ]
    return bool(patterns) and all(any(re.fullmatch(pattern, line) for line in lines) for pattern in patterns)


def _masked(text: str) -> list[str]:
    """Return the lines without their values, those that a narrow terminal wraps as one."""
    return [VALUE.sub("#", line.strip()) for line in re.sub(r"\s*\n {8,}", " ", text).splitlines()]


def _tolerance(number: str) -> float:
    digits = len(number.partition(".")[2])
    return 2.5 * 0.1**digits if digits else 1


def _pattern(part: str) -> str:
    if part == "...\n":
        return ".*?"
    if part == "...":
        return r"[^\n]*"
    if re.fullmatch(NUMBER, part):
        return f"({NUMBER})"
    return r"\s+" if part and not part.strip() else re.escape(part)
