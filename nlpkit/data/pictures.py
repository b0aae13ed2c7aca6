"""Pictures of rows: brought from a path or from bytes, checked before they are decoded, turned upright."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nlpkit.data.examples import Picture
from nlpkit.data.records import kind_of, text_of
from nlpkit.data.rows import Record
from nlpkit.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
"""What is opened; no other decoder of Pillow is ever run."""

MOST_BYTES = 32_000_000
"""Of a file."""

MOST_PIXELS = 50_000_000
"""Of a picture once it is decoded: 150 MB of memory."""


def post_of(record: Record, text: str, image: str) -> tuple[str, Picture | None]:
    """Return the text and the picture of a record, either of which may be missing.

    Args:
        record: a row.
        text: the column of the text.
        image: the column of the picture.

    Raises:
        DataError: it has neither, or one that cannot be used.
    """
    picture = picture_of(record, image)
    written = record.fields.get(text)
    if picture is not None and (written is None or (isinstance(written, str) and not written.strip())):
        return "", picture
    return text_of(record, text), picture


def picture_of(record: Record, column: str) -> Picture | None:
    """Return the picture in a column, decoded once to see that it can be; None where the column is empty.

    The column holds a path, relative to the file of the row, the bytes of a file, or both as
    `datasets.Image` has them: `{bytes, path}`.

    Raises:
        DataError: the picture cannot be used; names file, row and column.
    """
    held = record.fields.get(column)
    if isinstance(held, Mapping):
        held = held.get("path") if held.get("bytes") is None else held["bytes"]
    if held is None or held == "":
        return None
    where = f"{record.where}, column {column!r}"
    try:
        if isinstance(held, str):
            where = f"{where}, {held[:200]!r}"
            held = _file_content(held, record.file)
        if not isinstance(held, bytes):
            raise DataError(f"expected a path or the bytes of a picture, found {kind_of(held)}")
        open_picture(held)
    except DataError as error:
        raise DataError(f"{where}: {error}") from None
    return Picture(content=held)


def _file_content(name: str, source: str) -> bytes:
    if name.startswith(("http://", "https://", "data:")):
        raise DataError("an address, and nothing is downloaded; hint: save the picture, and name its file")
    near = Path(source)
    folder = near if near.is_dir() else near.parent
    path = folder / name
    if not Path(os.path.abspath(path)).is_relative_to(os.path.abspath(folder)):
        # Who wrote the rows may be somebody else than whose files these are
        raise DataError(
            f"outside the folder of the row's file, {folder}; expected a path below it; "
            "hint: put the pictures there, or a link to their folder"
        )
    try:
        if not path.is_file():
            raise DataError(f"no such file in {folder}; expected a path relative to the file of the row")
        if (size := path.stat().st_size) > MOST_BYTES:
            raise DataError(f"{size:,} bytes; expected at most {MOST_BYTES:,}; hint: save it smaller")
        return path.read_bytes()
    except (OSError, ValueError) as error:  # a path that no file system has, such as one with a NUL
        reason = getattr(error, "strerror", None) or error  # without the path, which may hold anything
        raise DataError(f"the file cannot be read: {reason}") from None


def open_picture(content: bytes) -> Image.Image:
    """Return a picture as RGB, turned as its EXIF says, transparent parts white.

    Size and format are checked before anything is decoded.

    Raises:
        DataError: it is no picture, damaged, animated or too large.
    """
    import io

    from PIL import Image, ImageOps, UnidentifiedImageError

    if not content:
        raise DataError("a picture of 0 bytes; hint: leave the column empty where there is no picture")
    if len(content) > MOST_BYTES:
        raise DataError(f"{len(content):,} bytes; expected at most {MOST_BYTES:,}; hint: save it smaller")
    try:
        with warnings.catch_warnings():
            # Pillow's limit is another, and _refuse_large knows the size
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            opened = Image.open(io.BytesIO(content), formats=FORMATS)
        with opened as image:
            _refuse_large(image.width, image.height)
            # A camera's JPEG may hold a second, smaller view (MPO): the first is the picture
            if image.format != "MPO" and getattr(image, "is_animated", False):
                raise DataError("an animation; expected one picture; hint: save the frame that counts")
            image.load()
            return _rgb(ImageOps.exif_transpose(image))
    except DataError:
        raise
    except Image.DecompressionBombError:
        raise DataError(_too_large()) from None
    except MemoryError:
        raise DataError("the picture does not fit in memory; hint: save it smaller") from None
    except UnidentifiedImageError:
        known = ", ".join(FORMATS)
        raise DataError(
            f"{len(content):,} bytes that are no picture, whatever the name says; expected one of {known}"
        ) from None
    except Exception as error:  # decoders raise nearly anything on a damaged file
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise DataError(f"a damaged picture: {reason}; hint: save it again") from None


def _refuse_large(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise DataError(_too_large(f"{width:,} x {height:,} pixels"))


def _too_large(pixels: str = "far too many pixels") -> str:
    return f"{pixels}; expected at most {MOST_PIXELS:,} in all; hint: save it smaller"


def _rgb(image: Image.Image) -> Image.Image:
    from PIL import Image

    if image.mode.startswith("I"):  # 16 bits a pixel, which Pillow would cut off at 255
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L").convert("RGB")
    if image.has_transparency_data:
        shown = image.convert("RGBA")
        white = Image.new("RGBA", shown.size, "white")
        return Image.alpha_composite(white, shown).convert("RGB")
    return image.convert("RGB")
