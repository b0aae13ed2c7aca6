"""What is left of a text with a picture, and how both are drawn."""

from __future__ import annotations

from nlpkit.data.examples import Picture, Span, TextInput
from nlpkit.trust.posts import cell_name, cells_of, left_of, shown_text

POST = TextInput(text="a day", picture=Picture(content=b"any"))
PARTS = [Span(start=0, end=1), Span(start=2, end=5), *cells_of(POST)]
FULL = "\u25a6 \u25a6 \u25a6 \u25a6"


def test_a_picture_is_drawn_below_its_text_and_each_cell_has_its_place() -> None:
    assert shown_text(POST) == "\n".join(("a day", FULL, FULL, FULL, FULL))
    assert cells_of(POST)[0] == Span(start=6, end=7)
    assert cells_of(POST)[4] == Span(start=14, end=15)  # the first of the second row
    assert {shown_text(POST)[span.start : span.end] for span in cells_of(POST)} == {"\u25a6"}
    assert shown_text("a day") == "a day"
    assert cells_of(TextInput(text="a day")) == []


def test_words_and_cells_are_left_out_of_their_own_part() -> None:
    left = left_of(POST, PARTS, {0, 2 + 5})
    assert isinstance(left, TextInput)
    assert left.text == "day"
    assert left.picture == Picture(content=b"any", hidden=frozenset({5}))
    assert shown_text(left).splitlines()[2] == "\u25a6 \u25a1 \u25a6 \u25a6"
    assert cell_name(5) == "picture, row 2, column 2"
    assert left_of("a day", PARTS[:2], {1}) == "a"
    nothing = left_of(POST, PARTS, set(range(len(PARTS))))
    assert isinstance(nothing, TextInput)
    assert (nothing.text, nothing.picture and len(nothing.picture.hidden)) == ("", 16)
