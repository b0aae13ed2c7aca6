"""The table of the exports and data sets of conversations that have a format of their own."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from nlpkit.data.formats import (
    chatterbot,
    cornell,
    discord,
    eou_lines,
    multiwoz,
    openassistant,
    rasa,
    slack,
    telegram,
    whatsapp,
)
from nlpkit.data.rows import DataFile, Stream

_JSON, _TEXT, _YAML = (".json",), (".txt",), (".yml", ".yaml")


@dataclass(frozen=True, kw_only=True)
class Export:
    """A format of conversations."""

    name: str
    found_in: tuple[str, ...]
    """The endings of names under which it is found by its content."""
    fits: Callable[[str], bool]
    """Whether a file that starts with this text is certainly of this format."""
    stream: Callable[[DataFile, Collection[str]], Stream]
    """Yields the header, then the rows, then what was left out."""
    fits_folder: Callable[[Path], bool] | None = None
    """Whether a folder is certainly one export; None where only files are read."""


EXPORTS = (
    Export(name="whatsapp", found_in=_TEXT, fits=whatsapp.fits, stream=whatsapp.stream),
    Export(name="telegram", found_in=_JSON, fits=telegram.fits, stream=telegram.stream),
    Export(name="discord", found_in=_JSON, fits=discord.fits, stream=discord.stream),
    Export(
        name="slack",
        found_in=_JSON,
        fits=slack.fits,
        stream=slack.stream,
        fits_folder=slack.fits_folder,
    ),
    Export(
        name="openassistant",
        found_in=(".jsonl", ".ndjson", ".json"),
        fits=openassistant.fits,
        stream=openassistant.stream,
    ),
    Export(name="multiwoz", found_in=_JSON, fits=multiwoz.fits, stream=multiwoz.stream),
    Export(name="eou", found_in=_TEXT, fits=eou_lines.fits, stream=eou_lines.stream),
    Export(
        name="cornell",
        found_in=_TEXT,
        fits=cornell.fits,
        stream=cornell.stream,
        fits_folder=cornell.fits_folder,
    ),
    Export(name=rasa.NLU, found_in=_YAML, fits=rasa.has_nlu, stream=rasa.examples),
    Export(name=rasa.STORIES, found_in=_YAML, fits=rasa.has_stories, stream=rasa.stories),
    Export(name="chatterbot", found_in=_YAML, fits=chatterbot.fits, stream=chatterbot.stream),
)


@dataclass(frozen=True, kw_only=True)
class Unread:
    """A format that is known but not read."""

    endings: tuple[str, ...]
    reason: str
    """What such a file is, and what to do."""
    fits: Callable[[str], bool] = lambda start: True
    """Whether a file of such a name that starts with this text is one."""


UNREAD = (
    Unread(endings=(".zip",), reason="is an archive; hint: unpack it, and name the file or the folder in it"),
    Unread(
        endings=(".html", ".htm"),
        reason="is a web page; hint: export the chat as JSON (Telegram, Discord), or save the table as CSV",
    ),
    Unread(
        endings=_YAML,
        reason="is a Rasa domain, which labels no text; hint: name the file with the nlu or the stories",
        fits=rasa.is_domain,
    ),
)
