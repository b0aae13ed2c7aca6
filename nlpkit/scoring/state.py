"""What of a scoring is done and safe on disk, and whether it can go on."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError

from nlpkit.data.text_language import added
from nlpkit.errors import DataError, RunError

STATE = "state.json"


class InputDigest(BaseModel):
    """An input file as it was when it was read."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    sha256: str
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path) -> InputDigest:
        """Hash the file as it is now."""
        status = path.stat()
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return cls(sha256=digest, size=status.st_size, mtime_ns=status.st_mtime_ns)

    def still(self, path: Path) -> bool:
        """Find out whether the file holds what it held; it is read again only where its size or time has
        changed.
        """
        status = path.stat()
        return (status.st_size, status.st_mtime_ns) == (self.size, self.mtime_ns) or InputDigest.of(
            path
        ).sha256 == self.sha256


class State(BaseModel):
    """How far a scoring has come. What lies behind these sizes in the files was being written when it was cut
    off.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    source: InputDigest | None
    """None for standard input, which cannot be read again."""
    settings: Mapping[str, str]
    """All else that decides a byte of the output, but for the budget, which is found when the work begins."""
    budget: int | None = None
    """The tokens that are computed together, where the model has such a number."""
    read: int = 0
    """Records that the reader has given."""
    rows: int = 0
    """Rows that were scored."""
    more: int = 0
    """Rows of the output beyond one a row that was scored."""
    rejected: int = 0
    partly_read: int = 0
    """Texts that were too long to be read whole."""
    abstained: int = 0
    """Texts that the model gave no label, as it was not certain enough."""
    guarded: int = 0
    """Cells with an apostrophe before what a spreadsheet would run."""
    unreadable: Mapping[str, int] = {}
    """Texts that are mostly unknown to the model's tokenizer, by their script."""
    size: int = 0
    """Bytes of the partial output."""
    rejects_size: int = 0
    sealed: str | None = None
    """The name of the file that holds the whole output, once it does; it is then moved into place."""

    def save(self, folder: Path, name: str = STATE) -> None:
        """Replace the state before, completely or not at all."""
        fresh = folder / f"{name}.new"
        with fresh.open("w", encoding="utf-8") as file:
            file.write(self.model_dump_json(indent=2))
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, folder / name)

    def refuse_other(self, now: State, target: Path) -> None:
        """Refuse to go on where what was begun is not what is asked for now.

        Raises:
            DataError: the input's content has changed.
            RunError: the model or the settings have changed.
        """
        hint = "hint: score it from the start with --overwrite, or name another output"
        if self.source and now.source and self.source.sha256 != now.source.sha256:
            raise DataError(
                f"{target}: {self.rows:,} rows are done, but the content of the input has changed since "
                f"({self.source.size:,} bytes then, {now.source.size:,} now); {hint}"
            )
        changed = [
            f"{name} ({self.settings.get(name, 'none')} then, {now.settings.get(name, 'none')} now)"
            for name in dict.fromkeys([*self.settings, *now.settings])
            if self.settings.get(name) != now.settings.get(name)
        ]
        if changed:
            raise RunError(
                f"{target}: {self.rows:,} rows are done, but with other settings: "
                f"{', '.join(changed)}; {hint}"
            )


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """The outcome of some rows: the bytes they add, and how many they were."""

    data: bytes
    rejects: bytes
    read: int
    rows: int
    more: int
    rejected: int
    partly_read: int
    abstained: int
    guarded: int
    unreadable: Mapping[str, int]

    def after(self, before: State) -> State:
        """Return the state once this chunk is done too."""
        return before.model_copy(
            update={
                "read": before.read + self.read,
                "rows": before.rows + self.rows,
                "more": before.more + self.more,
                "rejected": before.rejected + self.rejected,
                "partly_read": before.partly_read + self.partly_read,
                "abstained": before.abstained + self.abstained,
                "guarded": before.guarded + self.guarded,
                "unreadable": added(before.unreadable, self.unreadable),
                "size": before.size + len(self.data),
                "rejects_size": before.rejects_size + len(self.rejects),
            }
        )


def load(folder: Path, name: str = STATE) -> State | None:
    """Read the state in a folder; None where nothing was begun that can go on.

    Raises:
        DataError: there is a state, but it was damaged.
    """
    path = folder / name
    try:
        state = State.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (ValidationError, OSError) as error:
        raise DataError(
            f"{path}: cannot be read as the state of a scoring; hint: start again with --overwrite"
        ) from error
    return state if state.source else None


def begun_with(folder: Path, record: Path | None = None) -> str | None:
    """Return the fingerprint of the model that began what goes on in a folder, or made what has a record.

    None where there is neither, or it was damaged: that is refused when its turn comes.
    """
    try:
        state = load(folder) or (load(record.parent, record.name) if record else None)
    except DataError:
        return None
    return state.settings.get("model") if state else None


def finished(folder: Path) -> bool:
    """Find out whether the output was moved into place and this folder is all that is left to remove."""
    state = load(folder)
    return bool(state and state.sealed and not (folder / state.sealed).exists())
