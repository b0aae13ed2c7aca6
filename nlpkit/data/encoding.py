"""Text encodings: told by a mark, said by the user, or UTF-8; never guessed in silence."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from pathlib import Path
from typing import BinaryIO, cast

from nlpkit.errors import ConfigError, DataError

START = 1 << 16
"""How many bytes are looked at to tell what a file is."""

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


def detect_encoding(path: Path | str) -> str:
    """The encoding that a file's byte order mark tells, else UTF-8 when its first 64 KiB are UTF-8.

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
        raise DataError(f"{path}: byte 0x{start[at]:02x} is not UTF-8{advice(path)}")
    return "utf-8"


def marked_encoding(start: bytes) -> str | None:
    """The encoding that a byte order mark tells; None without one."""
    return next((name for mark, name in _MARKS if start.startswith(mark)), None)


def encoding_for(start: bytes, said: str | None) -> str:
    """The encoding to read with: the one said, else the marked one, else UTF-8. A mark is never read as text.

    Raises:
        ConfigError: no text encoding has the name that was said.
    """
    marked = marked_encoding(start)
    if said is None:
        return marked or "utf-8"
    try:
        name = codecs.lookup(said).name
        "".encode(name)
    except (LookupError, ValueError) as error:
        raise ConfigError(
            f"encoding {said!r} is not known; expected a name such as utf-8, cp1252, latin-1, utf-16, shift_jis"
        ) from error
    return marked if marked and name.startswith(marked.removesuffix("-sig")) else name


def errors_for(encoding: str) -> str:
    """How undecodable bytes are carried into the text, so that the row that holds them can be named."""
    return "surrogatepass" if encoding.startswith(("utf-16", "utf-32")) else "surrogateescape"


def open_bytes(path: Path) -> BinaryIO:
    """The bytes of a file, unpacked where its name ends in .gz."""
    if path.suffix.lower() == ".gz":
        return cast("BinaryIO", io.BufferedReader(cast("io.RawIOBase", gzip.open(path)), 1 << 17))
    return path.open("rb", buffering=1 << 17)


def advice(path: Path) -> str:
    """Where a file stops being UTF-8 and what it may be instead, as the end of a message."""
    at, around = _first_misfit(path)
    if at is None:
        return ""
    found = f" (byte {at} of the file)"
    if _mostly_wide(around):
        return f"{found}; it looks like UTF-16 without a mark; cure: say the encoding, --encoding utf-16-le"
    guesses = _guesses(around)
    if not guesses:
        return f"{found}; cure: say the encoding, --encoding"
    return f"{found}; it may be {' or '.join(guesses)}; cure: say which, such as --encoding {guesses[0]}"


def _first_misfit(path: Path) -> tuple[int | None, bytes]:
    """The offset of the first byte that is not UTF-8, and the bytes around it."""
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
    # Western code pages cannot be told apart by a few accents; the commonest by far is named first.
    accents = len(data) - len(data.translate(None, bytes(range(128, 256))))
    if accents * 3 < len(data) and not set(data) & _NOT_CP1252:
        guesses.insert(0, "cp1252")
    return list(dict.fromkeys(guesses))
