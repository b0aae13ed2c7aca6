"""The records among rows: what becomes of bad rows, and of what a reader left out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from nlpkit.data.rows import BadRow, LeftOut, Record, Row, printable
from nlpkit.data.text_files import encoding_hint
from nlpkit.errors import DataError

EMPTY = "holds no rows"

OnBad = Callable[[BadRow], None]
"""Takes a row that cannot be read."""
OnLeftOut = Callable[[LeftOut], None]
"""Takes what a reader passed over."""


def warn(left_out: LeftOut) -> None:
    """Log what was left out: shown on stderr where logging is not set up."""
    logging.getLogger("nlpkit").warning("%s", left_out)


def good_rows(
    rows: Iterator[Row],
    name: str,
    encoding: str | None,
    on_bad: OnBad | None,
    on_left_out: OnLeftOut | None = None,
) -> Iterator[Record]:
    """Yield the records among some rows; the bad ones go to `on_bad`, or the first is an error where that is
    None. What was left out goes to `on_left_out`, or is logged.

    Raises:
        DataError: there are no rows, or a row is bad and `on_bad` None.
    """
    empty = True
    left_out: LeftOut | None = None
    for row in rows:
        if isinstance(row, LeftOut):
            left_out = row
            (on_left_out or warn)(row)
            continue
        empty = False
        if type(row) is Record:
            yield row
        elif isinstance(row, BadRow):
            if on_bad is None:
                raise DataError(f"{row.where}: {row.reason}{hint_of(row, encoding)}")
            on_bad(replace(row, raw=printable(row.raw)))
    if empty:
        raise DataError(f"{name}: {EMPTY}{besides(left_out)}")


def besides(left_out: LeftOut | None) -> str:
    """Return the end of a message that there are no rows: what was left out."""
    return f" besides what is left out: {left_out.words}" if left_out else ""


def hint_of(bad: BadRow, encoding: str | None) -> str:
    """Return the hint that a bad row needs beyond its reason: which encoding to say; "" for others."""
    if "does not fit the encoding" not in bad.reason:
        return ""
    if encoding is not None:
        return f" {encoding}; hint: say another, --encoding"
    return (
        encoding_hint(Path(bad.file)) if Path(bad.file).is_file() else "; hint: say the encoding, --encoding"
    )
