"""The bot of a run, or of a base as it is: conversations in, answers out while they are made."""

from __future__ import annotations

import copy
import dataclasses
import threading
from pathlib import Path

from nlpkit.data.examples import Conversation
from nlpkit.inference.answer import Answer, Bot, Busy, Finish, Usage
from nlpkit.inference.context import Context, Policy, fit_context
from nlpkit.inference.detokenizing import Pieces
from nlpkit.inference.engine import Engine
from nlpkit.inference.language import REPLY_ROOM, LanguageModel
from nlpkit.inference.recall import Embed, load_vectors
from nlpkit.inference.sampling import Sampler, Sampling
from nlpkit.inference.scheduler import Capacity, LocalAnswer, Scheduler, Work
from nlpkit.inference.torch_engine import TorchEngine
from nlpkit.models.pretrained import find_base, load_language_model, load_tokenizer, pick_device, window_of
from nlpkit.run import Run
from nlpkit.tasks.dialogue import Dialogue
from nlpkit.tasks.prompt import prompt

__all__ = ["Answer", "Bot", "Busy", "Chatbot", "Finish", "Usage"]

DEFAULT = "smollm2-135m"
"""The bot where no run is named."""

WINDOW = 2048
"""Tokens that a base without a run sees at most."""


class Chatbot:
    """A language model that answers several conversations at once. `Chatbot.load` and `Chatbot.default` are the ways in."""

    def __init__(
        self, language: LanguageModel, *, policy: Policy = "drop_oldest", capacity: Capacity | None = None,
        engine: Engine | None = None, embed: Embed | None = None,
    ) -> None:  # fmt: skip
        self.language = language
        self.policy = policy
        self.scheduler = Scheduler(engine or TorchEngine(language.model, threads=language.threads), capacity or Capacity())
        self.stops = frozenset({language.template.end_id, language.tokenizer.eos_token_id} - {None})
        # The thread that decodes must not meet those that encode: a tokenizer refuses to be used and set at once
        self._speller = copy.deepcopy(language.tokenizer)
        self._embed = embed
        self._looked = embed is not None
        self._looking = threading.Lock()

    @classmethod
    def load(
        cls, run: Run | Path | str, *, threads: int | None = None, policy: Policy = "drop_oldest", capacity: Capacity | None = None
    ) -> Chatbot:  # fmt: skip
        """The bot of a whole dialogue run.

        Raises:
            RunError: no whole dialogue run, or its base, tokenizer or adapter is not the one that it was trained with.
            SourceError: its base cannot be brought here.
        """
        return cls(LanguageModel.load(run, threads=threads), policy=policy, capacity=capacity)

    @classmethod
    def default(
        cls, source: str = DEFAULT, *, window: int = WINDOW, threads: int | None = None, policy: Policy = "drop_oldest",
        capacity: Capacity | None = None,
    ) -> Chatbot:  # fmt: skip
        """The bot of a base as it is, without any run.

        Raises:
            RunError: it is no language model.
            SourceError: it cannot be brought here.
        """
        folder, _ = find_base(source)
        tokenizer = load_tokenizer(folder)
        model = load_language_model(folder).to(pick_device())
        room = min(window, window_of(folder, tokenizer))
        return cls(
            LanguageModel(model, tokenizer, Dialogue(), window=room, threads=threads, name=source), policy=policy, capacity=capacity
        )  # fmt: skip

    @property
    def name(self) -> str:
        """The run's name, or the base's."""
        return self.language.name

    @property
    def window(self) -> int:
        """Tokens of a conversation and its answer together."""
        return self.language.window

    def stream(self, conversation: Conversation, *, sampling: Sampling | None = None, session: str = "") -> Answer:
        """The answer to the last turn. What was read of the session's earlier turns is not read again.

        Raises:
            DataError: the last turn does not fit.
            Busy: too many answers are waiting.
        """
        sampling = sampling or Sampling()
        shown, context = self._fitted(conversation, sampling)
        asked = prompt(shown, self.language.tokenizer, context.room).ids
        work = Work(
            asked=asked,
            sampler=Sampler(sampling, asked),
            text=Pieces(self._speller, self.language.template.control_ids),
            stops=self.stops,
            limit=min(sampling.max_new_tokens, self.window - len(asked)),
            session=session,
        )
        self.scheduler.submit(work)
        return LocalAnswer(work, context)

    def context(self, conversation: Conversation, sampling: Sampling | None = None) -> Context:
        """What the bot would see of a conversation, were it asked now.

        Raises:
            DataError: the last turn does not fit.
        """
        return self._fitted(conversation, sampling or Sampling())[1]

    def forget(self, session: str) -> None:
        """Let go of what is kept of a session, such as when its conversation is deleted."""
        self.scheduler.forget(session)

    def close(self) -> None:
        """Stop every answer; the bot takes no more."""
        self.scheduler.close()

    def _fitted(self, conversation: Conversation, sampling: Sampling) -> tuple[Conversation, Context]:
        room = self.window - min(sampling.max_new_tokens, int(self.window * REPLY_ROOM))
        told = self.language.task.told(conversation)
        if self.policy == "recall" and not self._looked:
            # The encoder is looked for when a turn is dropped for the first time: most conversations never need it
            shown, context = fit_context(told, self.language.tokenizer, room, "drop_oldest")
            if not context.dropped:
                return shown, dataclasses.replace(context, policy=self.policy)
            self._look()
        return fit_context(told, self.language.tokenizer, room, self.policy, embed=self._embed)

    def _look(self) -> None:
        with self._looking:
            if not self._looked:
                self._embed, self._looked = load_vectors(), True
