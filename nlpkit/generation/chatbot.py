"""The chat model of a run, or of a base as it is: conversations in, replies out while they are generated."""

from __future__ import annotations

import copy
import dataclasses
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlpkit.data.examples import Conversation
from nlpkit.generation.capacity import Capacity
from nlpkit.generation.completion import Completion
from nlpkit.generation.context import Context, FittedPrompt, Policy, fit_prompt
from nlpkit.generation.decoder import Decoder
from nlpkit.generation.detokenizer import Detokenizer
from nlpkit.generation.earlier_turns import Embed, load_encoder
from nlpkit.generation.export_chat import chat_identity
from nlpkit.generation.fast_runtime import Export, Weights, choose_runtime, is_worth_exporting
from nlpkit.generation.json_constraint import JsonConstraint, JsonConstraints
from nlpkit.generation.language_model import LanguageModel, read_dialogue_run, reply_budget
from nlpkit.generation.local_completion import GenerationRequest, LocalCompletion
from nlpkit.generation.reply_format import ReplyFormat
from nlpkit.generation.runtimes import AUTO, RUNTIMES
from nlpkit.generation.sampling import Sampler, Sampling
from nlpkit.generation.scheduler import Scheduler
from nlpkit.generation.torch_decoder import TorchDecoder
from nlpkit.models.bases import find_base
from nlpkit.models.pretrained import load_language_model, load_tokenizer, pick_device, window_of
from nlpkit.models.runtimes import find_runtime
from nlpkit.prompts.template import ChatTemplate
from nlpkit.run import BUILT_IN_CHAT_MODEL, PACKAGE, Run
from nlpkit.tasks.dialogue import Dialogue

