"""MultiWOZ (2.0 to 2.4) and Schema-Guided Dialogue: a row a turn. Annotations are not read.

A dialogue is an object with `log`, in which user and system take turns, under its name; or one with
`dialogue_id` and `turns` that name their speakers.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeGuard

from nlpkit.data.formats.json_text import EACH
from nlpkit.data.formats.spoken_rows import ASSISTANT, USER, header, in_order, objects, spoken
from nlpkit.data.rows import BadRow, DataFile, Record, Stream
from nlpkit.data.text_files import parsed_text

_SIDES = {"USER": USER, "SYSTEM": ASSISTANT}
_LOG = (
    re.compile(r'\s*\{\s*"[^"]+"\s*:\s*\{'),
    re.compile(r'"log"\s*:\s*\[\s*\{'),
    re.compile(r'"(text|metadata)"\s*:'),
)
_TURNS = re.compile(r'\s*\[\s*\{\s*"(dialogue_id|services|turns)"\s*:')


def fits(start: str) -> bool:
    """Return whether the document holds such dialogues."""
    turns = _TURNS.match(start) and all(f'"{key}"' in start for key in ("turns", "speaker", "utterance"))
    return bool(turns) or in_order(start, *_LOG)


def stream(file: DataFile, columns: Collection[str]) -> Stream:
    """Yield the header, then a row for each turn."""
    return parsed_text(file, partial(_rows, file, columns))


def _rows(file: DataFile, columns: Collection[str], text: io.TextIOWrapper) -> Stream:
    yield header(file, columns)
    for (name, *_), dialogue in objects(file, text, [(EACH,)]):
        if isinstance(dialogue, Record):
            yield from _turns(dialogue, name)
        elif isinstance(dialogue, BadRow):
            yield replace(dialogue, is_conversation=True)


def _turns(dialogue: Record, name: str) -> Iterator[Record | BadRow]:
    """Yield the rows of a dialogue; it is a bad row where it has no list of turns."""
    fields = dialogue.fields
    turns = fields.get("turns", fields.get("log"))
    if not _are_turns(turns):
        reason = "no turns; expected a dialogue with a list of objects under 'turns' or 'log'"
        raw = json.dumps(fields, default=str)
        yield BadRow(file=dialogue.file, row=dialogue.row, reason=reason, raw=raw, is_conversation=True)
        return
    key = str(fields.get("dialogue_id") or name)
    for number, turn in enumerate(turns):
        speaker = turn.get("speaker", (USER, ASSISTANT)[number % 2])
        row = {
            "conversation": key,
            "speaker": _SIDES.get(str(speaker).upper(), speaker),
            "text": turn.get("utterance", turn.get("text")),
        }
        yield spoken(row, file=dialogue.file, row=dialogue.row)


def _are_turns(turns: object) -> TypeGuard[Sequence[Mapping[str, object]]]:
    return isinstance(turns, list) and len(turns) > 0 and all(isinstance(turn, Mapping) for turn in turns)
