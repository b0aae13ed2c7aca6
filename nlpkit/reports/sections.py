"""What a report shows besides its scores: tables, plots, texts and prose. Renderers know these four and no
family of answers.

A section is made by a function from outcomes, which a family of answers names: see `label_sections.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from nlpkit.metrics.score import Part, Score, Share

Cell: TypeAlias = Score | str | int | float | None
"""Numbers stay numbers, so that the JSON loses nothing; None is shown as a dash."""
Size: TypeAlias = Annotated[float, Field(gt=0, le=100)]
Place: TypeAlias = Annotated[float, Field(ge=-1e100, le=1e100)]
"""Where something stands in a plot, as far as plots can be drawn."""
Range: TypeAlias = tuple[Place, Place]


class _Section(Part):
    id: str
    """Its anchor, unlike that of any other section."""
    title: str
    note: str = ""
    """A line that says how to read it."""
    nav: str = ""
    """What the list of sections calls it; empty to leave it out."""
    under: str = ""
    """The id of the section that it stands inside of."""
    half: bool = False
    """Whether it may stand next to another section."""


class Prose(_Section):
    """Sentences."""

    kind: Literal["prose"] = "prose"
    sentences: tuple[str, ...] = ()
    shares: dict[str, int] = Field(default={})
    """Parts of a whole by name, shown as one bar."""
    closing: str = ""
    """A note below."""


class Column(Part):
    """The head of a column."""

    name: str
    number: bool = False


def columns(*names: str) -> tuple[Column, ...]:
    """Return the heads of a table whose first column names the row and whose others hold numbers."""
    return tuple(Column(name=name, number=number > 0) for number, name in enumerate(names))


class Table(_Section):
    """Rows of cells; the first cell names the row."""

    kind: Literal["table"] = "table"
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""
    heat: bool = False
    """Whether the numbers of a row are shares of it: darker is more, the diagonal is right."""
    folded: bool = False
    """Whether a page shows it only when asked to."""

    @model_validator(mode="after")
    def _rows_fit(self) -> Self:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"a row of {len(row)} cells below {len(self.columns)} columns")
        return self


class Series(Part):
    """Points that belong together."""

    mark: Literal["line", "bars", "histogram", "points"]
    x: tuple[Place, ...]
    """Of a histogram the edges of its bins, one more than `y`."""
    y: tuple[Place, ...]
    name: str = ""
    low: tuple[Place | None, ...] = ()
    """The lower ends of the intervals."""
    high: tuple[Place | None, ...] = ()
    color: int = 0
    symbol: Literal["o", "s", ""] = "o"
    """Tells series apart without colors; empty draws none."""
    width: Size = 0.9
    """Of a bar."""
    opacity: Share = 1.0

    @model_validator(mode="after")
    def _can_be_drawn(self) -> Self:
        if len(self.x) != len(self.y) + (self.mark == "histogram"):
            raise ValueError(f"a {self.mark} of {len(self.x)} x and {len(self.y)} y")
        for ends in (self.low, self.high):
            if ends and len(ends) != len(self.y):
                raise ValueError(f"{len(ends)} ends of intervals for {len(self.y)} values")
        return self


class Panel(Part):
    """One pair of axes."""

    series: tuple[Series, ...]
    title: str = ""
    x: str = ""
    """What the horizontal axis shows."""
    y: str = ""
    x_range: Range | None = None
    y_range: Range | None = None
    names: tuple[str, ...] = ()
    """Categories at 0, 1, 2, ... instead of numbers."""
    diagonal: str | None = None
    """What the line where x equals y is called; None for no such line."""
    zero: bool = False
    """Whether the line at 0 is drawn, across the values."""
    horizontal: bool = False
    """Bars from left to right, the categories below one another."""
    square: bool = False
    height: Size = 1.0
    """Compared with the panel above it."""


class Plot(_Section):
    """A picture, as data: `plots.py` draws it."""

    kind: Literal["plot"] = "plot"
    panels: tuple[Panel, ...]
    words: str
    """The same for who cannot see it."""
    columns: Annotated[int, Field(gt=0)] = 1
    height: Size = 1.0
    """Compared with a small plot."""
    x: str = ""
    """What the horizontal axes of all panels show."""


class Tag(Part):
    """A short fact about a text."""

    text: str
    good: bool | None = None


class Message(Part):
    """What somebody said."""

    who: str
    text: str
    role: Literal["system", "user", "assistant", "person", "run", "baseline"]


class Mark(Part):
    """A part of a text that stands out."""

    start: int
    end: int
    name: str
    """What it is."""
    kind: Literal["found", "missed", "invented", "for", "against", "unread", "plain"] = "plain"
    weight: str = ""
    """What stands behind it, such as the effect of a word with its sign."""
    strength: int = 0
    """How strong its color is, from 0 to 100."""


class Piece(Part):
    """A part of a text, marked or not."""

    text: str
    mark: Mark | None = None


class Example(Part):
    """A text with what was made of it, or a conversation with its answers."""

    text: str = ""
    marks: tuple[Mark, ...] = ()
    """Parts of the text."""
    tags: tuple[Tag, ...] = ()
    where: str = ""
    """File and row."""
    messages: tuple[Message, ...] = ()
    answers: tuple[Message, ...] = ()
    """Next to one another, below the messages."""


def pieces_of(text: str, marks: Sequence[Mark]) -> list[Piece]:
    """Cut a text into its marked parts and those between them; of marks that overlap the first one counts."""
    pieces, at = [], 0
    for mark in sorted(marks, key=lambda mark: (mark.start, -mark.end)):
        if mark.start < at:
            continue
        pieces += [Piece(text=text[at : mark.start]), Piece(text=text[mark.start : mark.end], mark=mark)]
        at = mark.end
    return [piece for piece in (*pieces, Piece(text=text[at:])) if piece.text]


class Texts(_Section):
    """Texts of the data: never in Markdown or in a model card."""

    kind: Literal["texts"] = "texts"
    examples: tuple[Example, ...]
    shown: int = 10
    """How many stand open; the rest unfolds."""


Section: TypeAlias = Annotated[Table | Plot | Texts | Prose, Field(discriminator="kind")]
