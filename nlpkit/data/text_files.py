"""The bytes and the text of files: unpacked, refused where they are no text, decoded without guessing in
silence.
"""

from __future__ import annotations

import codecs
import gzip
import io
import sys
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeVar, cast

from nlpkit.data.rows import DataFile
from nlpkit.errors import ConfigError, DataError

T = TypeVar("T")

START = 1 << 16
"""How many bytes are examined to find out what a file is."""

_BLOCK = 1 << 20
_COUNTED = 8 << 20
"""Bytes of a file whose lines are counted; the lines of a larger one are estimated from them."""

# The marks of UTF-32 begin with those of UTF-16, so they come first.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_COMMON = (
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "koi8_r", "mac_roman"),
    *("shift_jis", "euc_jp", "gb18030", "big5", "euc_kr"),
)
_NOT_CP1252 = {0x81, 0x8D, 0x8F, 0x90, 0x9D}

_MAGIC = (
    (b"\x1f\x8b", "is gzip-compressed; hint: let its name end in .gz"),
    (b"PAR1", "is a Parquet file; hint: let its name end in .parquet"),
    (b"ARROW1\0", "is an Arrow file; hint: let its name end in .arrow"),
    (b"PK\x03\x04", "is a zip archive or an Excel workbook; hint: unpack it, or say --format xlsx"),
    (b"\xd0\xcf\x11\xe0", "is an old Excel or Word file; hint: save it as .xlsx or as CSV"),
    (b"%PDF", "is a PDF"),
    (b"\x89PNG", "is a picture"),
    (b"SQLite format 3", "is a SQLite database; hint: export the table as CSV"),
    (b"(\xb5/\xfd", "is zstd-compressed; hint: unpack it"),
    (b"BZh91AY", "is bzip2-compressed; hint: unpack it"),
    (b"\xfd7zXZ", "is xz-compressed; hint: unpack it"),
)


def open_bytes(path: Path) -> BinaryIO:
    """Open a file as bytes, unpacked where its name ends in .gz."""
    if path.suffix.lower() == ".gz":
        return cast("BinaryIO", io.BufferedReader(cast("io.RawIOBase", gzip.open(path)), 1 << 17))
    return path.open("rb", buffering=1 << 17)


def parsed_text(file: DataFile, parse: Callable[[io.TextIOWrapper], Generator[T]]) -> Generator[T]:
    """Open the text of a file, line ends as they stand, and yield what a parser makes of it."""
    with _readable(file), _opened_text(file, newline="") as text:
        yield from parse(text)


def parsed_lines(file: DataFile, parse: Callable[[Iterator[list[bytes]]], Generator[T]]) -> Generator[T]:
    """Open the lines of a file, and yield what a parser makes of them: UTF-8, a megabyte or so at once."""
    with _readable(file), _opened_bytes(file) as stream:
        encoding = encoding_for(stream.peek(4), file.encoding)
        if encoding in ("utf-8", "utf-8-sig", "ascii"):
            if stream.peek(3).startswith(codecs.BOM_UTF8):
                stream.read(len(codecs.BOM_UTF8))
            yield from parse(iter(lambda: stream.readlines(_BLOCK), []))
            return
    with _readable(file), _opened_text(file, newline="\n") as text:
        blocks = iter(lambda: text.readlines(_BLOCK), [])
        yield from parse([line.encode("utf-8", "surrogatepass") for line in block] for block in blocks)


