"""The list of conversations as HTML: grouped by time, each with a line of a message and its own buttons."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from html import escape
from itertools import groupby

from nlpkit.chat.search import search_of
from nlpkit.chat.summaries import ChatSummary

PAGE = 50
"""Conversations that are listed at first; Show more adds as many."""

# Drawn in the text's color
_ICON = (
    '<svg viewBox="0 0 24 24" width="18" height="18" aria-hidden="true" fill="{}" stroke="currentColor" '
    'stroke-width="2" stroke-linejoin="round"><path d="{}"/></svg>'
)
PIN = "M9 3h6l-1 6 4 4v2h-5v6l-1 1-1-1v-6H6v-2l4-4z"
PEN = "M4 20l1-5L16 4l4 4L9 19zM14 6l4 4"


def list_page(
    summaries: Sequence[ChatSummary],
    current: str,
    query: str = "",
    *,
    limit: int = PAGE,
    now: datetime.datetime | None = None,
) -> str:
    """Return the first `limit` conversations, the open one marked, and Show more if there are others.

    Only one of its buttons is a stop of the Tab key; the arrow keys move through the others.
    """
    if not summaries:
        return f'<p class="quiet">{"No conversation matches." if query else "None yet: write a message."}</p>'
    now, search = now or datetime.datetime.now().astimezone(), search_of(query)
    pattern = search.pattern if search else None
    shown = summaries[:limit]
    stop = current if any(summary.id == current for summary in shown) else shown[0].id
    parts = []
    for name, group in groupby(shown, lambda summary: group_of(summary, now)):
        rows = "".join(_row(summary, current, stop, pattern, now) for summary in group)
        parts.append(f'<h2 class="group">{name}</h2><ul class="chats">{rows}</ul>')
    if len(summaries) > limit:
        more = f'data-do="more" data-limit="{limit + PAGE}" tabindex="-1"'
        parts.append(f'<button type="button" class="more" {more}>Show more</button>')
    return f'<nav aria-label="Conversations">{"".join(parts)}</nav>'


def group_of(summary: ChatSummary, now: datetime.datetime) -> str:
    """Return the heading under which a conversation is listed."""
    if summary.is_pinned:
        return "Pinned"
    day = _local(summary.updated).date()
    days = (now.date() - day).days
    if days <= 0:
        return "Today"
    if days == 1:
        return "Yesterday"
    if days <= 7:
        return "Previous 7 days"
    if days <= 30:
        return "Previous 30 days"
    return f"{day:%B %Y}"


def when(seconds: float, now: datetime.datetime) -> str:
    """Return the time of today, or the day."""
    at = _local(seconds)
    days = (now.date() - at.date()).days
    if days <= 0:
        return f"{at:%H:%M}"
    if days <= 7:
        return f"{at:%a}"
    return f"{at.day} {at:%b}" if at.year == now.year else f"{at.day} {at:%b %Y}"


def _row(
    summary: ChatSummary, current: str, stop: str, pattern: re.Pattern[str] | None, now: datetime.datetime
) -> str:
    title = summary.title or "New conversation"
    name = escape(title, quote=True)
    here = ' aria-current="true"' if summary.id == current else ""
    pin = "Unpin" if summary.is_pinned else "Pin"
    filled = _ICON.format("currentColor" if summary.is_pinned else "none", PIN)
    return (
        f'<li data-chat="{escape(summary.id, quote=True)}">'
        f'<button type="button" class="pick" tabindex="{0 if summary.id == stop else -1}"{here}>'
        f'<span class="title" dir="auto">{_marked(title, pattern)}</span>'
        f'<span class="when">{when(summary.updated, now)}</span>'
        f'<span class="line" dir="auto">{_marked(summary.line, pattern)}</span></button>'
        f'<span class="acts"><button type="button" data-do="rename" tabindex="-1" title="Rename (F2)" '
        f'aria-label="Rename {name}">{_ICON.format("none", PEN)}</button>'
        f'<button type="button" data-do="pin" tabindex="-1" title="{pin}" '
        f'data-pinned="{int(summary.is_pinned)}" aria-label="{pin} {name}">{filled}</button></span></li>'
    )


def _marked(text: str, pattern: re.Pattern[str] | None) -> str:
    """Return the text in HTML, with the words of the search marked."""
    if pattern is None:
        return escape(text)
    parts, end = [], 0
    for match in pattern.finditer(text):
        parts += [escape(text[end : match.start()]), f"<mark>{escape(match[0])}</mark>"]
        end = match.end()
    return "".join([*parts, escape(text[end:])])


def _local(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds).astimezone()
