"""The connection of a process to the store: reads, writes, and the removal of deleted data from every file.

In SQLite before 3.51.3, two connections that write or checkpoint a write-ahead log at the same time can
damage it. So each process has one connection, and all processes open, write, checkpoint and close only while
they hold one lock file next to the store. Committed data is on the disk (synchronous = FULL) before a method
returns.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nlpkit.chat.lock import WriteLock
from nlpkit.chat.schema import clear_errors, make_file, open_database
from nlpkit.errors import DataError


class Database:
    """The tables of an open store, for any thread."""

    def __init__(self, path: Path, timeout: float) -> None:
        """Open the store.

        Raises:
            DataError: it is locked, read-only, damaged, no store, or was written by a newer nlpkit.
        """
        self.path = path
        make_file(path)
        self._lock = WriteLock(path, timeout)
        with self._lock.writing():
            self._connection = open_database(path, timeout)
            try:
                with clear_errors(path):
                    if self.rows("SELECT 1 FROM pending"):  # a deletion was interrupted
                        self._wipe()
            except BaseException:
                self._connection.close()
                raise

    def close(self) -> None:
        """Close the file."""
        with self._lock.writing():
            self._connection.close()

    def rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        """Return the rows of a statement; call it inside `reading` or `writing`."""
        return self._connection.execute(sql, values).fetchall()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Open a transaction in which all reads see the same state."""
        with self._lock.threads(), clear_errors(self.path), self._transaction("BEGIN"):
            yield

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Open a transaction; on return all that was written is on the disk, or nothing of it."""
        with self._lock.writing(), clear_errors(self.path), self._transaction("BEGIN IMMEDIATE"):
            yield

    def erase(self, where: str, *values: object, table: str = "chats") -> int:
        """Remove rows of `chats` with all that is theirs, or of `table`, erase their bytes, and count them.

        Raises:
            DataError: another program is still reading, so that the bytes are erased when the store is next
                opened.
        """
        with self._lock.writing():
            with self.writing():
                removed = len(self.rows(f"DELETE FROM {table} WHERE {where} RETURNING 1", *values))  # noqa: S608
                self.rows("INSERT OR IGNORE INTO pending VALUES ('erase')")
            with clear_errors(self.path):
                self._wipe()
        return removed

    def _wipe(self) -> None:
        # The index keeps words of deleted rows until its parts are merged; pages keep cells that have moved
        # until they are rewritten; the log keeps pages until it is truncated
        self.rows("INSERT INTO found (found) VALUES ('optimize')")
        self.rows("VACUUM")
        if self.rows("PRAGMA wal_checkpoint(TRUNCATE)")[0][0]:
            raise DataError(
                f"{self.path}: deleted, but another program still reads this store, so that its files keep "
                "traces until it is next opened; hint: close that program"
            )
        self.rows("DELETE FROM pending")

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
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
