"""Rows of which more than a text is read: turns with their speaker and the turns before, texts with an
aspect or a picture.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass

from nlpkit.data.examples import SpokenTurn, TextInput
from nlpkit.data.records import name_of, text_of
from nlpkit.data.rows import Record
from nlpkit.errors import ConfigError, nearest
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
    for option, name in zip(named, (columns_of_turns.conversation, columns_of_turns.speaker), strict=True):
        _known_column(name, known, option, "reads turns with the turns before them")
    return columns_of_turns


def aspect_column_of(reads_aspects: bool, options: ScoreOptions, columns: Iterable[str]) -> str | None:
    """Return the column of aspects for a model that is asked about one; None for other models.

    Raises:
        ConfigError: the column is named, but the model reads texts alone; or there is no such column.
    """
    if not reads_aspects:
        if options.aspect is not None:
            raise ConfigError("--aspect: this model reads each text alone; hint: leave out --aspect")
        return None
    column = options.aspect or "aspect"
    return _known_column(column, columns, "--aspect", "is asked about an aspect of each text")


def image_column_of(reads_pictures: bool, options: ScoreOptions, columns: Iterable[str]) -> str | None:
    """Return the column of pictures for a model that reads them; None for other models.

    Raises:
        ConfigError: the column is named, but the model reads texts alone; or there is no such column.
    """
    if not reads_pictures:
        if options.image is not None:
            raise ConfigError("--image: this model reads texts, and no pictures; hint: leave out --image")
        return None
    column = options.image or "image"
    return _known_column(column, columns, "--image", "reads a picture with each text")


def _known_column(name: str, columns: Iterable[str], option: str, reads: str) -> str:
    known = list(columns)
    if name not in known:
        raise ConfigError(
            f"no column {name!r}, and this model {reads}{nearest(name, known)}; "
            f"hint: name the column with {option}"
        )
    return name


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
        conversation = name_of(record, self._columns.conversation)
        speaker = name_of(record, self._columns.speaker)
        before = self._before.setdefault(conversation, deque(maxlen=self._columns.turns))
        self._before.move_to_end(conversation)
        if len(self._before) > MOST_OPEN:
            self._before.popitem(last=False)
        given = TextInput(text=text, context=tuple(before), speaker=speaker)
        before.append(SpokenTurn(speaker=speaker, text=text))
        return given
