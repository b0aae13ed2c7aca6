"""Which format a file is of: found by what it begins with where that is certain, else by its name."""

from __future__ import annotations

from os.path import isdir  # unlike Path.is_dir, also answers for names that no file can have
from pathlib import Path

from nlpkit.data.formats.conversation_exports import UNREAD
from nlpkit.data.readers import ENDINGS, READERS
from nlpkit.errors import DataError


def format_of(path: Path, start: str = "") -> str:
    """Return the format that a file or a folder is certainly of by what it holds, else the one that its name
    stands for; `folder` for other folders.

    Args:
        path: it need not be there.
        start: the text that it begins with, as far as that is known.

    Raises:
        DataError: neither shows the format.
    """
    if isdir(path):
        fits = (reader.name for reader in READERS.values() if reader.fits_folder and reader.fits_folder(path))
        return next(fits, "folder")
    packed, suffix = path.suffix.lower() == ".gz", suffix_of(path)
    by_name = READERS.get(ENDINGS.get(suffix, ""))
    for reader in READERS.values():
        if suffix in reader.found_in and reader.fits(start):
            return reader.name
    if by_name is None:
        raise DataError(f"{path}: {_unknown(suffix, start)}")
    if packed and not by_name.is_text:
        raise DataError(
            f"{path}: a {by_name.name} file compresses its own columns; hint: unpack it with gunzip"
        )
    return by_name.name


def split_format(format: str) -> tuple[str, str | None]:
    """Split a format such as `xlsx:2026` into its name and the sheet of a workbook, where it names one."""
    name, mark, sheet = format.partition(":")
    return (name, sheet) if mark and name in READERS and READERS[name].has_sheets else (format, None)


def suffix_of(path: Path) -> str:
    """Return the ending of a name, without .gz."""
    return (Path(path.stem) if path.suffix.lower() == ".gz" else path).suffix.lower()


def _unknown(suffix: str, start: str) -> str:
    """Say that neither a name nor what a file begins with shows its format, and what it may be."""
    for unread in UNREAD:
        if suffix in unread.endings and unread.fits(start):
            return unread.reason
    line = start.partition("\n")[0]
    likely = next((reader.name for reader in READERS.values() if line and reader.looks_like(line)), "csv")
    ending = f"the ending {suffix!r}" if suffix else "a name without an ending"
    known = ", ".join([*ENDINGS, "the text ones also with .gz"])
    return f"{ending} does not show the format; expected {known}; hint: say it, as with --format {likely}"
