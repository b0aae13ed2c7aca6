"""The file of the store: created, opened, migrated, and refused if another program wrote it.

* make_file
* open_database
  x _check_version    refuses another program's file, a newer version, a damaged file; nothing is overwritten
  x MIGRATIONS        from each version to the next, in one transaction each
* clear_errors        SQLite's errors as messages that name the file and give a hint
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nlpkit.errors import DataError

APPLICATION = 0x6E6C706B
"""`nlpk` in the file's header marks a file of nlpkit."""

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
    "CREATE TRIGGER message_in AFTER INSERT ON messages BEGIN "
    "INSERT INTO found (rowid, text) VALUES (new.number, new.text); END",
    """CREATE TRIGGER message_out AFTER DELETE ON messages BEGIN
        INSERT INTO found (found, rowid, text) VALUES ('delete', old.number, old.text);
    END""",
)

_PINS = (
    "ALTER TABLE chats ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0",
    "CREATE INDEX chats_listed ON chats (owner, pinned, updated)",
)

_FILES = (
    """CREATE TABLE files (
        chat INTEGER PRIMARY KEY REFERENCES chats ON DELETE CASCADE,
        name TEXT NOT NULL,
        text TEXT NOT NULL
    )""",
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (_FIRST, (*_PINS, *_FILES))
"""The statements that lead from each version to the next; a released one never changes."""

_MESSAGES = {
    "SQLITE_BUSY": "another program has locked this store; hint: close that program, or try again later",
    "SQLITE_READONLY": "this store cannot be written; hint: make the file and its folder writable",
    "SQLITE_PERM": "this store may not be opened; hint: give yourself permission to read and write it",
    "SQLITE_CANTOPEN": "this store cannot be opened; "
    "hint: give yourself permission to read and write the file and its folder",
    "SQLITE_FULL": "the disk is full, so that nothing more can be saved; hint: free some disk space",
    "SQLITE_IOERR": "the disk failed to read or write; hint: check the disk, and copy the store elsewhere",
    "SQLITE_NOTADB": "not a store of conversations (no SQLite file), and unchanged; hint: name another file",
    "SQLITE_CORRUPT": "this store is damaged; nothing was changed; "
    "hint: restore a copy, or move the file away to begin a new store",
}
"""Messages for SQLite's errors that the user can solve; anything else is a bug."""


@contextmanager
def clear_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors inside the block into messages that name the file and give a hint.

    Raises:
        DataError: the file is locked, read-only, damaged, not a store, or its disk is full.
    """
    try:
        yield
    except UnicodeDecodeError as error:  # of SQLite's message, which quotes what is damaged
        raise DataError(f"{path}: {_MESSAGES['SQLITE_CORRUPT']}") from error
    except sqlite3.Error as error:
        # SQLITE_READONLY_DBMOVED and the like are kinds of SQLITE_READONLY
        name = "_".join(getattr(error, "sqlite_errorname", "").split("_")[:2])
        if name in _MESSAGES:
            raise DataError(f"{path}: {_MESSAGES[name]}") from error
        if isinstance(error, (sqlite3.ProgrammingError, sqlite3.IntegrityError, sqlite3.InterfaceError)):
            raise  # a bug
        # A table is missing, or holds what nlpkit never writes, such as text that is no UTF-8
        raise DataError(f"{path}: {_MESSAGES['SQLITE_CORRUPT']} ({error})") from error


def make_file(path: Path) -> None:
    """Create the store's file, readable by its owner only; an existing file keeps its content and its mode.

    Raises:
        DataError: it cannot be read and written, or is not a store.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise DataError(f"{path}: a folder; expected the file of a store; hint: name a file in it")
        if path.exists() and not path.is_file():
            raise DataError(f"{path}: is no regular file; expected a store; hint: name another file")
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        with path.open("rb") as file:
            head = file.read(len(_MAGIC))
    except PermissionError as error:
        raise DataError(f"{path}: {_MESSAGES['SQLITE_READONLY']}") from error
    except OSError as error:
        raise DataError(
            f"{path}: cannot be opened as a store: {error.strerror}; hint: name another file"
        ) from error
    if head and head != _MAGIC:
        raise DataError(f"{path}: {_MESSAGES['SQLITE_NOTADB']}")


def open_database(path: Path, timeout: float) -> sqlite3.Connection:
    """Connect to the store, create or migrate its tables, and check it. The caller holds the write lock.

    Raises:
        DataError: the file is not a store, is damaged, locked, read-only, or was written by a newer nlpkit.
    """
    with clear_errors(path):
        database = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)
        try:
            database.row_factory = sqlite3.Row
            version = _check_version(database, path)
            _restrict(path)
            _configure(database, path)
            for number in range(version, len(MIGRATIONS)):
                _migrate(database, number)
        except BaseException:
            database.close()
            raise
    return database


def _check_version(database: sqlite3.Connection, path: Path) -> int:
    """Return the version of the store, 0 for a new one; refuse any other file before anything is written."""
    version, application = (
        int(database.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("user_version", "application_id")
    )
    if application != APPLICATION and (
        application or database.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    ):
        raise DataError(
            f"{path}: a database of another program; nothing was changed; hint: name another file"
        )
    if version > len(MIGRATIONS):
        raise DataError(
            f"{path}: written by a newer nlpkit (version {version} of the store; this one reads up to "
            f"{len(MIGRATIONS)}); nothing was changed; hint: pip install --upgrade nlpkit"
        )
    if database.execute("PRAGMA integrity_check(1)").fetchone()[0] != "ok":
        raise DataError(f"{path}: {_MESSAGES['SQLITE_CORRUPT']}")
    return version


def _restrict(path: Path) -> None:
    """Let only their owner read the files of a store, which is known to be one."""
    for file in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        if os.name == "posix" and file.exists():
            status = file.stat()
            if status.st_mode & 0o077 and status.st_uid == os.geteuid():
                file.chmod(0o600)


def _configure(database: sqlite3.Connection, path: Path) -> None:
    """Set the modes of the connection, and WAL for the file."""
    mode = database.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise DataError(
            f"{path}: this disk does not support SQLite's write-ahead log; hint: name a file on a local disk"
        )
    # FULL: a message is on the disk before it is reported as saved
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
