"""A tokenizer's chat template: fill in conversations, tell what ends a reply, label what is learned."""

from __future__ import annotations

import bisect
import functools
import itertools
from dataclasses import dataclass
from typing import Any

from nlpkit.data.examples import Conversation, Role
from nlpkit.errors import DataError, RunError
from nlpkit.prompts.frames import Frames
from nlpkit.prompts.rendering import TemplateLimitError
from nlpkit.prompts.safe_tokenizer import SafeTokenizer

READ_ONLY = -100
"""The label of a token that is context only; torch's cross entropy ignores it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EncodedDialogue:
    """A conversation, or a part of one, as a row of training data."""

    input_ids: list[int]
    labels: list[int]
    """Equal to the ids where a reply, or the token that ends it, is learned; READ_ONLY elsewhere."""
    replies: int
    """How many replies are learned."""

    @property
    def learned(self) -> int:
        """How many tokens are learned."""
        return sum(label != READ_ONLY for label in self.labels)


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """A conversation's texts as ids, apart from any template."""

    system: list[int]
    turns: tuple[Role, ...]
    texts: tuple[list[int], ...]


class ChatTemplate:
    """The chat template of a tokenizer. Made by `ChatTemplate.of`."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.safe_tokenizer: SafeTokenizer = SafeTokenizer(tokenizer)
        self.control_ids: frozenset[int] = self.safe_tokenizer.control_ids
        self._frames = Frames(tokenizer, self.safe_tokenizer)
        self.is_default: bool = self._frames.is_default
        self.has_system: bool = self._frames.has_system
        self.closing: tuple[int, ...] = self._closing()
        self.end_id: int = self.closing[-1]
        self.stops: frozenset[int] = (
            frozenset({self.end_id, tokenizer.eos_token_id} - {None}) | self._openings()
        )
        """Tokens that end a reply: its end token, and those that open a turn, which no model may write."""
        self.is_steady: bool = self._is_steady()

    @staticmethod
    @functools.lru_cache(maxsize=8)
    def of(tokenizer: Any) -> ChatTemplate:
        """Return the template of a tokenizer.

        Raises:
            RunError: it cannot be rendered, or no token ends a reply.
        """
        return ChatTemplate(tokenizer)

    def content(self, text: str) -> list[int]:
        """Return the ids of a person's text, without any control token.

        Raises:
            DataError: it is too long, or a control token in it cannot be spelled as characters.
        """
        return self.safe_tokenizer.encode_text(text.strip() if self._frames.strips_texts else text)

    def parts(self, conversation: Conversation) -> Parts:
        """Return the texts of a conversation as ids.

        Raises:
            DataError: a role is neither 'user' nor 'assistant'; a template would write it as it stands.
        """
        roles = tuple(turn.role for turn in conversation.turns)
        if strange := sorted({str(role) for role in roles} - {"user", "assistant"}):
            raise DataError(f"the role {strange[0]!r}; expected 'user' or 'assistant'")
        return Parts(
            system=self.content(conversation.system) if conversation.system else [],
            turns=roles,
            texts=tuple(self.content(turn.text) for turn in conversation.turns),
        )

    def fill(self, parts: Parts, start: int, end: int, *, add_generation_prompt: bool) -> list[int]:
        """Return the ids of the turns from `start` to `end` after the system prompt.

        Args:
            parts: the encoded conversation.
            start: the first turn.
            end: the turn after the last one.
            add_generation_prompt: whether the opening of a reply follows.
        """
        frame = self._frames.frame(
            parts.turns[start:end], system=bool(parts.system), add_generation_prompt=add_generation_prompt
        )
        ids = list(frame.literals[0])
        for slot, literal in zip(frame.slots, frame.literals[1:], strict=True):
            ids += self._text(parts, start, slot)
            ids += literal
        return ids

    def size(self, parts: Parts, start: int, end: int, *, add_generation_prompt: bool = False) -> int:
        """Return how many ids `learn` makes of the turns, or `fill` with a generation prompt."""
        frame = self._frames.frame(
            parts.turns[start:end], system=bool(parts.system), add_generation_prompt=add_generation_prompt
        )
        return frame.size + len(parts.system) + sum(map(len, parts.texts[start:end]))

    def dropped(self, parts: Parts, end: int, token_budget: int) -> int:
        """Return how many of the oldest turns before `end` must go for the prompt to fit the token budget.

        The last turn always stays, even if it does not fit.
        """
        if not end:
            return 0
        sizes = itertools.accumulate(len(text) for text in reversed(parts.texts[:end]))
        # The texts alone bound the number of turns: a template around thousands of them takes long to render
        most = sum(1 for _ in itertools.takewhile(lambda size: size <= token_budget, sizes))

        def fits(start: int) -> bool:
            return self.size(parts, start, end, add_generation_prompt=True) <= token_budget

        return bisect.bisect_left(range(end - 1), True, lo=min(end - most, end - 1), key=fits)

    def learn(self, parts: Parts, start: int, learned: int, end: int) -> EncodedDialogue:
        """Return the turns from `start` to `end`, with the replies from `learned` on as labels."""
        frame = self._frames.frame(
            parts.turns[start:end], system=bool(parts.system), add_generation_prompt=False
        )
        ids = list(frame.literals[0])
        labels = [READ_ONLY] * len(ids)
        replies = 0
        for slot, literal in zip(frame.slots, frame.literals[1:], strict=True):
            text = self._text(parts, start, slot)
            turn = start + slot - 1
            if slot and turn >= learned and parts.turns[turn] == "assistant":
                # The end token is learned with the reply; whatever the template writes after it is context
                after = list(literal[len(self.closing) :])
                ids += [*text, *self.closing, *after]
                labels += [*text, *self.closing] + [READ_ONLY] * len(after)
                replies += 1
            else:
                ids += [*text, *literal]
                labels += [READ_ONLY] * (len(text) + len(literal))
        return EncodedDialogue(input_ids=ids, labels=labels, replies=replies)

    @staticmethod
    def _text(parts: Parts, start: int, slot: int) -> list[int]:
        return parts.texts[start + slot - 1] if slot else parts.system

    def _closing(self) -> tuple[int, ...]:
        """Return what ends a reply: the template's text up to its first control token, else the end token."""
        frame = self._frames.frame(("user", "assistant"), system=False, add_generation_prompt=False)
        after = frame.literals[-1]
        first = next((index for index, token in enumerate(after) if token in self.control_ids), None)
        if first is not None:
            return after[: first + 1]
        if self.tokenizer.eos_token_id is None:
            raise RunError("no token ends a reply: neither the chat template nor the tokenizer has one")
        return (int(self.tokenizer.eos_token_id),)

    def _openings(self) -> set[int]:
        """Return the first control token before each turn, after what closes the turn before it.

        Further control tokens may belong to a reply.
        """
        roles: tuple[Role, ...] = ("user", "assistant", "user")
        openings = set()
        for system in (False, True) if self.has_system else (False,):
            for literal in self._frames.frame(roles, system=system, add_generation_prompt=True).literals:
                begin = len(self.closing) if literal[: len(self.closing)] == self.closing else 0
                openings.update([token for token in literal[begin:] if token in self.control_ids][:1])
        return openings

    def _is_steady(self) -> bool:
        """Return whether the template opens and closes a reply in the same way wherever it stands."""
        try:
            return self._is_steady_with(system=False) and self._is_steady_with(system=True)
        except TemplateLimitError:
            raise
        except RunError:  # some templates write the system prompt only where the user speaks last
            return False

    def _is_steady_with(self, *, system: bool) -> bool:
        roles: tuple[Role, ...] = ("user", "assistant", "user", "assistant")
        full = self._frames.frame(roles, system=system, add_generation_prompt=False)
        for turns in (1, 3):
            prompt = self._frames.frame(roles[:turns], system=system, add_generation_prompt=True)
            if (
                prompt.slots != full.slots[: turns + system]
                or prompt.literals != full.literals[: turns + system + 1]
            ):
                return False
        after_replies = [full.literals[number + system] for number in (2, 4)]
        return all(literal[: len(self.closing)] == self.closing for literal in after_replies)
