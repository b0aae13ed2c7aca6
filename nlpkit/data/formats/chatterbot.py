"""ChatterBot's corpora: lists of statements under `conversations`, the first by the user; a row each."""

from __future__ import annotations

import io
import re
from collections.abc import Collection
from functools import partial

from nlpkit.data.formats.spoken_rows import ASSISTANT, USER, header, spoken
from nlpkit.data.formats.yaml_text import yaml_of
from nlpkit.data.rows import BadRow, DataFile, Stream
from nlpkit.data.text_files import parsed_text
from nlpkit.errors import DataError

_CONVERSATIONS = re.compile(r"^conversations\s*:\s*(#.*)?\n\s*-\s*(-|\[)", re.MULTILINE)


def fits(start: str) -> bool:
    """Return whether the document has a list of lists under `conversations`."""
    return _CONVERSATIONS.search(start) is not None


def stream(file: DataFile, columns: Collection[str]) -> Stream:
    """Yield the header, then a row for each statement."""
    return parsed_text(file, partial(_rows, file, columns))


def _rows(file: DataFile, columns: Collection[str], text: io.TextIOWrapper) -> Stream:
    yield header(file, columns)
    document = yaml_of(file, text)
    conversations = document.get("conversations") if isinstance(document, dict) else None
    if not isinstance(conversations, list):
        raise DataError(f"{file.name}: no list under 'conversations'; expected a corpus of ChatterBot")
    for number, statements in enumerate(conversations, 1):
        if not isinstance(statements, list) or not statements:
            reason = "expected a list of statements"
            yield BadRow(file=file.name, row=number, reason=reason, raw=str(statements), is_conversation=True)
            continue
        for turn, statement in enumerate(statements):
            fields = {
                "conversation": str(number),
                "speaker": (USER, ASSISTANT)[turn % 2],
                "text": statement,
            }
            yield spoken(fields, file=file.name, row=number)
