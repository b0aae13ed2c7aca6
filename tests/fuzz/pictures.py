"""Pictures that somebody sent: decoded as one RGB picture of a bounded size, or refused in one sentence."""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from nlpkit.data.pictures import FORMATS, MOST_PIXELS, open_picture, picture_of
from nlpkit.data.rows import Record
from nlpkit.errors import DataError
from tests.fuzz.values import JSON, damaged, in_one_line

HELD = ("bytes", "path", "bytes and path", "a name")


@cache
def whole(form: str, mode: str, *, turned: bool) -> bytes:
    """A small picture of changing colors, saved in a format, turned by its EXIF or not."""
    from PIL import Image

    image = Image.new("RGB", (24, 16))
    image.putdata([(10 * (at % 24), 15 * (at // 24), at % 256) for at in range(24 * 16)])
    options: dict[str, Any] = {}
    if turned and form != "BMP":
        exif = Image.Exif()
        exif[0x0112] = 6
        options["exif"] = exif
    sink = io.BytesIO()
    image.convert(mode).save(sink, form, **options)
    return sink.getvalue()


PICTURES = st.sampled_from(
    [
        whole(form, mode, turned=turned)
        for form in FORMATS
        for mode in ("RGB", "L", "RGBA" if form in ("PNG", "WEBP") else "1" if form == "BMP" else "L")
        for turned in (False, True)
    ]
).flatmap(damaged)
CELLS: st.SearchStrategy[Any] = st.tuples(st.sampled_from(HELD), PICTURES | st.binary(max_size=40)) | JSON


def held_of(drawn: tuple[str, bytes], folder: Path) -> Any:
    """The cell of a row that holds the picture in one of the ways that a file of rows has for it."""
    way, content = drawn
    (folder / "drawn.png").write_bytes(content)
    ways: Mapping[str, Any] = {
        "bytes": content,
        "path": {"bytes": None, "path": "drawn.png"},
        "bytes and path": {"bytes": content, "path": "other.jpg"},
        "a name": "drawn.png",
    }
    return ways[way]


def read_picture(drawn: Any, folder: Path) -> None:
    """The cell is empty, a picture that opens again as RGB, or refused with the row and the column."""
    is_picture = isinstance(drawn, tuple)
    cell = held_of(drawn, folder) if is_picture else drawn
    record = Record(fields={"image": cell}, file=str(folder / "posts.jsonl"), row=1)
    try:
        picture = picture_of(record, "image")
    except DataError as error:
        in_one_line(error)
        refused = str(error)
    else:
        refused = ""
    if refused:
        assert "column 'image'" in refused
        return
    if picture is None:
        return
    opened = open_picture(picture.content)
    assert opened.mode == "RGB"
    assert 0 < opened.width * opened.height <= MOST_PIXELS
