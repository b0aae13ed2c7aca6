"""Records: rows of a file, each with the place that it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One row: its fields, and the file and the row (counted from 1, the header not counted) it came from."""

    fields: Mapping[str, object]
    file: str
    row: int

    @property
    def where(self) -> str:
        """The place in words, for messages."""
        return f"{self.file}, row {self.row}"
