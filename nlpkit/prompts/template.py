"""A chat template taken apart: what it writes around the messages, as ids, and where each message goes.

It is rendered around placeholders, so that its own text, control tokens included, and what people wrote never meet in one string.
"""

from __future__ import annotations

import bisect
import functools
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nlpkit.data.examples import Conversation, Role
from nlpkit.errors import DataError, RunError
from nlpkit.prompts.rendering import DEFAULT_TEMPLATE, TemplateLimitError, render_template
from nlpkit.prompts.safe_tokenizer import SafeTokenizer

READ_ONLY = -100
"""The label of a token that is read and not learnt, as torch's cross entropy has it."""

_SLOT = re.compile("\ue000(\\d+)\ue001")


def _slot(place: int) -> str:
    """Where the text of a message goes: 1 is the first turn, 0 what the system says."""
    return f"\ue000{place}\ue001"


@dataclass(frozen=True, kw_only=True, slots=True)
class EncodedDialogue:
    """A conversation, or a part of one, as the model learns it."""

    input_ids: list[int]
    labels: list[int]
    """Equal to the ids where a reply, or the token that ends it, is learnt; READ_ONLY elsewhere."""
    replies: int
    """How many replies are learnt."""

    @property
    def learnt(self) -> int:
        """How many tokens are learnt."""
        return sum(label != READ_ONLY for label in self.labels)


@dataclass(frozen=True, slots=True)
class _Frame:
    """What the template writes around the messages: `pieces[0] message[slots[0]] pieces[1] ...`."""

    pieces: tuple[tuple[int, ...], ...]
    slots: tuple[int, ...]
    """Which message stands where; 0 is the system's."""

    @property
    def size(self) -> int:
        return sum(map(len, self.pieces))


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """A conversation's texts as ids, apart from any template."""

    system: list[int]
    turns: tuple[Role, ...]
    texts: tuple[list[int], ...]


def _source(tokenizer: Any) -> str:
    if not tokenizer.chat_template:
        return DEFAULT_TEMPLATE
    try:
        return str(tokenizer.get_chat_template())
    except ValueError:
        raise RunError(
            f"the model's chat templates are named {sorted(tokenizer.chat_template)}; expected one named 'default'"
        ) from None


