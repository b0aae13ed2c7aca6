"""Conversations to token ids: the one place where a prompt is made, for training, evaluation and chat alike.

The tokenizer's chat template is rendered around placeholders, so that its own text, control tokens included, and what people wrote
never meet in one string: the template's part is encoded with its control tokens, a person's part without any.
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

DEFAULT_TEMPLATE = (
    "{% for message in messages %}{{ message.role }}:\n{{ message.content }}{{ eos_token }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:\n{% endif %}"
)
"""For models that bring none: each turn below its role, closed by the end token."""

READ_ONLY = -100
"""The label of a token that is read and not learnt, as torch's cross entropy has it."""

CARRY = 0.25
"""Share of the room that a part of a long conversation gives to the turns before it, which are only read."""

MAX_CHARACTERS = 1_000_000
"""A text is refused beyond this, before a tokenizer spends seconds on it."""

_SLOT = re.compile("\ue000(\\d+)\ue001")


def _slot(place: int) -> str:
    """Where the text of a message goes: 1 is the first turn, 0 what the system says."""
    return f"\ue000{place}\ue001"


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """What the model reads before it answers."""

    ids: list[int]
    dropped: int
    """How many of the oldest turns did not fit."""


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


def prompt(conversation: Conversation, tokenizer: Any, room: int) -> Prompt:
    """The ids that ask for the next reply, at most `room` of them: the system's text and as many of the last turns as fit.

    Raises:
        DataError: not even the last turn fits.
    """
    template = Template.of(tokenizer)
    parts = template.parts(conversation)
    dropped = template.dropped(parts, len(parts.turns), room)
    ids = template.fill(parts, dropped, len(parts.turns), asking=True)
    if len(ids) <= room:
        return Prompt(ids=ids, dropped=dropped)
    where = f"{conversation.where}: " if conversation.where else ""
    raise DataError(f"{where}the last turn, with all that goes around it, takes {len(ids):,} tokens; there is room for {room:,}")


def reply_ids(text: str, tokenizer: Any) -> list[int]:
    """The ids that answer a prompt with this text, the end token included."""
    template = Template.of(tokenizer)
    return [*template.content(text), *template.closing]


def content_ids(text: str, tokenizer: Any) -> list[int]:
    """The ids of what a person wrote; no control token is among them, whatever the text says."""
    return Template.of(tokenizer).content(text)


def encode(conversation: Conversation, tokenizer: Any, max_tokens: int) -> list[EncodedDialogue]:
    """The conversation in rows of at most `max_tokens`, each reply learnt once; replies that fit no row are left out.

    A template that writes a reply differently once another follows (some drop the model's thoughts) gets a row for each reply, so
    that each is learnt after the very prompt that will ask for it.
    """
    template = Template.of(tokenizer)
    parts = template.parts(conversation)
    if not template.is_steady:
        replies = [place for place, turn in enumerate(parts.turns) if turn == "assistant"]
        return [row for place in replies if (row := _single(template, parts, place, max_tokens))]
    rows = []
    for start, learnt, end in _windows(template, parts, max_tokens):
        row = template.learn(parts, start, learnt, end)
        if row.replies:
            rows.append(row)
    return rows


def _single(template: Template, parts: Parts, place: int, max_tokens: int) -> EncodedDialogue | None:
    """The reply at `place` after the prompt that asks for it; None where both do not fit."""
    answer = [*parts.texts[place], *template.closing]
    start = template.dropped(parts, place, max_tokens - len(answer))
    ids = template.fill(parts, start, place, asking=True)
    if len(ids) + len(answer) > max_tokens:
        return None
    return EncodedDialogue(input_ids=[*ids, *answer], labels=[READ_ONLY] * len(ids) + answer, replies=1)


def _windows(template: Template, parts: Parts, max_tokens: int) -> list[tuple[int, int, int]]:
    """(first turn read, first turn learnt, end) of each row."""
    count, start, learnt = len(parts.turns), 0, 0
    found = []
    while learnt < count:
        end = learnt
        while end < count and template.size(parts, start, end + 1) <= max_tokens:
            end += 1
        if learnt + 1 < end < count and parts.turns[end - 1] == "user":
            end -= 1  # a row ends with a reply, so that none is learnt without what it answers
        if end > learnt:
            found.append((start, learnt, end))
            learnt = start = end
            while start and template.size(parts, start - 1, end) <= CARRY * max_tokens:
                start -= 1
        elif start < learnt:
            start += 1  # with less before it the turn may fit
        else:
            learnt = start = learnt + 1  # it fits no row
    return found


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
        raise RunError(f"the model's chat templates are named {sorted(tokenizer.chat_template)}; expected one named 'default'") from None


