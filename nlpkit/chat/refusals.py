"""What a client of the chat is refused, told apart so that a server can answer each in its own way."""

from __future__ import annotations

from nlpkit.errors import DataError


class MissingError(DataError):
    """No such conversation or message; one that belongs to somebody else is refused in the same words."""


class BusyError(DataError):
    """The conversation is being answered already, in another tab or by another program."""


class LimitError(DataError):
    """What was sent is empty, too long, or more than is allowed."""
