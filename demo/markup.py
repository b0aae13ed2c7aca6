"""Texts of people and models, made safe to show: Markdown is rendered, HTML is shown as it was typed."""

from __future__ import annotations

import re

JOINER = "\u2060"
"""WORD JOINER: invisible, and keeps a sign from being markup."""

# A fenced block, closed or still streaming, or a span of code: Markdown shows their HTML as it is
CODE = re.compile(
    r"(^|\n) {0,3}(`{3,}|~{3,})[^\n]*\n.*?(?:\n {0,3}\2[`~]*[ \t]*(?=\n|$)|\Z)"  # a fence
    r"|(?<!`)(`+)(?!`)[^\n]+?(?<!`)\3(?!`)",  # a span
    re.DOTALL,
)
MEANING = re.compile(r"<|!(?=\[)|&(?=#?\w+;)")
ADDED = re.compile(rf"([<!&]){JOINER}")


def shown(text: str) -> str:
    """Return the text for the chat's Markdown, with tags and pictures shown as text.

    The page also sanitizes HTML, and its policy loads nothing from outside; this makes tags visible.
    """
    parts, end = [], 0
    for code in CODE.finditer(text):
        parts += [MEANING.sub(rf"\g<0>{JOINER}", text[end : code.start()]), code[0]]
        end = code.end()
    return "".join([*parts, MEANING.sub(rf"\g<0>{JOINER}", text[end:])])


def typed(text: str) -> str:
    """Return what was typed, from a text of `shown` that came back from the page's editor."""
    return ADDED.sub(r"\1", text)