class Template:
    """The chat template of a tokenizer, taken apart. `Template.of` is the way in."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self._source = _source(tokenizer)
        self.is_default = self._source == DEFAULT_TEMPLATE
        # Runs of spaces (SentencePiece's look like ▁▁) and single letters are text, though some tokenizers add them as tokens
        added = {
            number: one.content
            for number, one in tokenizer.added_tokens_decoder.items()
            if one.content.strip("▁ \t\r\n") and (one.special or len(one.content) > 1)
        }
        self.control_ids = frozenset(added)
        # Where bytes are not spelled out, what a tokenizer does not know becomes its unknown token: text, not control
        self._unknown = {tokenizer.unk_token_id} - {tokenizer.eos_token_id, tokenizer.bos_token_id}
        longest_first = sorted(added.values(), key=len, reverse=True)
        self._controls = re.compile("|".join(map(re.escape, longest_first)) or "(?!)")  # which matches nothing
        self._frames: dict[tuple[tuple[Role, ...], bool, bool], _Frame] = {}
        self._literals: dict[tuple[str, bool], list[int]] = {}
        self._line = self._bare("\n")
        self._prefixed = self._bare("\na") != [*self._line, *self._bare("a")]
        self.trims = self._trims()
        self.has_system = self._works([("system", _slot(0)), ("user", _slot(1))])
        self.user_first = not self._works([("assistant", _slot(1)), ("user", _slot(2))])
        self.closing = self._closing()
        self.end_id = self.closing[-1]
        self.is_steady = self._steady()

    @staticmethod
    @functools.lru_cache(maxsize=8)
    def of(tokenizer: Any) -> Template:
        """The template of a tokenizer.

        Raises:
            RunError: it cannot be rendered, or no token ends a reply.
        """
        return Template(tokenizer)

    def content(self, text: str) -> list[int]:
        """The ids of a person's text, without any control token.

        Raises:
            DataError: it is too long, or a control token can only be spelled as itself.
        """
        if len(text) > MAX_CHARACTERS:
            raise DataError(f"a text of {len(text):,} characters; expected at most {MAX_CHARACTERS:,}")
        if self.trims:
            text = text.strip()
        ids = self._plain(text)
        if self.control_ids.isdisjoint(ids):
            return ids
        # Tokens that are not marked as special are matched in any text: each is cut after its first character
        cuts = [0, *(found.start() + 1 for found in self._controls.finditer(text)), len(text)]
        ids = [one for start, end in itertools.pairwise(cuts) for one in self._plain(text[start:end])]
        if strange := (self.control_ids - self._unknown).intersection(ids):
            token = self.tokenizer.convert_ids_to_tokens(min(strange))
            raise DataError(f"the text holds {token!r}, which this model's tokenizer cannot spell as characters; cure: remove it")
        return ids

    def is_forged(self, text: str) -> bool:
        """Whether a text spells a control token: harmless, since it is read as plain characters, but worth a look."""
        return self._controls.search(text) is not None

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
                self._frames[key] = _Frame(pieces=self._frame(("assistant",), system, asking=False).pieces[:1], slots=())
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
            raise RunError(f"the model's chat template writes the messages {list(slots)}; expected each of {expected} once")
        return _Frame(pieces=tuple(tuple(self._literal(one, first=not place)) for place, one in enumerate(pieces[::2])), slots=slots)

    def _written(self, messages: Sequence[tuple[str, str]], asking: bool) -> str:
        shown = [{"role": role, "content": content} for role, content in messages]
        try:
            written: str = self.tokenizer.apply_chat_template(
                shown, chat_template=self._source, tokenize=False, add_generation_prompt=asking, enable_thinking=False
            )
        except Exception as error:  # a template is a program of its own and raises what it likes
            raise RunError(f"the model's chat template fails: {(str(error).splitlines() or [''])[0][:200]}") from None
        return written

    def _works(self, messages: Sequence[tuple[str, str]]) -> bool:
        try:
            self._render(messages, asking=True)
        except RunError:
            return False
        return True

    def _trims(self) -> bool:
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

    def _steady(self) -> bool:
        """Whether a reply is asked for, and closed, in the same words wherever it stands."""
        try:
            return self._steady_with(system=False) and self._steady_with(system=True)
        except RunError:  # some write what the system says only where the last word is the user's
            return False

    def _steady_with(self, *, system: bool) -> bool:
        roles: tuple[Role, ...] = ("user", "assistant", "user", "assistant")
        whole = self._frame(roles, system, asking=False)
        for turns in (1, 3):
            asked = self._frame(roles[:turns], system, asking=True)
            if asked.slots != whole.slots[: turns + system] or asked.pieces != whole.pieces[: turns + system + 1]:
                return False
        return all(whole.pieces[place + system][: len(self.closing)] == self.closing for place in (2, 4))

    def _literal(self, text: str, *, first: bool) -> list[int]:
        if (text, first) not in self._literals:
            self._literals[text, first] = self._encoded(text, split=False, first=first) if text else []
        return self._literals[text, first]

    def _plain(self, text: str) -> list[int]:
        return self._encoded(text, split=True, first=False) if text else []

    def _encoded(self, text: str, *, split: bool, first: bool) -> list[int]:
        """The ids of a piece; SentencePiece puts a space before the start of a text, which a piece in the middle must not get."""
        if first or not self._prefixed:
            return self._bare(text, split=split)
        ids = self._bare(f"\n{text}", split=split)
        return ids[len(self._line) :] if ids[: len(self._line)] == self._line else self._bare(text, split=split)

    def _bare(self, text: str, *, split: bool = True) -> list[int]:
        encoded: list[int] = self.tokenizer(text, add_special_tokens=False, split_special_tokens=split, verbose=False)["input_ids"]
        return encoded
