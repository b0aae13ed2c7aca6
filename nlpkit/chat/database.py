"""The one connection of a process to the store: its reads, its writes, and the removal of what was deleted from every file.

Of SQLite before 3.51.3 it is known that two connections which write or checkpoint a write-ahead log at once can damage it. So a process
has one connection, and all processes open, write, checkpoint and close only while they hold one lock beside the file. What is committed is
on the disk (synchronous = FULL) before anybody is told.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nlpkit.chat.lock import Writers
from nlpkit.chat.schema import clear_errors, make_file, open_database
from nlpkit.errors import DataError


class Database:
    """An open store's tables, for any thread."""

    def __init__(self, path: Path, timeout: float) -> None:
        """Open it.

        Raises:
            DataError: it is locked, read-only, damaged, no store, or was written by a newer nlpkit.
        """
        self.path = path
        make_file(path)
        self._writers = Writers(path, timeout)
        with self._writers.writing():
            self._connection = open_database(path, timeout)
            try:
                with clear_errors(path):
                    if self.rows("SELECT 1 FROM pending"):  # a deletion was cut off
                        self._wipe()
            except BaseException:
                self._connection.close()
                raise

    def close(self) -> None:
        """Let go of the file."""
        with self._writers.writing():
            self._connection.close()

    def rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        """What a statement gives; called inside `reading` or `writing`."""
        return self._connection.execute(sql, values).fetchall()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """All that is read inside is of one moment."""
        with self._writers.threads(), clear_errors(self.path), self._whole("BEGIN"):
            yield

    @contextmanager
    def writing(self) -> Iterator[None]:
        """All that is written inside is on the disk afterwards, or nothing of it."""
        with self._writers.writing(), clear_errors(self.path), self._whole("BEGIN IMMEDIATE"):
            yield

    def erase(self, where: str, *values: object) -> int:
        """How many rows of `chats` were removed, with all that hangs on them; their bytes are then in none of the store's files.

        Raises:
            DataError: another program reads on, so that the bytes will go when the store is next opened.
        """
        with self._writers.writing():
            with self.writing():
                removed = len(self.rows(f"DELETE FROM chats WHERE {where} RETURNING number", *values))  # noqa: S608
                self.rows("INSERT OR IGNORE INTO pending VALUES ('erase')")
            with clear_errors(self.path):
                self._wipe()
        return removed

    def _wipe(self) -> None:
        # The index keeps words of deleted rows until its parts are merged; pages keep cells that have moved until they are written
        # anew; the log keeps pages until it is cut.
        self.rows("INSERT INTO found (found) VALUES ('optimize')")
        self.rows("VACUUM")
        if self.rows("PRAGMA wal_checkpoint(TRUNCATE)")[0][0]:
            found = "deleted, but another program still reads this store, so that its files hold traces until it is next opened"
            raise DataError(f"{self.path}: {found}; cure: close that program")
        self.rows("DELETE FROM pending")

    @contextmanager
    def _whole(self, begin: str) -> Iterator[None]:
        if self._connection.in_transaction:
            yield
            return
        self._connection.execute(begin)
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
