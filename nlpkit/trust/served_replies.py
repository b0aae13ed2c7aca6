"""A chat model as it is served, for explanations: what it reads, what it replies, how likely a reply is."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from nlpkit.data.examples import Conversation
from nlpkit.generation.chatbot import Chatbot
from nlpkit.generation.context import fit_prompt
from nlpkit.generation.language_model import LanguageModel, reply_budget
from nlpkit.generation.sampling import Sampling
from nlpkit.generation.speaker import Likelihood, RatesReplies
from nlpkit.prompts.build import build_prompt, encode_reply
from nlpkit.run import Run
from nlpkit.tasks.dialogue import Dialogue


@dataclass(frozen=True, kw_only=True)
class GivenReply:
    """A reply that was generated."""

    text: str
    is_cut: bool
    """Whether it reached the maximum length."""


class ExplainableModel(RatesReplies, Protocol):
    """What explanations ask of a chat model."""

    def prompted(self, conversation: Conversation) -> Conversation:
        """Return the conversation with the system prompt that the model gets."""
        ...

    def read(self, history: Conversation, reply: str) -> Conversation:
        """Return what the model reads of a prompted history before a reply: the last turns that fit.

        Raises:
            DataError: not even the last turn fits.
        """
        ...

    def answer(self, history: Conversation, *, seed: int) -> GivenReply:
        """Return what the model replies; the same seed gives the same reply.

        Raises:
            DataError: the last turn does not fit.
        """
        ...


class ServedReplies:
    """A language model with the prompts and the sampling settings of the chat."""

    def __init__(self, language: LanguageModel) -> None:
        self._language = language
        # A history without its system prompt must stay so: the task would put the run's own one there
        self._bare = copy.copy(language)
        self._bare.task = Dialogue()

    @classmethod
    def load(cls, run: Run | Path | str) -> ServedReplies:
        """Load the chat model of a dialogue run.

        Raises:
            RunError: it is no completed dialogue run, or its base, tokenizer or adapter has changed.
            SourceError: its base cannot be fetched.
        """
        return cls(LanguageModel.load(run))

    @property
    def name(self) -> str:
        """The run's name."""
        return self._language.name

    def prompted(self, conversation: Conversation) -> Conversation:
        """Return the conversation with the run's system prompt where it has none."""
        return self._language.task.with_system(conversation)

    def read(self, history: Conversation, reply: str) -> Conversation:
        """Return the turns that fit in the window with the reply, as the chat drops the oldest ones.

        They also fit where the template writes a longer system prompt in place of one that is left out.
        """
        window, tokenizer = self._language.window, self._language.tokenizer
        for_reply = min(len(encode_reply(reply, tokenizer)), window // 2)
        budget = window - max(for_reply, reply_budget(window, Sampling().max_new_tokens))
        shown = fit_prompt(history, tokenizer, budget, "drop_oldest").conversation
        dropped = build_prompt(replace(shown, system=""), tokenizer, budget).dropped
        return replace(shown, turns=shown.turns[dropped:])

    def log_likelihoods(self, history: Conversation, replies: Sequence[str]) -> Sequence[Likelihood]:
        """Return how likely each reply is after exactly this history, without any other system prompt.

        Raises:
            DataError: a reply takes more than half of the window.
        """
        return self._bare.log_likelihoods(history, replies)

    def answer(self, history: Conversation, *, seed: int) -> GivenReply:
        """Return the reply of the chat with its usual sampling settings."""
        with closing(Chatbot.of(self._language)) as chatbot:
            stream = chatbot.stream(history, sampling=Sampling(seed=seed))
            text = "".join(stream).strip()
        return GivenReply(text=text, is_cut=stream.finish == "length")
