"""A chat template rendered around placeholders: its own text as ids, and where each message goes.

The template's own text, control tokens included, and people's texts never meet in one string.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nlpkit.data.examples import Role
from nlpkit.errors import RunError
from nlpkit.prompts.rendering import DEFAULT_TEMPLATE, TemplateLimitError, render_template
from nlpkit.prompts.safe_tokenizer import SafeTokenizer

_SLOT = re.compile("\ue000(\\d+)\ue001")


def _slot(number: int) -> str:
    """Return the placeholder of a message's text: 1 is the first turn, 0 the system prompt."""
    return f"\ue000{number}\ue001"


@dataclass(frozen=True, slots=True)
class Frame:
    """What the template writes around the messages: `literals[0] message[slots[0]] literals[1] ...`."""

    literals: tuple[tuple[int, ...], ...]
    slots: tuple[int, ...]
    """Which message stands where; 0 is the system prompt."""

    @property
    def size(self) -> int:
        """How many ids the template itself writes."""
        return sum(map(len, self.literals))


class Frames:
    """The frames of a tokenizer's template by the roles of the turns. Each is rendered once."""

    def __init__(self, tokenizer: Any, safe_tokenizer: SafeTokenizer) -> None:
        self._tokenizer = tokenizer
        self._safe_tokenizer = safe_tokenizer
        self._source = _source(tokenizer)
        self._known: dict[tuple[tuple[Role, ...], bool, bool], Frame] = {}
        self._literals: dict[tuple[str, bool], list[int]] = {}
        self.is_default: bool = self._source == DEFAULT_TEMPLATE
        spaced = f" {_slot(0)} "
        self.strips_texts: bool = spaced not in self._render([("user", spaced)], add_generation_prompt=False)
        self.has_system: bool = self._works([("system", _slot(0)), ("user", _slot(1))])
        self.user_first: bool = not self._works([("assistant", _slot(1)), ("user", _slot(2))])

    def frame(self, roles: Sequence[Role], *, system: bool, add_generation_prompt: bool) -> Frame:
        """Return the frame of turns with these roles, after a system prompt if there is one.

        Raises:
            RunError: the template fails on them, or does not write each message once.
        """
        key = (tuple(roles), system, add_generation_prompt)
        if key not in self._known:
            messages = self._messages(roles, system)
            if messages:
                self._known[key] = self._take_apart(messages, add_generation_prompt)
            else:
                # transformers renders no empty conversation. What stands before a first reply asks for it.
                reply = self.frame(("assistant",), system=system, add_generation_prompt=False)
                self._known[key] = Frame(literals=reply.literals[:1], slots=())
        return self._known[key]

    def _messages(self, roles: Sequence[Role], system: bool) -> list[tuple[str, str]]:
        """Return roles and placeholders as the template takes them.

        A template that knows no system prompt gets it at the start of the first question.
        """
        messages = [(str(role), _slot(number)) for number, role in enumerate(roles, start=1)]
        begins = bool(messages) and messages[0][0] == "user"
        if system and self.has_system:
            opening = [("system", _slot(0))]
            return (
                [*opening, *messages]
                if begins or not self.user_first
                else [*opening, ("user", ""), *messages]
            )
        if system and begins:
            return [("user", f"{_slot(0)}\n\n{_slot(1)}"), *messages[1:]]
        if system:
            return [("user", _slot(0)), *messages]
        return messages if begins or not self.user_first else [("user", ""), *messages]

    def _take_apart(self, messages: Sequence[tuple[str, str]], add_generation_prompt: bool) -> Frame:
        segments = _SLOT.split(self._render(messages, add_generation_prompt=add_generation_prompt))
        slots = tuple(int(number) for number in segments[1::2])
        expected = [int(number) for _, content in messages for number in _SLOT.findall(content)]
        if sorted(slots) != sorted(expected):
            raise RunError(
                f"the model's chat template writes the messages {list(slots)}; "
                f"expected each of {expected} once"
            )
        literals = tuple(
            tuple(self._literal(text, first=not index)) for index, text in enumerate(segments[::2])
        )
        return Frame(literals=literals, slots=slots)

    def _render(self, messages: Sequence[tuple[str, str]], *, add_generation_prompt: bool) -> str:
        shown = [{"role": role, "content": content} for role, content in messages]
        return render_template(
            self._tokenizer, self._source, shown, add_generation_prompt=add_generation_prompt
        )

    def _works(self, messages: Sequence[tuple[str, str]]) -> bool:
        try:
            self._take_apart(messages, add_generation_prompt=True)
        except TemplateLimitError:
            raise
        except RunError:
            return False
        return True

    def _literal(self, text: str, *, first: bool) -> list[int]:
        if (text, first) not in self._literals:
            self._literals[text, first] = self._safe_tokenizer.encode_literal(text, first=first)
        return self._literals[text, first]


def _source(tokenizer: Any) -> str:
    if not tokenizer.chat_template:
        return DEFAULT_TEMPLATE
    try:
        return str(tokenizer.get_chat_template())
    except ValueError:
        raise RunError(
            f"the model's chat templates are named {sorted(tokenizer.chat_template)}; "
            "expected one named 'default'"
        ) from None
