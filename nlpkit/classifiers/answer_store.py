"""What a server answered, kept on disk: work that was stopped goes on, and no text is paid for twice.

Texts are not kept, only hashes of what was asked.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path

from nlpkit.errors import RunError
from nlpkit.generation.decision_server import Decision

_TABLE = "CREATE TABLE IF NOT EXISTS answers (question TEXT PRIMARY KEY, answer TEXT NOT NULL) WITHOUT ROWID"

_AT_ONCE = 500
"""Questions of one query."""


class AnswerStore:
    """A file of answers. Several threads and processes may use it at once."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, questions: Sequence[str]) -> dict[str, Decision]:
        """Return the answers that are there, by question."""
        known: dict[str, Decision] = {}
        with self._open() as file:
            for start in range(0, len(questions), _AT_ONCE):
                part = questions[start : start + _AT_ONCE]
                marks = ", ".join("?" * len(part))
                rows = file.execute(f"SELECT question, answer FROM answers WHERE question IN ({marks})", part)  # noqa: S608
                known |= {question: Decision(**json.loads(answer)) for question, answer in rows}
        return known

    def write(self, question: str, decision: Decision) -> None:
        """Keep an answer."""
        with self._open() as file, file:
            file.execute(
                "INSERT OR REPLACE INTO answers VALUES (?, ?)", (question, json.dumps(asdict(decision)))
            )

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self._path, timeout=60)) as file:
                file.execute(_TABLE)
                yield file
        except sqlite3.Error as error:
            raise RunError(
                f"{self._path}: cannot be used: {error}; hint: delete the file, and the server is asked again"
            ) from None
