"""A conversation's file as HTML: above the message box, and in the ledger of what the model reads."""

from __future__ import annotations

from html import escape

from nlpkit.chat.attached_file import AttachedFile, FileStart


def file_strip(file: AttachedFile | None) -> str:
    """Return the file's name, and a button that removes it."""
    if file is None:
        return ""
    name = escape(file.name, quote=True)
    remove = f'<button type="button" data-press="detach" aria-label="Remove {name}">Remove</button>'
    return f'<p class="file"><span class="name" dir="auto">{name}</span> {remove}</p>'


def file_entry(file: AttachedFile | None, start: FileStart | None) -> str:
    """Return the file's entry in the ledger; without a start the model is not loaded yet."""
    if file is None:
        return ""
    read, total = len(start.text) if start else 0, len(file.text)
    part = "all" if read == total else f"the first {read:,} of"
    characters = f"{part} {total:,} characters"
    if start is None:
        words = f"{total:,} characters; the next reply counts its tokens"
    elif start.tokens is None:
        words = f"{characters}; the server counts its tokens"
    else:
        words = f"{characters}, {start.tokens:,} tokens of every prompt"
    return f'<p><b dir="auto">{escape(file.name)}</b>: {words}.</p>'
