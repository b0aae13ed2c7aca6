"""How a file is scored: all that a user can choose, but for the file and the model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

OnError = Literal["stop", "skip"]

RowPer = Literal["text", "opinion"]

CHUNK_ROWS = 2048
"""Rows that are scored and made safe together: some seconds of work on a CPU, and enough to sort texts by
length.
"""


@dataclass(frozen=True, kw_only=True)
class ScoreOptions:
    """The options of `score_file`."""

    text: str = "text"
    """The column that holds the text."""
    conversation: str | None = None
    """The column that tells conversations apart, for a model that reads turns; None is `conversation`."""
    speaker: str | None = None
    """The column of who speaks, for a model that reads turns; None is `speaker`."""
    aspect: str | None = None
    """The column of the aspect, for a model that is asked about one; None is `aspect`."""
    image: str | None = None
    """The column of the picture, for a model that reads pictures; None is `image`."""
    by: str | None = None
    """The column of the group that a row's promise is about, for a model with a promise for each group."""
    format: str | None = None
    """csv, tsv, tsv-plain, jsonl, parquet or arrow; None where the input's name shows it."""
    output_format: str | None = None
    """Likewise for the output."""
    encoding: str | None = None
    """The input's text encoding; None for UTF-8 or what its byte order mark stands for."""
    on_error: OnError = "stop"
    """Whether the first bad row ends the scoring, or bad rows go to a file of their own."""
    rejects: Path | None = None
    """That file (for a folder, a folder); None puts it next to the output."""
    record: Path | None = None
    """A file that keeps how the output was made, so that an output made so already is not made again."""
    overwrite: bool = False
    """Whether an output that exists is replaced, and unfinished work that cannot go on is dropped."""
    raw_csv: bool = False
    """Whether CSV cells that a spreadsheet would run as formulas are left as they are."""
    prefix: str = ""
    """Put before the names of the new columns."""
    row_per: RowPer = "text"
    """Whether the output has one row a text, or one an opinion that was found in it."""
    chunk_rows: int = CHUNK_ROWS
    """Rows that are computed and made safe together."""

    @property
    def columns(self) -> dict[str, str]:
        """The columns that every file must have, with the option that names each."""
        return {self.text: "text", **({self.by: "by"} if self.by else {})}

    @property
    def skips_bad_rows(self) -> bool:
        """Whether bad rows are collected; else the first one is an error."""
        return self.on_error == "skip"
