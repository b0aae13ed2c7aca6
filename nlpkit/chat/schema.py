"""The file that conversations are kept in: opened safely, brought up to date, and refused where it is not ours to write.

* make_file
* open_database
  x _refuse_other     a folder, another program's file, a newer version, a damaged file: one message, nothing overwritten
  x MIGRATIONS        from each version to the next, in one transaction each
* clear_errors        what SQLite says, in words that name the file and the cure
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nlpkit.errors import DataError

APPLICATION = 0x6E6C706B
"""`nlpk`, in the file's header: whose file it is."""

_MAGIC = b"SQLite format 3\0"

_FIRST = (
    """CREATE TABLE chats (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        owner TEXT NOT NULL,
        title TEXT NOT NULL,
        system TEXT NOT NULL,
        run TEXT NOT NULL,
        settings TEXT NOT NULL,
        head INTEGER,
        created REAL NOT NULL,
        updated REAL NOT NULL
    )""",
    "CREATE INDEX chats_of_owner ON chats (owner, updated)",
    """CREATE TABLE messages (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        chat INTEGER NOT NULL REFERENCES chats ON DELETE CASCADE,
        parent INTEGER REFERENCES messages,
        role TEXT NOT NULL CHECK (role IN ('user', 'assistant')),
        text TEXT NOT NULL CHECK (text <> ''),
        created REAL NOT NULL,
        system TEXT NOT NULL DEFAULT '',
        bot TEXT NOT NULL DEFAULT '',
        finish TEXT NOT NULL DEFAULT '',
        rating TEXT CHECK (rating IN ('up', 'down')),
        reason TEXT NOT NULL DEFAULT '',
        mood TEXT,
        context TEXT
    )""",
    "CREATE INDEX messages_of_chat ON messages (chat, parent)",
    "CREATE INDEX messages_after ON messages (parent)",
    """CREATE TABLE choices (
        number INTEGER PRIMARY KEY,
        chat INTEGER NOT NULL REFERENCES chats ON DELETE CASCADE,
        chosen INTEGER NOT NULL REFERENCES messages ON DELETE CASCADE,
        rejected INTEGER NOT NULL REFERENCES messages ON DELETE CASCADE,
        reason TEXT NOT NULL DEFAULT '',
        created REAL NOT NULL
    )""",
    "CREATE INDEX choices_of_chat ON choices (chat)",
    "CREATE INDEX choices_chosen ON choices (chosen)",
    "CREATE INDEX choices_rejected ON choices (rejected)",
    "CREATE TABLE pending (what TEXT PRIMARY KEY)",
    """CREATE VIRTUAL TABLE found USING fts5 (
        text, content='messages', content_rowid='number', tokenize='unicode61 remove_diacritics 2'
    )""",
    "CREATE TRIGGER message_in AFTER INSERT ON messages BEGIN INSERT INTO found (rowid, text) VALUES (new.number, new.text); END",
    """CREATE TRIGGER message_out AFTER DELETE ON messages BEGIN
        INSERT INTO found (found, rowid, text) VALUES ('delete', old.number, old.text);
    END""",
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (_FIRST,)
"""The statements that lead from each version to the next; a landed one never changes."""

_SPOKEN = {
    "SQLITE_BUSY": "another program has locked this store; cure: close that program, or try again in a moment",
    "SQLITE_READONLY": "this store cannot be written; cure: give yourself the right to write the file and its folder",
    "SQLITE_PERM": "this store may not be opened; cure: give yourself the right to read and write it",
    "SQLITE_CANTOPEN": "this store cannot be opened; cure: give yourself the right to read and write the file and its folder",
    "SQLITE_FULL": "the disk is full, so that nothing more can be saved; cure: make room",
    "SQLITE_IOERR": "the disk did not read or write; cure: look at the disk, and copy the store elsewhere",
    "SQLITE_NOTADB": "no store of conversations (no SQLite file); nothing was changed; cure: name another file",
    "SQLITE_CORRUPT": "this store is damaged; nothing was changed; cure: put a copy in its place, or move it away to begin a new one",
}
"""What SQLite's errors are to the user; anything else is a bug."""


@contextmanager
def clear_errors(path: Path) -> Iterator[None]:
    """Nothing; what SQLite refuses inside becomes a message with the file and the cure.

    Raises:
        DataError: the store is locked, read-only, damaged, no store, or its disk is full.
    """
    try:
        yield
    except sqlite3.Error as error:
        # SQLITE_READONLY_DBMOVED and the like are kinds of the first two words
        name = "_".join(getattr(error, "sqlite_errorname", "").split("_")[:2])
        if name not in _SPOKEN:
            raise
        raise DataError(f"{path}: {_SPOKEN[name]}") from error


def make_file(path: Path) -> None:
    """The store's file, which only its owner can read; one that is there keeps its content.

    Raises:
        DataError: it cannot be read and written, or holds something else.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise DataError(f"{path}: a folder; expected the file of a store; cure: name a file in it")
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        if os.name == "posix" and (status := path.stat()).st_mode & 0o077 and status.st_uid == os.geteuid():
            path.chmod(0o600)
        with path.open("rb") as file:
            head = file.read(len(_MAGIC))
    except PermissionError as error:
        raise DataError(f"{path}: {_SPOKEN['SQLITE_READONLY']}") from error
    except OSError as error:
        raise DataError(
            f"{path}: cannot be opened as a store: {error.strerror}; cure: name another file"
        ) from error
    if head and head != _MAGIC:
        raise DataError(f"{path}: {_SPOKEN['SQLITE_NOTADB']}")


def open_database(path: Path, timeout: float) -> sqlite3.Connection:
    """A connection to the store, made where there was none, up to date and checked. The caller holds the lock of writers.

    Raises:
        DataError: what is there is no store, is damaged, locked, read-only, or was written by a newer nlpkit.
    """
    with clear_errors(path):
        database = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)
        try:
            database.row_factory = sqlite3.Row
            version = _refuse_other(database, path)
            _settle(database, path)
            for number in range(version, len(MIGRATIONS)):
                _migrate(database, number)
        except BaseException:
            database.close()
            raise
    return database


def _refuse_other(database: sqlite3.Connection, path: Path) -> int:
    """The version of the store, 0 for a new one; what is not a whole store of ours is refused before anything is written."""
    version, application = (
        int(database.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("user_version", "application_id")
    )
    if application != APPLICATION and (
        application or database.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    ):
        raise DataError(
            f"{path}: a database of another program; nothing was changed; cure: name another file"
        )
    if version > len(MIGRATIONS):
        found = (
            f"written by a newer nlpkit (version {version} of the store; this one knows {len(MIGRATIONS)})"
        )
        raise DataError(f"{path}: {found}; nothing was changed; cure: update nlpkit")
    if database.execute("PRAGMA integrity_check(1)").fetchone()[0] != "ok":
        raise DataError(f"{path}: {_SPOKEN['SQLITE_CORRUPT']}")
    return version


def _settle(database: sqlite3.Connection, path: Path) -> None:
    """Settings that hold for the connection; WAL holds for the file."""
    mode = database.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise DataError(
            f"{path}: this disk cannot keep a store (SQLite's write-ahead log); cure: name a file on a local disk"
        )
    # FULL: a commit is on the disk before anybody is told that a message is saved.
    for setting in ("synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
        database.execute(f"PRAGMA {setting}").fetchall()


def _migrate(database: sqlite3.Connection, number: int) -> None:
    database.execute("BEGIN EXCLUSIVE")
    try:
        for statement in MIGRATIONS[number]:
            database.execute(statement)
        database.execute(f"PRAGMA application_id = {APPLICATION}")
        database.execute(f"PRAGMA user_version = {number + 1}")
        database.execute("COMMIT")
    except BaseException:
        database.execute("ROLLBACK")
        raise
