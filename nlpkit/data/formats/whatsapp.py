"""A chat that WhatsApp exported as text: a row a message.

Each message begins with its date and time, in brackets or before a dash; lines without them go on with the
message before. What WhatsApp itself wrote is no message.
"""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from functools import partial

from nlpkit.data.formats.spoken_rows import CHAT, DELETED, NO_TEXT, SERVICE, Silences, Tally, header, spoken
from nlpkit.data.rows import BadRow, DataFile, Stream
from nlpkit.data.text_files import parsed_text

_STAMP = 40
"""Characters in which a date and time lie."""
_START = re.compile(
    r"[\u200e\ufeff]*(?P<bracket>\[)?"
    r"(?P<stamp>(?P<date>\d{1,4}[./-]\d{1,2}[./-]\d{1,4})\.?[,،]?\s(?:[^\W\d]{1,4}\.?\s)?"
    r"(?P<early>[^\W\d]{2}\s?)?(?P<hour>\d{1,2})[:.](?P<minute>\d{2})(?:[:.](?P<second>\d{2}))?"
    r"(?:\s?(?P<half>[aApP](?=\.?\s?[mM])|[صم])(?:\.?\s?[mM]\.?)?)?)"
    r"(?(bracket)\]|(?:\s[-\u2013]|:))\s(?P<rest>.*)",
    re.DOTALL,
)
_AFTERNOON = ("下午", "오후", "午後")
_ORDERS = {"day first": (2, 1, 0), "month first": (2, 0, 1), "year first": (0, 1, 2)}
"""Order of a date's parts -> where year, month and day stand in it."""
_DAY = 24 * 60 * 60

# WhatsApp for iOS writes a left-to-right mark before what it writes itself; for Android, brackets.
_MARK = "\u200e"
_NOTICE = "notices in place of a message, such as pictures or calls"
_EDITED = re.compile(r"\s*(?:\u200e<[^<>\n]{3,80}>|<This message was edited>)$")
_MEDIA = re.compile(r"<[^<>\n]{3,60}>|[^\n]*\u200e[^\n]* omitted")
"""`<Media omitted>`, in any language."""
_ATTACHED = re.compile(r"\u200e?[\w.-]+\.\w{2,4} \([^()\n]{3,40}\)(?:\n|$)")
_DELETED = re.compile(
    r"\u200e?(This message was deleted|You deleted this message|Diese Nachricht wurde gelöscht"
    r"|Du hast diese Nachricht gelöscht|Se eliminó este mensaje|Eliminaste este mensaje"
    r"|Ce message a été supprimé|Vous avez supprimé ce message|Mensagem apagada|Você apagou esta mensagem"
    r"|Questo messaggio è stato eliminato|Hai eliminato questo messaggio)\.?"
)


def fits(start: str) -> bool:
    """Return whether the first lines are messages."""
    lines = [line for line in start.splitlines()[:20] if line.strip()]
    return bool(lines) and _begun(lines[0]) is not None


def stream(file: DataFile, columns: Collection[str]) -> Stream:
    """Yield the header, then a row for each message."""
    return parsed_text(file, partial(_rows, file, columns))


def _rows(file: DataFile, columns: Collection[str], text: io.TextIOWrapper) -> Stream:
    yield header(file, columns, CHAT)
    tally, silences, clock = Tally(file), Silences(), _Clock()
    for number, start, message in _messages(text):
        if start is None:
            reason = "no date and time; expected a line such as 31/12/2023, 21:15 - Ann: Hello"
            yield BadRow(file=file.name, row=number, reason=reason, raw=message)
            continue
        seconds = clock.seconds(start)
        if seconds is None:
            reason = f"no such date or time: {start['stamp']}"
            yield BadRow(file=file.name, row=number, reason=reason, raw=message)
            continue
        stamp = " ".join(start["stamp"].split())
        speaker, body = _said(message, tally)
        if speaker and body:
            fields = {
                "conversation": silences.conversation("", stamp, seconds),
                "speaker": speaker,
                "time": stamp,
                "text": body,
            }
            yield spoken(fields, file=file.name, row=number)
    yield from tally.left_out()


def _messages(text: io.TextIOWrapper) -> Iterator[tuple[int, re.Match[str] | None, str]]:
    """Yield the messages: the line of each, its start (None before the first), and what follows it."""
    first, start, lines = 0, None, list[str]()
    for number, ended in enumerate(text, 1):
        line = ended.rstrip("\r\n")
        begun = _begun(line)
        if begun is None and first:
            lines.append(line)
        elif begun or line.strip():
            if lines:
                yield first, start, "\n".join(lines)
            first, start, lines = number, begun, [begun["rest"] if begun else line]
    if lines:
        yield first, start, "\n".join(lines)


def _begun(line: str) -> re.Match[str] | None:
    """Return the start of the message that a line begins; Arabic writes marks into the date."""
    return _START.fullmatch(line[:_STAMP].replace("\u200f", "") + line[_STAMP:])


def _said(message: str, tally: Tally) -> tuple[str, str]:
    """Return who says what; both empty where it is no message, which is counted."""
    speaker, colon, body = message.partition(": ")
    if message.endswith(":") and not colon:
        speaker, colon = message[:-1], ":"
    speaker = speaker.strip("\u200e\u200f\u202a\u202c ~\u202f\u00a0")
    if not colon or "\n" in speaker or re.search('["“”«»]', speaker):
        tally.add(SERVICE)
        return "", ""
    body = _ATTACHED.sub("", _EDITED.sub("", body.strip()), count=1)
    if _DELETED.fullmatch(body):
        tally.add(DELETED)
    elif not body.strip() or _MEDIA.fullmatch(body):
        tally.add(NO_TEXT)
    elif body.startswith(_MARK):
        tally.add(_NOTICE)
    else:
        return speaker, body
    return "", ""


class _Clock:
    """Tells the time of messages whose dates may stand in any order, which the dates themselves show."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {order: float("-inf") for order in _ORDERS}

    def seconds(self, start: re.Match[str]) -> float | None:
        """Return the seconds since 1970, in the order in which no date was impossible or went back so far.

        Where several remain, it is the one in which the least time has passed.
        """
        times = {order: time for order in self._last if (time := _time(start, order)) is not None}
        times = {order: time for order, time in times.items() if time > self._last[order] - _DAY} or times
        if not times:
            return None
        order = min(times, key=lambda order: times[order] - self._last[order])
        self._last = times
        return times[order]


def _time(start: re.Match[str], order: str) -> float | None:
    parts = [int(part) for part in re.split("[./-]", start["date"])]
    year, month, day = (parts[at] for at in _ORDERS[order])
    hour, half = int(start["hour"]), (start["half"] or "").casefold()
    if half or start["early"]:
        is_late = half in ("p", "م") or (start["early"] or "").strip() in _AFTERNOON
        hour = hour % 12 + 12 * is_late
    second = int(start["second"] or 0)
    try:
        time = datetime(
            year + 2000 * (year < 100), month, day, hour, int(start["minute"]), second, tzinfo=UTC
        )
    except ValueError:
        return None
    return time.timestamp()
