"""Pictures of rows: what is read, how it is turned into colors, and twenty that are refused."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest

from nlpkit.data.pictures import open_picture, picture_of, post_of
from nlpkit.data.rows import Record
from nlpkit.errors import DataError
from tests.outputs import has_shape, output
from tests.picture_files import encoded, square

RED, BLUE = (250, 10, 10), (10, 10, 250)


def row(value: object, folder: Path = Path(), text: object = "a text") -> Record:
    return Record(fields={"text": text, "image": value}, file=str(folder / "posts.jsonl"), row=3)


def halves(left: tuple[int, int, int], right: tuple[int, int, int]) -> Any:
    image = square(left, 32)
    image.paste(right, (16, 0, 32, 32))
    return image


def near(color: tuple[int, ...], expected: tuple[int, int, int]) -> bool:
    return all(abs(one - other) < 30 for one, other in zip(color, expected, strict=True))


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_each_format_is_read_with_its_colors(form: str) -> None:
    image = open_picture(encoded(halves(RED, BLUE), form))
    assert image.mode == "RGB"
    assert image.size == (32, 32)
    assert near(image.getpixel((4, 16)), RED)
    assert near(image.getpixel((28, 16)), BLUE)


def test_a_photo_is_turned_as_its_exif_says() -> None:
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: the left half is the upper one
    image = open_picture(encoded(halves(RED, BLUE).resize((64, 32)), "JPEG", exif=exif))
    assert image.size == (32, 64)
    assert near(image.getpixel((16, 4)), RED)
    assert near(image.getpixel((16, 60)), BLUE)


def test_print_colors_transparency_and_sixteen_bits_become_rgb() -> None:
    from PIL import Image

    assert near(open_picture(encoded(square(RED).convert("CMYK"), "JPEG")).getpixel((8, 8)), RED)
    clear = Image.new("RGBA", (16, 16), (*BLUE, 0))
    assert open_picture(encoded(clear)).getpixel((8, 8)) == (255, 255, 255)
    shades = Image.new("LA", (16, 16), (0, 0))
    assert open_picture(encoded(shades)).getpixel((8, 8)) == (255, 255, 255)
    deep = Image.new("I;16", (16, 16), 128 * 256)
    assert open_picture(encoded(deep)).getpixel((8, 8)) == (128, 128, 128)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def claimed(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it has so many pixels."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0" * 100)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def animated(form: str) -> bytes:
    frames = [square(RED), square(BLUE)]
    return encoded(frames[0], form, save_all=True, append_images=frames[1:], duration=100)


HOSTILE: dict[str, tuple[bytes, str]] = {
    "no bytes": (b"", "a picture of 0 bytes"),
    "one byte": (b"\x89", "1 bytes that are no picture"),
    "text": (b"this is a text that was renamed to a.png", "that are no picture, whatever the name says"),
    "html": (b"<!DOCTYPE html><img src=a>", "that are no picture"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "that are no picture"),
    "pdf": (b"%PDF-1.7\n1 0 obj", "that are no picture"),
    "zip": (b"PK\x03\x04" + bytes(60), "that are no picture"),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "that are no picture"),
    "only a png's first bytes": (b"\x89PNG\r\n\x1a\n", "no picture|damaged"),
    "only a jpeg's first bytes": (b"\xff\xd8\xff\xe0", "no picture|damaged"),
    "a bomb of 900 million pixels": (claimed(30_000, 30_000), "pixels; expected at most 50,000,000"),
    "a bomb between both limits": (claimed(10_000, 10_000), "pixels; expected at most 50,000,000"),
    "a strip of 60 million pixels": (claimed(60_000_000, 1), "60,000,000 x 1 pixels; expected at most"),
    "a png that holds less than it says": (claimed(400, 400), "damaged"),
    "an animated gif": (animated("GIF"), "an animation; expected one picture"),
    "an animated webp": (animated("WEBP"), "an animation; expected one picture"),
    "an animated png": (animated("PNG"), "an animation; expected one picture"),
    "a cut jpeg": (encoded(halves(RED, BLUE).resize((256, 256)), "JPEG")[:700], "damaged"),
    "a tiff": (encoded(square(RED), "TIFF"), "that are no picture"),
    "32 megabytes": (b"\xff\xd8" + bytes(32_000_000), "32,000,002 bytes; expected at most 32,000,000"),
}


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", HOSTILE)
def test_twenty_hostile_pictures_are_refused_with_their_file_and_row(name: str, tmp_path: Path) -> None:
    content, message = HOSTILE[name]
    (tmp_path / "a.png").write_bytes(content)
    place = rf"posts\.jsonl, row 3, column 'image', 'a\.png': .*({message})"
    with pytest.raises(DataError, match=place):
        picture_of(row("a.png", tmp_path), "image")
    with pytest.raises(DataError, match=rf"row 3, column 'image': .*({message})"):
        picture_of(row({"bytes": content, "path": "a.png"}, tmp_path), "image")


def test_the_error_about_a_text_in_place_of_a_picture_is_the_one_that_is_shown(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").write_bytes(HOSTILE["text"][0])
    with pytest.raises(DataError) as refused:
        picture_of(row("pictures/a.png", tmp_path), "image")
    shown = str(refused.value).replace(f"{tmp_path}/", "error: ")
    assert has_shape(shown, output("docs/pictures.md", 0)), shown


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("gone.png", "gone.png': no such file in .*; expected a path relative to the file of the row"),
        ("", None),
        (".", "no such file"),
        ("two\nlines.png", r"'two\\nlines.png': no such file"),
        ("/dev/zero", "outside the folder of the row's file, .*hint: put the pictures there, or a link"),
        ("a/../../b.png", "outside the folder"),
        ("a" * 5000 + ".png", "no such file|cannot be read"),
        ("nul\0.png", "no such file|cannot be read"),
        ("https://example.org/a.png", "an address, and nothing is downloaded"),
        (17, "expected a path or the bytes of a picture, found the number 17"),
        ([1], "expected a path or the bytes of a picture, found a list"),
    ],
)
def test_what_is_no_file_is_refused(value: object, message: str | None, tmp_path: Path) -> None:
    if message is None:
        assert picture_of(row(value, tmp_path), "image") is None
        return
    with pytest.raises(DataError, match=message):
        picture_of(row(value, tmp_path), "image")


def test_a_post_may_lack_either_part_and_not_both(tmp_path: Path) -> None:
    content = encoded(square(RED))
    (tmp_path / "a.png").write_bytes(content)
    for text in (None, "", "  "):
        post = post_of(row("a.png", tmp_path, text), "text", "image")
        assert post[0] == ""
        assert post[1] is not None
        assert post[1].content == content
    assert post_of(row(None, tmp_path, "a text"), "text", "image") == ("a text", None)
    assert post_of(row({"bytes": None, "path": None}, tmp_path), "text", "image") == ("a text", None)
    with pytest.raises(DataError, match="row 3, column 'text': the text is empty"):
        post_of(row(None, tmp_path, ""), "text", "image")


def test_a_link_to_the_folder_of_pictures_may_lie_next_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.png").write_bytes(encoded(square(RED)))
    posts = tmp_path / "posts"
    posts.mkdir()
    (posts / "pictures").symlink_to(tmp_path / "elsewhere")
    for name in ("pictures/a.png", str(posts / "pictures" / "a.png")):
        assert picture_of(row(name, posts), "image") is not None


def test_a_photo_with_a_second_view_is_one_picture() -> None:
    from PIL import Image

    sink = io.BytesIO()
    square(RED, 32).save(sink, "MPO", save_all=True, append_images=[square(BLUE, 16)])
    with Image.open(io.BytesIO(sink.getvalue())) as image:
        assert image.format == "MPO"
    assert near(open_picture(sink.getvalue()).getpixel((4, 4)), RED)
