"""Texts of people and models, made safe to show.

A reply is Markdown with formulas, and its HTML is shown as text. A person's message is shown as it was typed.
"""

from __future__ import annotations

import re
from html import escape

JOINER = "\u2060"
"""WORD JOINER: invisible, and keeps a sign from being markup."""

DELIMITERS = [
    {"left": "$$", "right": "$$", "display": True},
    {"left": "\\(", "right": "\\)", "display": False},
]
"""What the chat renders as a formula; `shown` writes the other delimiters of LaTeX as these."""

MAX_FORMULA = 2000
"""Characters of a formula; a longer one is shown as text."""

# A fenced block, closed or still streaming, or a span of code: Markdown shows their HTML as it is
CODE = (
    r"(?:^|(?<=\n)) {0,3}(?P<fence>`{3,}|~{3,})[^\n]*\n.*?(?:\n {0,3}(?P=fence)[`~]*[ \t]*(?=\n|$)|\Z)"
    r"|(?<!`)(?P<ticks>`+)(?!`)[^\n]+?(?<!`)(?P=ticks)(?!`)"
)
# As pandoc reads a single dollar sign: no space inside, and no digit behind, so that prices stay prices
FORMULA = (
    rf"\$\$(?P<display>[^$]{{1,{MAX_FORMULA}}}?)\$\$"
    rf"|\\\[(?P<block>.{{1,{MAX_FORMULA}}}?)\\\]"
    rf"|\\\((?P<inline>[^\n]{{1,{MAX_FORMULA}}}?)\\\)"
    rf"|(?<![\w$\\])\$(?P<dollar>(?![\s$])[^\n$]{{0,{MAX_FORMULA}}}?[^\s$\\])\$(?![\w$])"
)
PARTS = re.compile(rf"(?P<code>{CODE})|{FORMULA}", re.DOTALL)

# Signs that begin a tag, an image, an entity, a formula, or a mark that Gradio sets for a formula
MEANING = re.compile(r"<|!(?=\[)|&(?=#?\w+;)|\$(?=\$)|\\(?=\()|%(?=%%LATEX_BLOCK_)")
IN_CODE = re.compile(r"\$(?=\$)|\\(?=\()|%(?=%%LATEX_BLOCK_)|(?<=[`~])(?=mermaid)")

# Signs that Markdown could read as markup, and space that it would drop
TYPED = re.compile(r"[#$%&()*+/:<=>@\[\\\]^_`{|}~\n\t]|(?<=[\dwW])\.|\A[^A-Za-z0-9]|(?<= ) ")


def shown(text: str) -> str:
    """Return a reply for the chat's Markdown, with tags and pictures shown as text, and formulas delimited.

    The page also sanitizes HTML, and its policy loads nothing from outside; this makes tags visible.
    """
    parts, end = [], 0
    for part in PARTS.finditer(text):
        parts += [_joined(MEANING, text[end : part.start()]), _special(part)]
        end = part.end()
    return "".join([*parts, _joined(MEANING, text[end:])])


def as_typed(text: str) -> str:
    """Return a person's text for the chat's Markdown, which then shows it as it was typed."""
    return TYPED.sub(lambda sign: f"&#{ord(sign[0])};", text)


def bubble(role: str, text: str) -> dict[str, str]:
    """Return one message for the chatbot component."""
    return {"role": role, "content": as_typed(text) if role == "user" else shown(text)}


def _special(part: re.Match[str]) -> str:
    if part["code"]:
        return _joined(IN_CODE, part["code"])
    display = part["display"] or part["block"]
    formula = escape(display or part["inline"] or part["dollar"], quote=False)
    if not formula.strip() or "%%%" in formula or "$$" in formula or "\\)" in formula:
        return _joined(MEANING, part[0])
    return f"$${formula}$$" if display else f"\\({formula}\\)"


def _joined(signs: re.Pattern[str], text: str) -> str:
    return signs.sub(rf"\g<0>{JOINER}", text)