@contextmanager
def _readable(file: DataFile) -> Iterator[None]:
    """Turn what goes wrong while a file is read into a DataError that names it."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            f"{file.name}: the gzip data is cut short or damaged ({error}); hint: fetch the file again"
        ) from error
    except UnicodeError as error:
        raise DataError(
            f"{file.name}: not {file.encoding or 'UTF-8'} text ({error}); hint: say the encoding, --encoding"
        ) from error
    except OSError as error:
        raise DataError(f"{file.name}: cannot be read: {error.strerror or error}") from error


@contextmanager
def _opened_bytes(file: DataFile) -> Iterator[io.BufferedReader]:
    """Open the bytes of a file whose first bytes show that it is text. Standard input is left open."""
    stream: BinaryIO = sys.stdin.buffer if file.path is None else open_bytes(file.path)
    peekable = isinstance(stream, io.BufferedReader)
    buffered = cast(
        "io.BufferedReader", stream if peekable else io.BufferedReader(cast("io.RawIOBase", stream))
    )
    try:
        _refuse_binary(buffered.peek(START)[:START], file)
        yield buffered
    finally:
        if file.path is not None:
            stream.close()
        elif not peekable:
            buffered.detach()


@contextmanager
def _opened_text(file: DataFile, *, newline: str) -> Iterator[io.TextIOWrapper]:
    """Open the text of a file; bytes that do not fit the encoding are carried as lone surrogates."""
    with _opened_bytes(file) as stream:
        encoding = encoding_for(stream.peek(4), file.encoding)
        text = io.TextIOWrapper(stream, encoding=encoding, errors=_errors_for(encoding), newline=newline)
        try:
            yield text
        finally:
            # The wrapper would close standard input when it is collected.
            text.detach()


def _refuse_binary(start: bytes, file: DataFile) -> None:
    for magic, what in _MAGIC:
        if start.startswith(magic):
            raise DataError(f"{file.name}: expected {file.format} text, but it {what}")
    encoding = (file.encoding or marked_encoding(start) or "").lower().replace("_", "-")
    wide = encoding.startswith(("utf-16", "utf-32", "utf16", "utf32"))
    # A stray control character belongs to its row; a file full of them is no text at all.
    control = len(start) - len(start.translate(None, bytes([*range(9), *range(14, 27), *range(28, 32)])))
    if not wide and control * 10 > len(start):
        raise DataError(
            f"{file.name}: expected {file.format} text, found binary data "
            "(if it is UTF-16, say --encoding utf-16-le)"
        )


def start_of(path: Path, encoding: str | None = None) -> str:
    """Return the text that a file starts with, as far as it can be read; "" where it cannot.

    Raises:
        ConfigError: no text encoding has the name that was asked for.
    """
    if not path.is_file():  # a pipe would be waited for
        return ""
    try:
        with open_bytes(path) as file:
            start = file.read(START)
    except (OSError, EOFError, zlib.error):
        return ""  # reading the file says what is wrong
    return start.decode(encoding_for(start, encoding), "replace").removeprefix("\ufeff")


def detect_encoding(path: Path | str) -> str:
    """Return the encoding of a file's byte order mark, else UTF-8 when its first 64 KiB are UTF-8.

    Raises:
        DataError: they are not; the message names the byte and suggests an encoding.
    """
    path = Path(path)
    try:
        with open_bytes(path) as file:
            start = file.read(START)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    if marked := marked_encoding(start):
        return marked
    if (at := _misfit(start, final=len(start) < START)) is not None:
        raise DataError(f"{path}: byte 0x{start[at]:02x} is not UTF-8{encoding_hint(path)}")
    return "utf-8"


def marked_encoding(start: bytes) -> str | None:
    """Return the encoding that a byte order mark stands for; None without one."""
    return next((name for mark, name in _MARKS if start.startswith(mark)), None)


def encoding_for(start: bytes, asked: str | None) -> str:
    """Return the encoding to read with: the one asked for, else the marked one, else UTF-8.

    A mark is never read as text.

    Raises:
        ConfigError: no text encoding has the name that was asked for.
    """
    marked = marked_encoding(start)
    if asked is None:
        return marked or "utf-8"
    try:
        name = codecs.lookup(asked).name
        "".encode(name)
    except (LookupError, ValueError) as error:
        raise ConfigError(
            f"encoding {asked!r} is not known; "
            "expected a name such as utf-8, cp1252, latin-1, utf-16, shift_jis"
        ) from error
    return marked if marked and name.startswith(marked.removesuffix("-sig")) else name


def _errors_for(encoding: str) -> str:
    """Return how undecodable bytes are carried into the text, so that their row can be named."""
    return "surrogatepass" if encoding.startswith(("utf-16", "utf-32")) else "surrogateescape"


def count_lines(path: Path) -> int:
    """Count the lines of a file, quoted line ends included; those of a large one are estimated.

    Raises:
        DataError: it cannot be read.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as packed:
            if path.suffix.lower() == ".gz":
                with gzip.open(packed) as unpacked:
                    start = unpacked.read(_COUNTED)
                read = packed.tell()
            else:
                start = packed.read(_COUNTED)
                read = len(start)
    except (OSError, EOFError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    lines = max(start.count(b"\n"), start.count(b"\r"))
    lines += bool(start) and not start.endswith((b"\n", b"\r"))
    return round(lines * max(1.0, size / max(read, 1)))


def encoding_hint(path: Path) -> str:
    """Say where a file stops being UTF-8 and what it may be instead, as the end of a message."""
    at, around = _first_misfit(path)
    if at is None:
        return ""
    where = f" (byte {at} of the file)"
    if _mostly_wide(around):
        return f"{where}; it looks like UTF-16 without a mark; hint: say the encoding, --encoding utf-16-le"
    guesses = _guesses(around)
    if not guesses:
        return f"{where}; hint: say the encoding, --encoding"
    return f"{where}; it may be {' or '.join(guesses)}; hint: say which, such as --encoding {guesses[0]}"


def _first_misfit(path: Path) -> tuple[int | None, bytes]:
    """Return the offset of the first byte that is not UTF-8, and the bytes around it."""
    decoder, passed = codecs.getincrementaldecoder("utf-8")(), 0
    with open_bytes(path) as file:
        while True:
            # A character may lie across two blocks: its first bytes wait in the decoder.
            held, block = decoder.getstate()[0], file.read(1 << 20)
            try:
                decoder.decode(block, not block)
            except UnicodeDecodeError as error:
                around = (held + block)[max(0, error.start - START) : error.start + START]
                return passed - len(held) + error.start, around
            if not block:
                return None, b""
            passed += len(block)


def _misfit(data: bytes, *, final: bool) -> int | None:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data, final)
    except UnicodeDecodeError as error:
        return error.start
    return None


def _mostly_wide(data: bytes) -> bool:
    return data.count(0) * 3 > len(data)


def _guesses(data: bytes) -> list[str]:
    from charset_normalizer import from_bytes

    best = from_bytes(data, cp_isolation=list(_COMMON)).best()
    guesses = [best.encoding] if best else []
    # A few accents do not distinguish Western code pages; the commonest by far is named first.
    accents = len(data) - len(data.translate(None, bytes(range(128, 256))))
    if accents * 3 < len(data) and not set(data) & _NOT_CP1252:
        guesses.insert(0, "cp1252")
    return list(dict.fromkeys(guesses))
