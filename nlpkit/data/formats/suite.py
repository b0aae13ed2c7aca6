"""A suite of sentences in YAML, or a folder of such files: a row for each case that expects a label."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from nlpkit.data.formats.spoken_rows import Tally, header
from nlpkit.data.rows import DataFile, Record, Stream
from nlpkit.data.suite_file import read_suite
from nlpkit.errors import DataError

SUITE = "suite"
LABELED = ("text", "label")

_KEY = re.compile(r"^(tests|words)\s*:", re.MULTILINE)


def fits(start: str) -> bool:
    """Return whether the document has tests or lists of words."""
    return _KEY.search(start) is not None


def fits_folder(folder: Path) -> bool:
    """Return whether a folder holds suites and nothing else."""
    files = [path for path in folder.iterdir() if not path.name.startswith((".", "_"))]
    return bool(files) and all(
        path.suffix == ".yaml" and path.is_file() and fits(path.read_text(encoding="utf-8", errors="replace"))
        for path in files
    )


def stream(file: DataFile, columns: Collection[str]) -> Stream:
    """Yield the header, then the row of each case, with the first label that is expected of it."""
    yield header(file, columns, LABELED)
    if file.path is None:
        raise DataError(f"{file.name}: a suite is read from a file; hint: name it in place of -")
    tally = Tally(file)
    for number, case in enumerate(read_suite(file.path), 1):
        if case.expect:
            yield Record(fields={"text": case.text, "label": case.expect[0]}, file=file.name, row=number)
        else:
            tally.add("cases that compare two answers, and have no label")
    yield from tally.left_out()
