"""Errors that a server must tell apart, because it answers each with another status."""

from __future__ import annotations

from nlpkit.errors import DataError


class MissingError(DataError):
    """The conversation or message does not exist, or belongs to somebody else: both give the same message."""


class BusyError(DataError):
    """The conversation is already being answered, in another tab or by another program."""


class LimitError(DataError):
    """The input is empty, too long, or more than is allowed."""