class ChatTemplate:
    """The chat template of a tokenizer, taken apart. `ChatTemplate.of` is the way in."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self._source = _source(tokenizer)
        self.is_default = self._source == DEFAULT_TEMPLATE
        self.spelling = SafeTokenizer(tokenizer)
        self.control_ids = self.spelling.control_ids
        self._frames: dict[tuple[tuple[Role, ...], bool, bool], _Frame] = {}
        self._literals: dict[tuple[str, bool], list[int]] = {}
        self._trims = self._spaced()
        self.has_system = self._works([("system", _slot(0)), ("user", _slot(1))])
        self.user_first = not self._works([("assistant", _slot(1)), ("user", _slot(2))])
        self.closing = self._closing()
        self.end_id = self.closing[-1]
        self.stops = frozenset({self.end_id, tokenizer.eos_token_id} - {None}) | self._openings()
        """Tokens that end a reply: its own end, and what opens another turn, which a model must not write for the user."""
        self.is_steady = self._steady()

    @staticmethod
    @functools.lru_cache(maxsize=8)
    def of(tokenizer: Any) -> ChatTemplate:
        """The template of a tokenizer.

        Raises:
            RunError: it cannot be rendered, or no token ends a reply.
        """
        return ChatTemplate(tokenizer)

    def content(self, text: str) -> list[int]:
        """The ids of a person's text, without any control token.

        Raises:
            DataError: it is too long, or a control token can only be spelled as itself.
        """
        return self.spelling.text(text.strip() if self._trims else text)

    def parts(self, conversation: Conversation) -> Parts:
        """The texts of a conversation as ids.

        Raises:
            DataError: a role is not one of the two, which a template would write as it stands.
        """
        roles = tuple(one.role for one in conversation.turns)
        if strange := sorted({str(one) for one in roles} - {"user", "assistant"}):
            raise DataError(f"the role {strange[0]!r}; expected 'user' or 'assistant'")
        return Parts(
            system=self.content(conversation.system) if conversation.system else [],
            turns=roles,
            texts=tuple(self.content(one.text) for one in conversation.turns),
        )

    def fill(self, parts: Parts, start: int, end: int, *, asking: bool) -> list[int]:
        """The ids of the turns from `start` to `end`, the system's text before them; `asking` opens a reply after them."""
        frame = self._frame(parts.turns[start:end], bool(parts.system), asking)
        ids = list(frame.pieces[0])
        for slot, piece in zip(frame.slots, frame.pieces[1:], strict=True):
            ids += self._text(parts, start, slot)
            ids += piece
        return ids

    def dropped(self, parts: Parts, end: int, room: int) -> int:
        """How many of the oldest turns before `end` must go for the prompt to fit; the last one stays, even where it does not."""
        texts = itertools.accumulate(len(text) for text in reversed(parts.texts[:end]))
        most = sum(1 for _ in itertools.takewhile(lambda size: size <= room, texts))  # more turns cannot fit
        fits = functools.partial(self._fits, parts, end, room)
        return bisect.bisect_left(range(end - 1), True, lo=min(end - most, end - 1), key=fits) if end else 0

    def _fits(self, parts: Parts, end: int, room: int, start: int) -> bool:
        return self.size(parts, start, end, asking=True) <= room

    def size(self, parts: Parts, start: int, end: int, *, asking: bool = False) -> int:
        """How many ids `learn`, or `fill` where it asks, makes of the turns."""
        frame = self._frame(parts.turns[start:end], bool(parts.system), asking)
        return frame.size + len(parts.system) + sum(map(len, parts.texts[start:end]))

    def learn(self, parts: Parts, start: int, learnt: int, end: int) -> EncodedDialogue:
        """The turns from `start` to `end`, with the replies from `learnt` on as labels."""
        frame = self._frame(parts.turns[start:end], bool(parts.system), asking=False)
        ids = list(frame.pieces[0])
        labels = [READ_ONLY] * len(ids)
        replies = 0
        for slot, piece in zip(frame.slots, frame.pieces[1:], strict=True):
            text = self._text(parts, start, slot)
            place = start + slot - 1
            if slot and place >= learnt and parts.turns[place] == "assistant":
                closing = len(self.closing)
                ids += text + list(self.closing) + list(piece[closing:])
                labels += text + list(self.closing) + [READ_ONLY] * len(piece[closing:])
                replies += 1
            else:
                ids += [*text, *piece]
                labels += [READ_ONLY] * (len(text) + len(piece))
        return EncodedDialogue(input_ids=ids, labels=labels, replies=replies)

    def _text(self, parts: Parts, start: int, slot: int) -> list[int]:
        return parts.texts[start + slot - 1] if slot else parts.system

    def _frame(self, roles: Sequence[Role], system: bool, asking: bool) -> _Frame:
        key = (tuple(roles), system, asking)
        if key not in self._frames:
            messages = self._messages(roles, system)
            if messages:
                self._frames[key] = self._render(messages, asking)
            else:  # transformers renders no empty conversation: the words before a first reply are those that ask for it
                self._frames[key] = _Frame(
                    pieces=self._frame(("assistant",), system, asking=False).pieces[:1], slots=()
                )
        return self._frames[key]

    def _messages(self, roles: Sequence[Role], system: bool) -> list[tuple[str, str]]:
        """Roles and slots as the template takes them; the system's slot is in the first question where there is no place for it."""
        messages = [(str(role), _slot(place)) for place, role in enumerate(roles, start=1)]
        begins = bool(messages) and messages[0][0] == "user"
        if system and self.has_system:
            told = [("system", _slot(0))]
            return [*told, *messages] if begins or not self.user_first else [*told, ("user", ""), *messages]
        if system and begins:
            return [("user", f"{_slot(0)}\n\n{_slot(1)}"), *messages[1:]]
        if system:
            return [("user", _slot(0)), *messages]
        return messages if begins or not self.user_first else [("user", ""), *messages]

    def _render(self, messages: Sequence[tuple[str, str]], asking: bool) -> _Frame:
        """The template around the slots."""
        text = self._written(messages, asking)
        pieces = _SLOT.split(text)
        slots = tuple(int(one) for one in pieces[1::2])
        expected = [int(one) for _, content in messages for one in _SLOT.findall(content)]
        if sorted(slots) != sorted(expected):
            raise RunError(
                f"the model's chat template writes the messages {list(slots)}; expected each of {expected} once"
            )
        return _Frame(
            pieces=tuple(tuple(self._literal(one, first=not place)) for place, one in enumerate(pieces[::2])),
            slots=slots,
        )

    def _written(self, messages: Sequence[tuple[str, str]], asking: bool) -> str:
        shown = [{"role": role, "content": content} for role, content in messages]
        return render_template(self.tokenizer, self._source, shown, asking=asking)

    def _works(self, messages: Sequence[tuple[str, str]]) -> bool:
        try:
            self._render(messages, asking=True)
        except TemplateLimitError:
            raise
        except RunError:
            return False
        return True

    def _spaced(self) -> bool:
        """Whether the template takes the space around a text away."""
        spaced = f" {_slot(0)} "
        return spaced not in self._written([("user", spaced)], asking=False)

    def _closing(self) -> tuple[int, ...]:
        """What ends a reply: the template's text up to its first control token, or the tokenizer's end token."""
        after = self._frame(("user", "assistant"), system=False, asking=False).pieces[-1]
        place = next((place for place, one in enumerate(after) if one in self.control_ids), None)
        if place is not None:
            return after[: place + 1]
        if self.tokenizer.eos_token_id is None:
            raise RunError("no token ends a reply: neither the chat template nor the tokenizer has one")
        return (int(self.tokenizer.eos_token_id),)

    def _openings(self) -> set[int]:
        """The first control token of what leads to each turn, behind what closes the turn before it; further ones may be a reply's own."""
        turns: tuple[Role, ...] = ("user", "assistant", "user")
        frames = [
            self._frame(turns, system, asking=True)
            for system in (False, True)
            if self.has_system or not system
        ]
        found = set()
        for piece in (piece for frame in frames for piece in frame.pieces):
            begins = len(self.closing) if piece[: len(self.closing)] == self.closing else 0
            found.update([one for one in piece[begins:] if one in self.control_ids][:1])
        return found

    def _steady(self) -> bool:
        """Whether a reply is asked for, and closed, in the same words wherever it stands."""
        try:
            return self._steady_with(system=False) and self._steady_with(system=True)
        except TemplateLimitError:
            raise
        except RunError:  # some write what the system says only where the last word is the user's
            return False

    def _steady_with(self, *, system: bool) -> bool:
        roles: tuple[Role, ...] = ("user", "assistant", "user", "assistant")
        whole = self._frame(roles, system, asking=False)
        for turns in (1, 3):
            asked = self._frame(roles[:turns], system, asking=True)
            if (
                asked.slots != whole.slots[: turns + system]
                or asked.pieces != whole.pieces[: turns + system + 1]
            ):
                return False
        return all(whole.pieces[place + system][: len(self.closing)] == self.closing for place in (2, 4))

    def _literal(self, text: str, *, first: bool) -> list[int]:
        if (text, first) not in self._literals:
            self._literals[text, first] = self.spelling.literal(text, first=first)
        return self._literals[text, first]
