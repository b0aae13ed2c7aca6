"""What each rater answered: a journal per rater next to the file, with a line for each answer."""

from __future__ import annotations

import datetime
import json
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from nlpkit.data.near import normalized
from nlpkit.errors import ConfigError, DataError
from nlpkit.files import only_writer, refuse_path
from nlpkit.scoring.json_values import json_text

Act: TypeAlias = Literal["label", "skip", "undo", "again"]
"""`undo` takes the last label or skip back; `again` asks about the skipped texts once more."""
RATER = re.compile(r"[A-Za-z0-9._@-]{1,64}")


@dataclass(frozen=True, kw_only=True)
class Journal:
    """The answers of one rater to the texts of one file."""

    path: Path
    rater: str

    def answers(self) -> dict[str, str | None]:
        """Return the label of each text, by its normalized words, in the order of the answers.

        None marks a skipped text.

        Raises:
            DataError: a line is damaged.
        """
        given: dict[str, str | None] = {}
        for number, line in enumerate(_whole_lines(self.path), 1):
            try:
                entry = json.loads(line)
                act, key = entry["act"], normalized(str(entry.get("text", "")))
                label = str(entry["label"]) if act == "label" else None
            except (ValueError, TypeError, KeyError, AttributeError):
                raise DataError(
                    f"{self.path}, line {number}: is no answer of a rater; hint: remove the line"
                ) from None
            if act == "undo":
                given.popitem() if given else None
            elif act == "again":
                given = {key: label for key, label in given.items() if label is not None}
            else:
                given.pop(key, None)
                given[key] = label
        return given

    def labels(self) -> dict[str, str]:
        """Return the answers without the skipped texts."""
        return {key: label for key, label in self.answers().items() if label is not None}

    def write(self, act: Act, text: str = "", label: str = "") -> None:
        """Append an answer; when this returns, it is on the disk.

        Raises:
            DataError: it cannot be written, and the journal is as it was.
        """
        at = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        entry = {"at": at, "rater": self.rater, "act": act, "text": text, "label": label}
        line = (json_text(entry) + "\n").encode()
        try:
            # Another page of the same rater may write too
            with only_writer(self.path, self.path.with_name(f".{self.path.name}.lock"), wait=10):
                _append(self.path, line)
        except OSError as error:
            raise DataError(
                f"{self.path}: cannot be written: {error.strerror}; nothing was saved; "
                "hint: make its folder writable, and free space on the disk"
            ) from None


def journal_of(file: Path | str, rater: str) -> Journal:
    """Return the journal of a rater, which may be yet to begin.

    Raises:
        ConfigError: the name is invalid, or another rater's but for case.
    """
    if not RATER.fullmatch(rater):
        raise ConfigError(f"rater {rater!r:.80}: expected 1 to 64 letters, digits and . _ @ -")
    for journal in journals_of(file):
        # Some file systems take both for one file
        if journal.rater != rater and journal.rater.casefold() == rater.casefold():
            raise ConfigError(
                f"rater {rater!r}: {journal.rater!r} labels this file; hint: --rater {journal.rater}"
            )
    path = Path(file).with_name(f"{Path(file).name}.labels-{rater}.jsonl")
    refuse_path(path, {}, hint="--rater with another name")
    return Journal(path=path, rater=rater)


def journals_of(file: Path | str) -> list[Journal]:
    """Return the journals next to a file, in the order of the raters' names."""
    name = re.compile(rf"{re.escape(Path(file).name)}\.labels-({RATER.pattern})\.jsonl")
    paths = sorted(Path(file).parent.iterdir()) if Path(file).is_file() else []
    return [Journal(path=path, rater=match[1]) for path in paths if (match := name.fullmatch(path.name))]


def merged(journals: Iterable[Journal]) -> dict[str, tuple[str, ...]]:
    """Return the labels of each text, by its normalized words, one of each rater who labeled it."""
    labels: dict[str, tuple[str, ...]] = {}
    for journal in journals:
        for key, label in journal.labels().items():
            labels[key] = (*labels.get(key, ()), label)
    return labels


def _whole_lines(path: Path) -> list[str]:
    """Return the lines of a file; one that a kill cut short has no end, and was never confirmed."""
    try:
        return path.read_bytes().decode("utf-8", "surrogateescape").split("\n")[:-1]
    except FileNotFoundError:
        return []


def _append(path: Path, line: bytes) -> None:
    with path.open("a+b", buffering=0) as stream:
        stream.seek(0)
        if not (held := stream.read()).endswith(b"\n"):
            stream.truncate(held.rfind(b"\n") + 1)  # what a kill or a full disk cut short
        size, left = stream.seek(0, os.SEEK_END), memoryview(line)
        try:
            while left:
                left = left[stream.write(left) :]
            os.fsync(stream.fileno())
        except OSError:
            with suppress(OSError):
                stream.truncate(size)
            raise
