"""Cells that a spreadsheet would run."""

from __future__ import annotations

import re

_FORMULA = re.compile(
    r"""
    [\s\0]*                                    # a spreadsheet may drop what stands before
    (?: [=＝]                                   # always a formula
      | [@＠] [\w.]+ [(|]                       # a function or a program; not the name of an account
      | [+\-＋－] (?: \S+ \Z                    # a reference, a sum, a single word
                   | [\d\s.,+\-*/^%()]+ \Z     # a calculation with spaces
                   | .* \w [ ]? [(|]            # a function or a program
                   | .* [\w'] ! [$]? [A-Za-z]{1,3} [$]? \d )  # a cell of another sheet
    )""",
    re.VERBOSE | re.DOTALL,
)
"""What a spreadsheet would run. A text that merely begins with such a sign, as `- good food`, it does not."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def inert(text: str) -> str:
    """Put an apostrophe before a text that a spreadsheet would run as a formula."""
    if _FORMULA.match(text) and not _NUMBER.fullmatch(text):
        return "'" + text
    return text
