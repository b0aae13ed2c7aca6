"""Where a scoring writes: the output's path and format, checked before a model is loaded."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from nlpkit.data.file_format import suffix_of
from nlpkit.data.opened_file import OpenedFile
from nlpkit.data.readers import ENDINGS
from nlpkit.errors import ConfigError, nearest
from nlpkit.files import refuse_path
from nlpkit.scoring.labeling_writers import ARRAYS, TASKS
from nlpkit.scoring.options import ScoreOptions
from nlpkit.scoring.state import STATE, finished

WRITTEN = ("csv", "tsv", "jsonl", "parquet", "arrow", *TASKS)

STREAM = "-"
"""Stands for standard input or standard output."""

UNFINISHED = ".nlpkit"
"""Ends the name of the folder of unfinished work on an output."""

STDIN, STDOUT = 0, 1
"""Their numbers, by which a file that a shell redirects to them is recognized."""

_STREAMED = {"csv": "csv", "tsv": "tsv", "tsv-plain": "tsv", "csv-no-header": "csv", "tsv-no-header": "tsv"}
"""Format of the input -> format of standard output; JSON Lines for all others."""


@dataclass(frozen=True, kw_only=True)
class Output:
    """An output that can be written."""

    path: Path | None
    """None is standard output."""
    format: str
    compress: bool = False
    """Whether it is gzip-compressed."""
    rejects: Path | None = None
    """Where rejected rows go."""
    record: Path | None = None
    """Where it is kept how the output was made."""

    @property
    def folder(self) -> Path:
        """Where unfinished work on the output is kept."""
        if self.path is None:
            raise ConfigError("standard output has no folder for unfinished work; expected an output file")
        return unfinished(self.path)

    @property
    def is_recorded(self) -> bool:
        """Whether the output is there with its record, and no work on it is unfinished."""
        recorded = self.record is not None and self.record.exists()
        finished = self.path is not None and self.path.exists()
        return recorded and finished and not (self.folder / STATE).exists()


def plan_output(source: OpenedFile, target: Path | str, options: ScoreOptions) -> Output:
    """Check an output and find its format: takes milliseconds and changes nothing.

    Args:
        source: what is scored.
        target: a file, or "-" for standard output.
        options: an output that has a record may be there already.

    Raises:
        ConfigError: the output's path or format is invalid, or it exists.
    """
    path = None if str(target) == STREAM else Path(target)
    rejects = options.rejects or (_next_to(path, ".rejects.jsonl") if path else None)
    if rejects is None and options.skips_bad_rows:
        raise ConfigError(
            "skipped rows need a file of their own where the output is standard output; "
            "hint: name it, as with --rejects bad.jsonl"
        )
    output = Output(
        path=path,
        format=_format(path, options.output_format, source.file.format),
        compress=path is not None and path.name.endswith(".gz"),
        rejects=rejects,
        record=options.record,
    )
    _check_paths(source.path, output)
    refuse_existing(output, overwrite=options.overwrite)
    return output


def unfinished(target: Path) -> Path:
    """Return the folder of unfinished work on an output."""
    return _next_to(target, UNFINISHED)


def _next_to(target: Path, ending: str) -> Path:
    return target.with_name(target.name + ending)


def _format(target: Path | None, asked: str | None, read_as: str) -> str:
    if asked is None and target is None:
        return _STREAMED.get(read_as, "jsonl")
    name = asked or _format_by_name(target)
    if name not in WRITTEN:
        excel = "; hint: write CSV, which Excel opens, as with -o scored.csv"
        raise ConfigError(
            f"output format {name!r} cannot be written{excel if 'xls' in name else nearest(name, WRITTEN)}"
        )
    if name in ("parquet", "arrow", *ARRAYS) and target is None:
        ending = "json" if name in ARRAYS else name
        raise ConfigError(
            f"standard output cannot be {name}, which is complete only at the end; "
            f"expected csv, tsv or jsonl; hint: name a file, as with -o scored.{ending}"
        )
    if name in TASKS and target is not None and target.name.endswith(".gz"):
        raise ConfigError(f"{target}: {name} reads no packed files; hint: name one without .gz")
    if name in ("parquet", "arrow") and target is not None and target.name.endswith(".gz"):
        raise ConfigError(f"{target}: a {name} file compresses its own columns; expected a name without .gz")
    return name


def _format_by_name(target: Path | None) -> str:
    name = ENDINGS.get(suffix_of(target)) if target else None
    if name is None:
        raise ConfigError(
            f"{target}: its name does not show a format; expected .csv, .tsv, .jsonl (also with .gz), "
            ".parquet or .arrow; hint: say it, --output-format"
        )
    return "jsonl" if name == "json" else name  # rows are written one by one


def _check_paths(source: Path | None, planned: Output) -> None:
    """Refuse a path to write that is the input, another path to write, or no regular file.

    Every path that a scoring writes passes here, before anything is written.
    """
    output, rejects, record = planned.path, planned.rejects, planned.record
    taken: dict[str, Path | int] = {"the input": STDIN if source is None else source}
    if output is not None:
        refuse_path(
            output, taken, hint="name another file, as with -o scored.csv, or -o - for standard output"
        )
        if not output.parent.is_dir():
            raise ConfigError(
                f"{output.parent}: not found; "
                f"expected the folder that {output.name} is written to; hint: mkdir {output.parent}"
            )
    taken["the output"] = STDOUT if output is None else output
    for path in (rejects, record):
        if path is not None:
            refuse_path(path, taken, hint="name another file, as with --rejects bad.jsonl")
            if output is not None and path.absolute().is_relative_to(_next_to(output, UNFINISHED).absolute()):
                raise ConfigError(
                    f"{path}: lies in the folder of unfinished work, which is deleted; "
                    "hint: name another file, as with --rejects bad.jsonl"
                )
            taken["written already"] = path
    paths = [path for path in (output, rejects, record) if path is not None]
    for folder in {_existing_folder(path) for path in paths}:
        _try_to_write(folder)


def _existing_folder(path: Path) -> Path:
    """Return the nearest folder above a path that exists: those between are created."""
    return next(folder for folder in path.absolute().parents if folder.exists())


def refuse_existing(output: Output, *, overwrite: bool) -> None:
    """Refuse an output, or its rejects, that exist and were not made by the unfinished work next to them.

    Raises:
        ConfigError: one of them exists.
    """
    if overwrite:
        return
    if output.record is not None and output.record.exists():
        return  # What is there is ours; whether it is what is asked for is seen where the model is known.
    # A run that was killed in its last moment leaves the output in place and only its folder to be removed:
    # no obstacle.
    if output.path is not None and output.path.exists() and not finished(output.folder):
        raise ConfigError(
            f"{output.path}: exists already; hint: replace it with --overwrite, or name another file"
        )
    ours = output.path is not None and (output.folder / STATE).exists()
    if output.rejects is not None and output.rejects.exists() and not ours:
        raise ConfigError(
            f"{output.rejects}: exists already, from an earlier scoring; "
            "hint: replace it with --overwrite, or move it"
        )


def _try_to_write(folder: Path) -> None:
    # Asking for permissions is not enough: root has them all, and a file system may be mounted read-only.
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigError(
            f"{folder}: cannot be written to ({error.strerror}); expected a folder that takes the output"
        ) from error
