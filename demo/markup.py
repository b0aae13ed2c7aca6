"""What people and models wrote, made fit to be shown: markup that the page knows is drawn, HTML is shown as it was typed."""

from __future__ import annotations

import re

JOINER = "\u2060"
"""WORD JOINER: takes no room, and keeps a sign from meaning anything."""

# A fenced block, closed or still streaming, or a span of code: Markdown shows their HTML as it is.
CODE = re.compile(
    r"(^|\n) {0,3}(`{3,}|~{3,})[^\n]*\n.*?(?:\n {0,3}\2[`~]*[ \t]*(?=\n|$)|\Z)"  # a fence
    r"|(?<!`)(`+)(?!`)[^\n]+?(?<!`)\3(?!`)",  # a span
    re.DOTALL,
)
MEANING = re.compile(r"<|!(?=\[)|&(?=#?\w+;)")
ADDED = re.compile(rf"([<!&]){JOINER}")


def shown(text: str) -> str:
    """The text for the chat's Markdown, in which neither a tag nor a picture from elsewhere means anything.

    The page sanitizes HTML besides, and its policy loads nothing from outside: this is so that tags are seen and not only harmless.
    """
    parts, at = [], 0
    for code in CODE.finditer(text):
        parts += [MEANING.sub(rf"\g<0>{JOINER}", text[at : code.start()]), code[0]]
        at = code.end()
    return "".join([*parts, MEANING.sub(rf"\g<0>{JOINER}", text[at:])])


def typed(text: str) -> str:
    """What was typed, from a text that `shown` had made and that came back from the page's editor."""
    return ADDED.sub(r"\1", text)
