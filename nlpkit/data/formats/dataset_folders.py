"""Folders of rows: a data set saved by `datasets`, files of one format in the order of their names, or what else `datasets` can read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import Any

from nlpkit.data.files import FORMATS, DataFile, format_of
from nlpkit.data.formats.columnar import batch_rows
from nlpkit.data.rows import BadRow, Record, require
from nlpkit.errors import DataError

_METADATA = {"dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "config.json"}
_SPLIT = re.compile(r"(train|test|validation|valid|val|dev|eval)(?![a-z])", re.IGNORECASE)


def is_saved(folder: Path) -> bool:
    """Whether `datasets` saved this folder with save_to_disk."""
    return (folder / "state.json").is_file() or (folder / "dataset_dict.json").is_file()


def files_in(folder: Path, *, format: str | None, encoding: str | None) -> list[DataFile]:
    """The data files of a folder and its subfolders, of one format, in the order of their paths. Empty where it holds none.

    Raises:
        DataError: they are of several formats, or of several splits.
    """
    found = {path: format_of(path) for path in data_files(folder)}
    if format is not None:
        found = {
            path: format
            for path, told in found.items()
            if told == format or told == format.removesuffix("-plain")
        }
    if len(kinds := sorted(set(found.values()))) > 1:
        raise DataError(
            f"{folder}: holds files of several formats ({', '.join(kinds)}); cure: name one file, or say the format"
        )
    splits = {(match[1].lower() if (match := _SPLIT.match(path.name)) else "") for path in found}
    if named := ", ".join(sorted(splits - {""})) if len(splits - {""}) > 1 else "":
        raise DataError(
            f"{folder}: holds several splits ({named}), which must not be mixed; cure: name one file"
        )
    return [
        DataFile(path=path, name=str(path), format=kind, encoding=encoding) for path, kind in found.items()
    ]


def data_files(folder: Path) -> list[Path]:
    """All data files of a folder and its subfolders, in the order of their paths; names that begin with a dot or `_` are none."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if is_data_name(path.relative_to(folder)) and path.is_file()
    ]


def saved_columns(folder: Path) -> list[str]:
    """The column names of a data set saved by `datasets`."""
    return list(_saved(folder).column_names)


def saved_count(folder: Path) -> int:
    """The number of rows of a data set saved by `datasets`."""
    return len(_saved(folder))


def saved_rows(folder: Path, *, columns: Sequence[str]) -> Iterator[Record | BadRow]:
    """The rows of a data set saved by `datasets`, in order."""
    dataset = _saved(folder)
    require(columns, dataset.column_names, file=str(folder))
    try:
        tables = dataset.with_format("arrow").iter(batch_size=1024)
        yield from batch_rows((batch for table in tables for batch in table.to_batches()), file=str(folder))
    except (OSError, ValueError) as error:
        raise DataError(f"{folder}: damaged: {error}; cure: save the data set again") from error


def other_rows(folder: Path, *, columns: Sequence[str]) -> Iterator[Record | BadRow]:
    """The rows of a folder that only `datasets` knows how to read, in order."""
    dataset = _other(folder)
    require(columns, next(iter(dataset), {}), file=str(folder))
    row = 0
    try:
        for row, fields in enumerate(dataset, 1):
            yield Record(fields=fields, file=str(folder), row=row)
    except Exception as error:  # as above
        raise DataError(f"{folder}, after row {row}: cannot be read: {_first_line(error)}") from error


def other_columns(folder: Path) -> list[str]:
    """The column names of a folder that only `datasets` knows how to read."""
    return list(next(iter(_other(folder)), {}))


def is_data_name(path: PurePath) -> bool:
    """Whether a file at this path, relative to the folder it is in, holds rows, as far as names tell."""
    if path.name in _METADATA or any(part.startswith((".", "_")) for part in path.parts):
        return False
    suffixes = {suffix for known in FORMATS.values() for suffix in known}
    suffix = PurePath(path.stem).suffix if path.suffix.lower() == ".gz" else path.suffix
    return suffix.lower() in suffixes


def _saved(folder: Path) -> Any:
    import datasets

    try:
        found = datasets.load_from_disk(str(folder))
    except Exception as error:  # a damaged folder raises nearly anything
        raise DataError(
            f"{folder}: cannot be read as a saved data set: {_first_line(error)}; cure: save it again"
        ) from error
    return _one_split(found, folder) if isinstance(found, dict) else found


def _other(folder: Path) -> Any:
    import datasets

    try:
        found = datasets.load_dataset(str(folder), streaming=True)
    except Exception as error:  # `datasets` lets through what its many readers raise
        raise DataError(f"{folder}: holds no rows that can be read: {_first_line(error)}") from error
    return _one_split(found, folder)


def _one_split(splits: Any, folder: Path) -> Any:
    names = list(splits)
    if len(names) != 1:
        raise DataError(
            f"{folder}: expected one split, found {', '.join(names) or 'none'}; cure: name the folder of one split"
        )
    return splits[names[0]]


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).split("\n")[0][:300]
