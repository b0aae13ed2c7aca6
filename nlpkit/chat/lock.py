"""Who may write now, and who answers a conversation now, told across threads and processes; a kill gives both back."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from nlpkit.chat.refusals import BusyError
from nlpkit.errors import DataError


class Writers:
    """One writer at a time, among the threads of all processes that hold the store open."""

    def __init__(self, path: Path, timeout: float) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._file = filelock.FileLock(
            path.with_name(f"{path.name}.lock"),
            timeout=timeout,
            mode=0o600,
            thread_local=False,
            poll_interval=0.005,
        )

    @contextmanager
    def threads(self) -> Iterator[None]:
        """No other thread of this process uses the connection meanwhile."""
        with self._lock:
            yield

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Nobody else writes meanwhile.

        Raises:
            DataError: another process did not end its writing in time, or the lock's file cannot be made.
        """
        with self._lock:
            try:
                self._file.acquire()
            except filelock.Timeout as error:
                raise DataError(
                    f"{self._path}: another program is writing to this store; cure: try again in a moment"
                ) from error
            except OSError as error:
                cure = "cure: give yourself the right to write the folder"
                raise DataError(
                    f"{self._path}: cannot be written: no lock can be put beside it ({error.strerror}); {cure}"
                ) from error
            try:
                yield
            finally:
                self._file.release()


class Hold:
    """The right to answer one conversation; `release` gives it back, once or more often, from any thread."""

    def __init__(self, folder: Path, chat: str) -> None:
        """Take it.

        Raises:
            BusyError: somebody else has it.
            DataError: the folder of locks cannot be written.
        """
        self._path = folder / f"{chat}.lock"
        self._guard = threading.Lock()
        self._file = filelock.FileLock(self._path, timeout=0, mode=0o600, thread_local=False)
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            self._file.acquire()
        except filelock.Timeout as error:
            raise BusyError(
                f"conversation {chat}: a reply is being written; cure: wait for its end, or stop it"
            ) from error
        except OSError as error:
            raise DataError(
                f"{folder}: no lock can be put here ({error.strerror}); cure: give yourself the right to write it"
            ) from error

    def release(self) -> None:
        """Give it back."""
        with self._guard:
            if self._file.is_locked:
                # Removed while held, so that nobody can hold a file that is about to go
                with contextlib.suppress(OSError):
                    os.unlink(self._path)
                self._file.release()
