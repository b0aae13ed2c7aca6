"""What can be said of an input and an output before a model is loaded."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nlpkit.data.files import data_file, exists
from nlpkit.data.records import format_of, read_records
from nlpkit.errors import ConfigError, DataError, nearest
from nlpkit.scoring.state import STATE, finished

OnError = Literal["stop", "skip"]

WRITTEN = ("csv", "tsv", "jsonl", "parquet", "arrow")

STREAM = "-"
"""Stands for standard input or standard output."""


@dataclass(frozen=True, kw_only=True)
class Paths:
    """An input and an output that were found to be usable."""

    source: Path | None
    """None is standard input."""
    target: Path | None
    """None is standard output."""
    format: str
    output_format: str
    compress: bool
    """Whether the output is gzip-compressed."""

    rejects: Path | None
    """Where rejected rows go."""
    record: Path | None = None
    """Where it is kept how the output was made, for whoever asks for it again."""

    @property
    def folder(self) -> Path:
        """Where unfinished work on the output is kept."""
        if self.target is None:
            raise ConfigError("standard output has no place beside it; expected an output file")
        return _beside(self.target, ".nlpkit")


def _beside(target: Path, ending: str) -> Path:
    return target.with_name(target.name + ending)


def check_paths(
    source: Path | str,
    target: Path | str,
    *,
    text_column: str = "text",
    format: str | None = None,
    output_format: str | None = None,
    encoding: str | None = None,
    on_error: OnError = "stop",
    rejects: Path | None = None,
    record: Path | None = None,
    overwrite: bool = False,
) -> Paths:
    """The paths and formats of a scoring, checked as far as can be without a model: takes milliseconds and changes nothing.

    Args:
        source: a file, or "-" for standard input.
        target: a file, or "-" for standard output.
        text_column: looked for in the first row of a file.
        format: the input's format, where its name does not say it.
        output_format: the output's, likewise.
        encoding: the input's text encoding, where it is not UTF-8.
        on_error: whether a bad row stops the scoring or is skipped.
        rejects: where skipped rows go; next to the output unless said.
        record: where it is kept how the output was made. An output that has a record may be there already.
        overwrite: whether an output that exists may be replaced.

    Raises:
        ConfigError: the output's path or a format cannot be meant.
        DataError: the input is not there, cannot be read, or has no such column.
    """
    here = None if str(source) == STREAM else Path(source)
    there = None if str(target) == STREAM else Path(target)
    if here is not None:
        _check_source(here)
    read_as = data_file(source, format=format, encoding=encoding).format
    if there is not None:
        _check_target(here, there)
    written_as, compress = _target_format(there, output_format, read_as)
    if rejects is None and there is not None:
        rejects = _beside(there, ".rejects.jsonl")
    if rejects is None and on_error == "skip":
        raise ConfigError(
            "rows that are skipped need a place beside standard output; cure: say it, as with --rejects bad.jsonl"
        )
    paths = Paths(
        source=here,
        target=there,
        format=read_as,
        output_format=written_as,
        compress=compress,
        rejects=rejects,
        record=record,
    )
    refuse_existing(paths, overwrite=overwrite)
    if here is not None:
        # The reader itself says what is wrong with the first row; bad rows after it are met, and counted, while scoring.
        first = read_records(
            here, format=read_as, encoding=encoding, columns=(text_column,), on_bad=lambda bad: None
        )
        next(iter(first), None)
    return paths


def _target_format(target: Path | None, said: str | None, read_as: str) -> tuple[str, bool]:
    compress = target is not None and target.name.endswith(".gz")
    if said is None and target is None:
        return {"csv": "csv", "tsv": "tsv", "tsv-plain": "tsv"}.get(read_as, "jsonl"), False
    name = said or _told(target)
    if name not in WRITTEN:
        raise ConfigError(
            f"output format {name!r} is not known{nearest(name, WRITTEN)}; expected one of {', '.join(WRITTEN)}"
        )
    if name in ("parquet", "arrow") and target is None:
        raise ConfigError(
            f"standard output cannot be {name}, which is written whole; expected csv, tsv or jsonl; cure: name a file"
        )
    if name in ("parquet", "arrow") and compress:
        raise ConfigError(f"{target}: a {name} file compresses its own columns; expected a name without .gz")
    return name, compress


def _told(target: Path | None) -> str:
    try:
        return format_of(target or STREAM)
    except DataError as error:
        raise ConfigError(
            f"{target}: its name does not tell a format; expected .csv, .tsv, .jsonl (also with .gz), .parquet or .arrow; "
            "cure: say it, --output-format"
        ) from error


def _check_source(source: Path) -> None:
    exists(source)
    if source.is_dir():
        raise DataError(f"{source}: is a folder; expected a file to score")
    if not source.is_file():
        raise DataError(
            f"{source}: is not a regular file, and can be read only once; cure: pipe it in, and give - as the input"
        )


def _check_target(source: Path | None, target: Path) -> None:
    if target.is_symlink():
        raise ConfigError(
            f"{target}: is a symbolic link; expected a plain file; cure: name the file it points to: {target.resolve()}"
        )
    if target.is_dir():
        raise ConfigError(f"{target}: is a folder; expected a file to write")
    if target.exists() and not target.is_file():
        raise ConfigError(
            f"{target}: is not a regular file; cure: write to standard output instead, as with -o - > {target}"
        )
    if not target.parent.is_dir():
        raise ConfigError(f"{target.parent}: not found; expected the folder that {target.name} is written to")
    if source is not None and target.exists() and target.samefile(source):
        raise ConfigError(f"{target}: is the input; expected another file to write")
    _probe(target.parent)


def refuse_existing(paths: Paths, *, overwrite: bool) -> None:
    """Raise where the output, or its rejects, exist and were not made by the unfinished work beside them.

    Raises:
        ConfigError: one of them exists.
    """
    if overwrite:
        return
    if paths.record is not None and paths.record.exists():
        return  # What is there is ours; whether it is what is asked for is seen where the model is known.
    # A run that was killed in its last moment leaves the output in place and only its folder to be removed: that is no obstacle.
    if paths.target is not None and paths.target.exists() and not finished(paths.folder):
        raise ConfigError(
            f"{paths.target}: exists already; cure: replace it with --overwrite, or name another file"
        )
    ours = paths.target is not None and (paths.folder / STATE).exists()
    if paths.rejects is not None and paths.rejects.exists() and not ours:
        raise ConfigError(
            f"{paths.rejects}: exists already, from an earlier scoring; cure: replace it with --overwrite, or move it"
        )


def _probe(folder: Path) -> None:
    # Asking for permissions is not enough: root has them all, and a file system may be mounted read-only.
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigError(
            f"{folder}: cannot be written to ({error.strerror}); expected a folder that takes the output"
        ) from error
