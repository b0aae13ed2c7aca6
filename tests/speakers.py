"""Models made by hand, whose every number can be worked out on paper."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from nlpkit.data.examples import Conversation, Turn
from nlpkit.trust.served_replies import GivenReply


@dataclass(frozen=True)
class Likely:
    total: float
    tokens: int


def words(text: str) -> list[str]:
    return text.split()


@dataclass
class Unigram:
    """Ignores what was said: a word of n letters has the probability 1 / (n + 1), the end one of 1 / 2."""

    name: str = "unigram"
    asked: list[tuple[Conversation, tuple[str, ...]]] = field(default_factory=list)

    def log_likelihoods(self, history: Conversation, replies: Sequence[str]) -> list[Likely]:
        self.asked.append((history, tuple(replies)))
        return [
            Likely(
                sum(math.log(self.probability(word, history)) for word in words(one)) - math.log(2),
                len(words(one)) + 1,
            )
            for one in replies
        ]

    def probability(self, word: str, history: Conversation) -> float:
        return 1 / (len(word) + 1)

    def reply(self, history: Conversation, *, seed: int) -> str:
        return "I see what you mean"


@dataclass
class Copier(Unigram):
    """Uses what was said: 0.9 for a word of the last turn, 0.5 for one said before, 0.01 for a new one."""

    name: str = "copier"

    def probability(self, word: str, history: Conversation) -> float:
        *before, last = [words(turn.text) for turn in history.turns] or [[]]
        return 0.9 if word in last else 0.5 if any(word in one for one in before) else 0.01

    def reply(self, history: Conversation, *, seed: int) -> str:
        return history.turns[-1].text


def conversation(number: int, turns: int = 6) -> Conversation:
    """Build a talk whose every turn repeats a word of the last: `thing7 at2`, `thing7 at2 at3`, ..."""
    texts = [f"thing{number} at{number}x{turn} at{number}x{turn + 1}" for turn in range(turns)]
    roles = ("user", "assistant") * turns
    return Conversation(
        turns=tuple(Turn(role=role, text=text) for role, text in zip(roles, texts, strict=False)),
        id=f"c{number}",
        where=f"talks.jsonl, row {number}",
    )


def conversations(count: int, turns: int = 6) -> list[Conversation]:
    return [conversation(number, turns) for number in range(count)]


@dataclass
class Summing:
    """A chat model to which each message is worth so many nats, whatever stands around it.

    A reply has 4 tokens, and -10 nats by itself.
    """

    worth: dict[str, float]
    name: str = "summing"
    system: str = ""
    turns_read: int = 100
    says: str = "done"
    is_cut: bool = False
    asked: list[Conversation] = field(default_factory=list)

    def prompted(self, conversation: Conversation) -> Conversation:
        return replace(conversation, system=conversation.system or self.system)

    def read(self, history: Conversation, reply: str) -> Conversation:
        return replace(history, turns=history.turns[-self.turns_read :])

    def log_likelihoods(self, history: Conversation, replies: Sequence[str]) -> list[Likely]:
        self.asked.append(history)
        texts = [history.system, *(turn.text for turn in history.turns)]
        return [Likely(sum(self.worth.get(text, 0.0) for text in texts) - 10, 4) for _ in replies]

    def answer(self, history: Conversation, *, seed: int) -> GivenReply:
        return GivenReply(text=self.says, is_cut=self.is_cut)
