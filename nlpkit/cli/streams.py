"""The command's standard streams and arguments: closed, full, or with bytes that are no UTF-8."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from nlpkit.errors import ConfigError, NlpkitError

UNWRITABLE = frozenset({errno.EBADF, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOSPC})


def open_missing_streams() -> None:
    """Open the standard streams that the command was started without, as `>&-` does.

    Otherwise the next file that is opened takes their number. The input is empty and messages are dropped,
    but an answer that is written fails: `flush_output` reports it.
    """
    for number, name, opened_for in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            flags = os.O_WRONLY if number == 2 else os.O_RDONLY
            descriptor = os.open(os.devnull, flags)
            if descriptor != number:
                os.dup2(descriptor, number)
                os.close(descriptor)
            setattr(sys, name, os.fdopen(number, opened_for, encoding="utf-8", closefd=False))


def flush_output() -> None:
    """Write what stdout still holds.

    Raises:
        NlpkitError: it is full or closed.
        BrokenPipeError: whoever read it has had enough.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        refuse_output(error)


def refuse_output(error: OSError) -> NoReturn:
    """Raise the error that says why stdout could not be written; other errors are raised as they are.

    nlpkit's own files are written where a failure names them, so one without a name is stdout's.
    """
    if error.filename is not None or error.errno not in UNWRITABLE:
        raise error
    raise NlpkitError(
        f"standard output: could not be written: {error.strerror or error}; "
        "hint: send it to a file on a disk with space, as in `nlpkit ... > FILE`"
    ) from None


def drop_output() -> None:
    """Drop what stdout still holds if it can't be written: Python flushes it again at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def refuse_undecodable(arguments: Sequence[str]) -> None:
    """Refuse arguments that are no UTF-8, except names of files that exist.

    Raises:
        ConfigError: naming the argument.
    """
    for number, argument in enumerate(arguments, 1):
        if not argument.isprintable() and _is_undecodable(argument) and not os.path.lexists(argument):
            shown = os.fsencode(argument)[:60].decode("utf-8", "backslashreplace")
            raise ConfigError(
                f"argument {number} of the command is not UTF-8: {shown}; "
                "hint: convert it with `iconv -f LATIN1 -t UTF-8`, or give the text in a file with --encoding"
            )


def _is_undecodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
