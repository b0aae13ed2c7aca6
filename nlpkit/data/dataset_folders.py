"""Folders of rows: a data set saved by `datasets`, files of one format in the order of their names, or what
else `datasets` can read.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from nlpkit.data.file_format import split_format, suffix_of
from nlpkit.data.formats import labeling_tools
from nlpkit.data.formats.columnar import batch_rows
from nlpkit.data.opened_file import find_file, header_of, rows_of
from nlpkit.data.readers import ENDINGS, READERS
from nlpkit.data.rows import BadRow, DataFile, Record, Row, require
from nlpkit.errors import DataError

_METADATA = {"dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "config.json"}
_SPLIT = re.compile(r"(train|test|validation|valid|val|dev|eval)(?![a-z])", re.IGNORECASE)


def rows_in(
    folder: Path, *, format: str | None, encoding: str | None, columns: Collection[str]
) -> Iterator[Row]:
    """Yield the rows of a folder, good and bad, in order.

    Raises:
        DataError: the folder cannot be read, lacks a column, or its files do not fit together.
    """
    if _is_saved(folder):
        yield from _saved_rows(folder, columns=columns)
    elif files := _files_in(folder, format=format, encoding=encoding):
        _refuse_other_columns(files)
        for file in files:
            yield from rows_of(file, columns=columns)
    else:
        yield from _other_rows(folder, columns=columns)


def columns_in(folder: Path, *, format: str | None, encoding: str | None) -> list[str]:
    """List the column names of a folder's rows."""
    if _is_saved(folder):
        return list(_saved(folder).column_names)
    if files := _files_in(folder, format=format, encoding=encoding):
        return list(header_of(files[0]).columns)
    return list(next(iter(_other(folder)), {}))


def count_in(folder: Path, *, format: str | None) -> int | None:
    """Count the rows of a folder, exactly or by estimate; None where only reading shows it."""
    if _is_saved(folder):
        return len(_saved(folder))
    counts = [READERS[file.format].count(file) for file in _files_in(folder, format=format, encoding=None)]
    known = [count for count in counts if count is not None]
    return sum(known) if counts and len(known) == len(counts) else None


def data_files(folder: Path) -> list[Path]:
    """List the data files of a folder and its subfolders, in the order of their paths.

    Names that begin with a dot or `_` are none.
    """
    return [
        path
        for path in sorted(folder.rglob("*"))
        if is_data_name(path.relative_to(folder)) and path.is_file()
    ]


def is_data_name(path: PurePath) -> bool:
    """Find out whether a file at this path, relative to the folder it is in, holds rows, as far as names
    show.
    """
    if path.name in _METADATA or any(part.startswith((".", "_")) for part in path.parts):
        return False
    suffix = PurePath(path.stem).suffix if path.suffix.lower() == ".gz" else path.suffix
    return suffix.lower() in ENDINGS


def _is_saved(folder: Path) -> bool:
    """Find out whether `datasets` saved this folder with save_to_disk."""
    return (folder / "state.json").is_file() or (folder / "dataset_dict.json").is_file()


def _files_in(folder: Path, *, format: str | None, encoding: str | None) -> list[DataFile]:
    """List the data files of a folder, of one format, in the order of their paths; empty where it holds none.

    Raises:
        DataError: they are of several formats, or of several splits.
    """
    files = [find_file(path, encoding=encoding) for path in data_files(folder)]
    format, sheet = (None, None) if format is None else split_format(format)
    if format is not None:
        files = [replace(file, format=format, sheet=sheet) for file in files if _may_be(file, format)]
    if len(kinds := sorted({file.format for file in files})) > 1:
        raise DataError(
            f"{folder}: holds files of several formats ({', '.join(kinds)}); "
            "hint: name one file, or say the format"
        )
    names = (file.path.name for file in files if file.path)
    splits = {match[1].lower() for name in names if (match := _SPLIT.match(name))}
    if len(splits) > 1:
        raise DataError(
            f"{folder}: holds several splits ({', '.join(sorted(splits))}), which must not be mixed; "
            "hint: name one file"
        )
    return files


def _may_be(file: DataFile, format: str) -> bool:
    """Find out whether a file may be of the format that the user names."""
    path = Path(file.name)
    by_name = format.removesuffix("-plain").removesuffix("-no-header")
    return (
        file.format == format
        or ENDINGS.get(suffix_of(path)) == by_name
        or (format in labeling_tools.FORMATS and suffix_of(path) in READERS[format].found_in)
    )


def _refuse_other_columns(files: Sequence[DataFile]) -> None:
    """Refuse files whose columns differ; keys of JSON Lines may differ from row to row."""
    first = header_of(files[0]).columns
    for file in files[1:]:
        if READERS[file.format].is_regular and (columns := header_of(file).columns) != first:
            raise DataError(
                f"{file.name}: expected the columns of {files[0].name} ({', '.join(first)}), "
                f"found {', '.join(columns)}"
            )


def _saved_rows(folder: Path, *, columns: Collection[str]) -> Iterator[Record | BadRow]:
    """Yield the rows of a data set saved by `datasets`, in order."""
    dataset = _saved(folder)
    require(columns, dataset.column_names, file=str(folder))
    try:
        tables = dataset.with_format("arrow").iter(batch_size=1024)
        yield from batch_rows((batch for table in tables for batch in table.to_batches()), file=str(folder))
    except (OSError, ValueError) as error:
        raise DataError(f"{folder}: damaged: {error}; hint: save the data set again") from error


def _other_rows(folder: Path, *, columns: Collection[str]) -> Iterator[Record | BadRow]:
    """Yield the rows of a folder that only `datasets` knows how to read, in order."""
    dataset = _other(folder)
    require(columns, next(iter(dataset), {}), file=str(folder))
    row = 0
    try:
        for row, fields in enumerate(dataset, 1):
            yield Record(fields=fields, file=str(folder), row=row)
    except Exception as error:  # `datasets` lets through what its many readers raise
        raise DataError(f"{folder}, after row {row}: cannot be read: {_first_line(error)}") from error


def _saved(folder: Path) -> Any:
    import datasets

    try:
        dataset = datasets.load_from_disk(str(folder))
    except Exception as error:  # a damaged folder raises nearly anything
        raise DataError(
            f"{folder}: cannot be read as a saved data set: {_first_line(error)}; hint: save it again"
        ) from error
    return _one_split(dataset, folder) if isinstance(dataset, dict) else dataset


def _other(folder: Path) -> Any:
    import datasets

    try:
        splits = datasets.load_dataset(str(folder), streaming=True)
    except Exception as error:  # `datasets` lets through what its many readers raise
        raise DataError(f"{folder}: holds no rows that can be read: {_first_line(error)}") from error
    return _one_split(splits, folder)


def _one_split(splits: Any, folder: Path) -> Any:
    names = list(splits)
    if len(names) != 1:
        raise DataError(
            f"{folder}: expected one split, found {', '.join(names) or 'none'}; "
            "hint: name the folder of one split"
        )
    return splits[names[0]]


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).split("\n")[0][:300]
