"""Messages to send with one click: beginnings for an empty conversation, and what often follows a reply."""

from __future__ import annotations

from html import escape

from nlpkit.chat.messages import Chat

STARTERS: tuple[str, ...] = (
    "Help me plan a birthday dinner.",
    "I had a long day at work.",
    "Explain in one sentence what a neural network is.",
    "Give me three names for a cat.",
)
FOLLOW_UPS: tuple[str, ...] = ("Make it shorter.", "Explain more.", "Give an example.")

SAY = """element.addEventListener('click', event => {
  const button = event.target.closest('button[data-say]');
  if (button) trigger('click', {text: button.dataset.say});
});"""
"""JavaScript: a click on a suggestion sends it."""


def suggestions(chat: Chat | None) -> str:
    """Return what may be said next as buttons: nothing while a message has no reply."""
    if chat is None or not chat.messages:
        kind, label, texts = "starters", "Suggestions to begin with", STARTERS
    elif chat.messages[-1].role == "assistant":
        kind, label, texts = "follow-ups", "Suggestions to go on with", FOLLOW_UPS
    else:
        return ""
    buttons = "".join(
        f'<button type="button" data-say="{safe}">{safe}</button>'
        for safe in (escape(text, quote=True) for text in texts)
    )
    return f'<div class="suggestions {kind}" role="group" aria-label="{label}">{buttons}</div>'