WINDOW = 2048
"""Tokens that a base without a run sees at most."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatProfile:
    """What a chat model is apart from its weights."""

    tokenizer: Any
    task: Dialogue
    window: int
    """Tokens of a conversation and its reply together."""
    name: str


class Chatbot:
    """A language model that replies in several conversations at once.

    Made by `Chatbot.load` or `Chatbot.default`.
    """

    def __init__(
        self,
        profile: ChatProfile,
        decoder: Decoder,
        *,
        policy: Policy = "drop_oldest",
        capacity: Capacity | None = None,
        embed: Embed | None = None,
    ) -> None:
        self.profile = profile
        self.policy = policy
        self.scheduler: Scheduler = Scheduler(decoder, capacity or Capacity())
        self.template: ChatTemplate = ChatTemplate.of(profile.tokenizer)
        # Decoding and encoding run in different threads, and a tokenizer cannot be used and set at once
        self._decoding_tokenizer = copy.deepcopy(profile.tokenizer)
        self._constraints = JsonConstraints(self._decoding_tokenizer, self.template)
        self.runtime: str = "torch"
        """The name of the runtime that replies."""
        self.export: Export | None = None
        """The export to a faster runtime that was begun when this was opened, if any."""
        self._former: Callable[[], Scheduler | None] = lambda: None
        self._embed = embed
        self._has_looked_for_encoder = embed is not None
        self._encoder_lock = threading.Lock()

    @classmethod
    def of(
        cls,
        language: LanguageModel,
        *,
        policy: Policy = "drop_oldest",
        capacity: Capacity | None = None,
        embed: Embed | None = None,
    ) -> Chatbot:
        """Return the chat model of a language model that is loaded."""
        profile = ChatProfile(
            tokenizer=language.tokenizer, task=language.task, window=language.window, name=language.name
        )
        decoder = TorchDecoder(language.model, threads=language.threads)
        return cls(profile, decoder, policy=policy, capacity=capacity, embed=embed)

    @classmethod
    def load(
        cls,
        run: Run | Path | str,
        *,
        runtime: str = "torch",
        threads: int | None = None,
        policy: Policy = "drop_oldest",
        capacity: Capacity | None = None,
    ) -> Chatbot:
        """Load the chat model of a completed dialogue run.

        Args:
            run: or its folder.
            runtime: a name in the table of runtimes, whose export is made once, if it needs one; or "auto".
            threads: processor threads; None: all that this process may use.
            policy: what becomes of turns that no longer fit.
            capacity: None: what suits the runtime.

        Raises:
            RunError: it is no completed dialogue run, or its base, tokenizer or adapter has changed.
            SourceError: its base cannot be fetched.
            ConfigError: the runtime is unknown or not installed.
        """
        run = run if isinstance(run, Run) else Run.open(run)
        record, _ = read_dialogue_run(run)
        profile = ChatProfile(
            tokenizer=load_tokenizer(run.tokenizer),
            task=Dialogue.model_validate(record.task),
            window=record.max_tokens,
            name=run.name,
        )
        weights = Weights(
            identity=chat_identity(run),
            load=lambda: LanguageModel.load(run, threads=threads),
            threads=threads,
            source={"source": str(run.path), "window": None},
        )
        return cls._open(profile, weights, runtime, policy=policy, capacity=capacity)

    @classmethod
    def default(
        cls,
        source: str | None = None,
        *,
        window: int = WINDOW,
        runtime: str = "torch",
        threads: int | None = None,
        policy: Policy = "drop_oldest",
        capacity: Capacity | None = None,
    ) -> Chatbot:
        """Load the built-in chat model, or a base as it is, without any run.

        Args:
            source: of the base: a path, `hub:org/name` or a name of the catalog. None: the built-in chat
                model, which is a run on smollm2-135m.
            window: tokens that a base sees at most.
            runtime: as for `load`, and so are the others.
            threads: processor threads.
            policy: what becomes of turns that no longer fit.
            capacity: None: what suits the runtime.

        Raises:
            RunError: it is no language model.
            SourceError: it cannot be fetched.
            ConfigError: the runtime is unknown or not installed.
        """
        if source is None:
            built_in = Run.open(PACKAGE / BUILT_IN_CHAT_MODEL)
            return cls.load(built_in, runtime=runtime, threads=threads, policy=policy, capacity=capacity)
        folder, base = find_base(source)
        tokenizer = load_tokenizer(folder)
        window = min(window, window_of(folder, tokenizer))
        profile = ChatProfile(tokenizer=tokenizer, task=Dialogue(), window=window, name=source)

        def load_model() -> LanguageModel:
            model = load_language_model(folder).to(pick_device())
            return LanguageModel(model, tokenizer, profile.task, window=window, threads=threads, name=source)

        weights = Weights(
            identity={"base": base.weights_sha256},
            load=load_model,
            threads=threads,
            source={"source": source, "window": window},
        )
        return cls._open(profile, weights, runtime, policy=policy, capacity=capacity)

    @classmethod
    def _open(
        cls,
        profile: ChatProfile,
        weights: Weights,
        runtime: str,
        *,
        policy: Policy,
        capacity: Capacity | None,
    ) -> Chatbot:
        """Return a chat model in a runtime; with AUTO it changes to the fast one once that is there."""
        now = choose_runtime(runtime, profile.name, weights.identity)
        if find_runtime(now, RUNTIMES).open is not None:
            decoder, usual = weights.open_export(profile.name, profile.window, now)
            bot = cls(profile, decoder, policy=policy, capacity=capacity or usual)
            bot.runtime = now
            return bot
        language = weights.load()
        bot = cls.of(language, policy=policy, capacity=capacity)
        size = sum(weight.nbytes for weight in language.model.parameters())
        if runtime == AUTO and is_worth_exporting(size):
            bot.export = Export(bot, weights, capacity)
        return bot

    def change(self, runtime: str, decoder: Decoder, capacity: Capacity) -> None:
        """Reply in another runtime from now on; replies that are being generated go on as they began."""
        former, self.scheduler = self.scheduler, Scheduler(decoder, capacity)
        self._former, self.runtime = weakref.ref(former), runtime

    @property
    def name(self) -> str:
        """The run's name, or the base's."""
        return self.profile.name

    @property
    def window(self) -> int:
        """Tokens of a conversation and its reply together."""
        return self.profile.window

    def tokens(self, text: str) -> int:
        """Return how many tokens the text has in a conversation."""
        return len(self.template.content(text))

    def stream(
        self,
        conversation: Conversation,
        *,
        sampling: Sampling | None = None,
        session: str = "",
        reply_format: ReplyFormat | None = None,
    ) -> Completion:
        """Start generating the reply to the last turn, or the rest of a reply.

        Args:
            conversation: ends with the user's turn, or with a reply to continue.
            sampling: how tokens are chosen.
            session: names the conversation, so that its earlier turns are not read again.
            reply_format: None: any text.

        Raises:
            DataError: the last turn does not fit.
            OverloadedError: too many replies are waiting.
            ReplyFormatError: no reply can be in this format.
        """
        sampling = sampling or Sampling()
        prompt = self._fit(conversation, sampling)
        begun = self._begun(conversation)
        ids = [*prompt.ids, *begun]
        constraint = self._constraints.new(reply_format) if reply_format else None
        request = GenerationRequest(
            prompt_ids=ids,
            sampler=self._sampler(sampling, conversation, constraint),
            detokenizer=Detokenizer(self._decoding_tokenizer, self.template.control_ids, begun),
            stops=self.template.stops,
            max_new_tokens=min(sampling.max_new_tokens, self.window - len(ids)),
            session=session,
        )
        self.scheduler.submit(request)
        return LocalCompletion(request, prompt.context)

    def context(self, conversation: Conversation, sampling: Sampling | None = None) -> Context:
        """Return what the model would see of a conversation if it replied now.

        Raises:
            DataError: the last turn does not fit.
        """
        return self._fit(conversation, sampling or Sampling()).context

    @property
    def runs_on(self) -> str:
        """The runtime that replies, and what becomes of a faster one."""
        return "; ".join(filter(None, [self.runtime, str(self.export or "")]))

    def forget(self, session: str) -> None:
        """Drop the cache of a session, for example when its conversation is deleted."""
        self.scheduler.forget(session)

    def close(self) -> None:
        """Stop every reply and accept no more."""
        if self.export:
            self.export.stop()
        if former := self._former():
            former.close()
        self.scheduler.close()

    def _sampler(
        self, sampling: Sampling, conversation: Conversation, constraint: JsonConstraint | None
    ) -> Sampler:
        replies = [turn.text for turn in conversation.turns if turn.role == "assistant"]
        latest = self.template.content(replies[-1]) if replies else []
        exempt = frozenset(self.template.control_ids | self.template.stops)
        return Sampler(sampling, latest, exempt=exempt, constraint=constraint)

    def _fit(self, conversation: Conversation, sampling: Sampling) -> FittedPrompt:
        for_reply = reply_budget(self.window, sampling.max_new_tokens)
        begun = self._begun(conversation)
        if begun:
            conversation = dataclasses.replace(conversation, turns=conversation.turns[:-1])
        return fit_prompt(
            self.profile.task.with_system(conversation),
            self.profile.tokenizer,
            self.window - for_reply - len(begun),
            self.policy,
            load_embed=self._load_embed,
        )

    def _begun(self, conversation: Conversation) -> list[int]:
        """Return the ids of the reply that is to be continued, if the conversation ends with one.

        The space at its end is left out: it belongs to the next word's token.
        """
        last = conversation.turns[-1] if conversation.turns else None
        if last is None or last.role != "assistant":
            return []
        return self.template.content(last.text.rstrip())

    def _load_embed(self) -> Embed | None:
        """Load the encoder when turns are recalled for the first time: most conversations never need it."""
        with self._encoder_lock:
            if not self._has_looked_for_encoder:
                self._embed, self._has_looked_for_encoder = load_encoder(), True
        return self._embed
