"""A dialogue a line, its utterances ended by `__eou__`, as in DailyDialog: a row an utterance.

The speakers A and B take turns. Where a line has `__eot__` too, as in the Ubuntu corpus, that ends a turn.
"""

from __future__ import annotations

import io
from collections.abc import Collection
from functools import partial

from nlpkit.data.formats.spoken_rows import header, spoken
from nlpkit.data.rows import BadRow, DataFile, Stream
from nlpkit.data.text_files import parsed_text

_UTTERANCE, _TURN = "__eou__", "__eot__"


def fits(start: str) -> bool:
    """Return whether the first line has the mark."""
    return _UTTERANCE in next((line for line in start.splitlines() if line.strip()), "")


def stream(file: DataFile, columns: Collection[str]) -> Stream:
    """Yield the header, then a row for each utterance."""
    return parsed_text(file, partial(_rows, file, columns))


def _rows(file: DataFile, columns: Collection[str], text: io.TextIOWrapper) -> Stream:
    yield header(file, columns)
    for number, ended in enumerate(text, 1):
        line = ended.strip()
        if line and _UTTERANCE not in line:
            reason = f"no {_UTTERANCE}; expected a dialogue whose utterances it ends"
            yield BadRow(file=file.name, row=number, reason=reason, raw=line, is_conversation=True)
            continue
        for turn, utterances in enumerate(_turns(line)):
            for utterance in utterances:
                fields = {"conversation": f"line {number}", "speaker": "AB"[turn % 2], "text": utterance}
                yield spoken(fields, file=file.name, row=number)


def _turns(line: str) -> list[list[str]]:
    """Return the utterances of each turn. An empty one in the middle stays, to be refused."""
    if _TURN in line:
        return [_utterances(turn) for turn in line.removesuffix(_TURN).split(_TURN)]
    return [[utterance] for utterance in _utterances(line)]


def _utterances(turn: str) -> list[str]:
    parts = [part.strip() for part in turn.split(_UTTERANCE)]
    return parts if parts[-1] else parts[:-1]
