"""Rows that are turns of conversations: each is scored with who speaks and the turns before it."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass

from nlpkit.data.examples import SpokenTurn, TextInput
from nlpkit.data.records import kind_of, text_of
from nlpkit.data.rows import Record
from nlpkit.errors import ConfigError, DataError, nearest
from nlpkit.scoring.options import ScoreOptions

MOST_OPEN = 10_000
"""Conversations whose last turns are kept, so that memory stays constant: the rows of one may lie among those
of so many others."""


@dataclass(frozen=True, kw_only=True)
class TurnColumns:
    """The columns that make a row a turn, and how many turns before it are read."""

    conversation: str
    speaker: str
    turns: int


def turn_columns_of(turns: int | None, options: ScoreOptions, columns: Iterable[str]) -> TurnColumns | None:
    """Return the columns of turns for a model that reads `turns` turns before each; None for other models.

    Raises:
        ConfigError: a column is named, but the model reads texts; or there is no such column.
    """
    named = {"--conversation": options.conversation, "--speaker": options.speaker}
    if turns is None:
        if option := next((option for option, name in named.items() if name is not None), None):
            raise ConfigError(f"{option}: this model reads each text by itself; hint: leave out {option}")
        return None
    columns_of_turns = TurnColumns(
        conversation=options.conversation or "conversation", speaker=options.speaker or "speaker", turns=turns
    )
    known = list(columns)
    for option, name in (
        ("--conversation", columns_of_turns.conversation),
        ("--speaker", columns_of_turns.speaker),
    ):
        if name not in known:
            raise ConfigError(
                f"no column {name!r}, and this model reads turns with the turns before them"
                f"{nearest(name, known)}; hint: name the column with {option}"
            )
    return columns_of_turns


class TurnHistory:
    """The last turns of the conversations that were read so far."""

    def __init__(self, columns: TurnColumns) -> None:
        self._columns = columns
        self._before: OrderedDict[str, deque[SpokenTurn]] = OrderedDict()

    def input_of(self, record: Record, text_column: str) -> TextInput:
        """Return a row as a turn, which the next rows of its conversation come after.

        Raises:
            DataError: it has no text, no conversation or no speaker.
        """
        text = text_of(record, text_column)
        conversation = _name_in(record, self._columns.conversation)
        speaker = _name_in(record, self._columns.speaker)
        before = self._before.setdefault(conversation, deque(maxlen=self._columns.turns))
        self._before.move_to_end(conversation)
        if len(self._before) > MOST_OPEN:
            self._before.popitem(last=False)
        given = TextInput(text=text, context=tuple(before), speaker=speaker)
        before.append(SpokenTurn(speaker=speaker, text=text))
        return given


def _name_in(record: Record, column: str) -> str:
    value = record.fields.get(column)
    if isinstance(value, bool) or not isinstance(value, (str, int)) or not str(value).strip():
        held = "nothing" if value is None or value == "" else kind_of(value)
        raise DataError(f"{record.where}, column {column!r}: expected a name or a number, found {held}")
    return str(value).strip()
