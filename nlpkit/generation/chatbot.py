"""The bot of a run, or of a base as it is: conversations in, answers out while they are made."""

from __future__ import annotations

import copy
import dataclasses
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from nlpkit.data.examples import Conversation
from nlpkit.files import sha256_of
from nlpkit.generation.completion import Completion
from nlpkit.generation.context import Context, Policy, fit_context
from nlpkit.generation.decoder import Decoder
from nlpkit.generation.detokenizer import Detokenizer
from nlpkit.generation.earlier_turns import Embed, load_vectors
from nlpkit.generation.genai_decoder import GenaiDecoder, Precision, exported
from nlpkit.generation.language_model import REPLY_ROOM, LanguageModel, read_dialogue_run
from nlpkit.generation.sampling import Sampler, Sampling
from nlpkit.generation.scheduler import Capacity, GenerationRequest, LocalCompletion, Scheduler
from nlpkit.generation.torch_decoder import TorchDecoder
from nlpkit.models.lora import WEIGHTS
from nlpkit.models.pretrained import find_base, load_language_model, load_tokenizer, pick_device, window_of
from nlpkit.prompts.build import build_prompt
from nlpkit.prompts.template import ChatTemplate
from nlpkit.run import Run
from nlpkit.tasks.dialogue import Dialogue

DEFAULT = "smollm2-135m"
"""The bot where no run is named."""

WINDOW = 2048
"""Tokens that a base without a run sees at most."""

Runtime: TypeAlias = Literal["torch", "onnx", "onnx-int8", "onnx-int4"]
"""What computes: torch; ONNX Runtime GenAI, faster on a CPU with the same tokens; the same with 8-bit or 4-bit weights, faster still."""
PRECISIONS: dict[Runtime, Precision] = {"onnx": "fp32", "onnx-int8": "int8", "onnx-int4": "int4"}

GENAI_CAPACITY = Capacity(active=2, kept=4)
"""Each answer and each kept conversation holds the memory of a whole window: 100 MB of a model of 135M parameters."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatProfile:
    """What a bot is besides its weights."""

    tokenizer: Any
    task: Dialogue
    window: int
    """Tokens of a conversation and its answer together."""
    name: str


class Chatbot:
    """A language model that answers several conversations at once. `Chatbot.load` and `Chatbot.default` are the ways in."""

    def __init__(
        self,
        voice: ChatProfile,
        engine: Decoder,
        *,
        policy: Policy = "drop_oldest",
        capacity: Capacity | None = None,
        embed: Embed | None = None,
    ) -> None:
        self.voice = voice
        self.policy = policy
        self.scheduler = Scheduler(engine, capacity or Capacity())
        self.template = ChatTemplate.of(voice.tokenizer)
        # The thread that decodes must not meet those that encode: a tokenizer refuses to be used and set at once
        self._speller = copy.deepcopy(voice.tokenizer)
        self._embed = embed
        self._looked = embed is not None
        self._looking = threading.Lock()

    @classmethod
    def of(
        cls,
        language: LanguageModel,
        *,
        policy: Policy = "drop_oldest",
        capacity: Capacity | None = None,
        embed: Embed | None = None,
    ) -> Chatbot:
        """The bot of a model that is loaded."""
        voice = ChatProfile(
            tokenizer=language.tokenizer, task=language.task, window=language.window, name=language.name
        )
        engine = TorchDecoder(language.model, threads=language.threads)
        return cls(voice, engine, policy=policy, capacity=capacity, embed=embed)

    @classmethod
    def load(
        cls,
        run: Run | Path | str,
        *,
        runtime: Runtime = "torch",
        threads: int | None = None,
        policy: Policy = "drop_oldest",
        capacity: Capacity | None = None,
    ) -> Chatbot:
        """The bot of a whole dialogue run.

        Raises:
            RunError: no whole dialogue run, or its base, tokenizer or adapter is not the one that it was trained with.
            SourceError: its base cannot be brought here.
            ConfigError: the runtime is not installed.
        """
        run = run if isinstance(run, Run) else Run.open(run)
        if runtime == "torch":
            return cls.of(LanguageModel.load(run, threads=threads), policy=policy, capacity=capacity)
        record, _ = read_dialogue_run(run)
        voice = ChatProfile(
            tokenizer=load_tokenizer(run.tokenizer),
            task=Dialogue.model_validate(record.task),
            window=record.max_tokens,
            name=run.name,
        )
        return cls._exported(
            voice, chat_identity(run), lambda: LanguageModel.load(run), runtime, threads, policy, capacity
        )

    @classmethod
    def default(
        cls,
        source: str = DEFAULT,
        *,
        window: int = WINDOW,
        runtime: Runtime = "torch",
        threads: int | None = None,
        policy: Policy = "drop_oldest",
        capacity: Capacity | None = None,
    ) -> Chatbot:
        """The bot of a base as it is, without any run.

        Raises:
            RunError: it is no language model.
            SourceError: it cannot be brought here.
            ConfigError: the runtime is not installed.
        """
        folder, base = find_base(source)
        tokenizer = load_tokenizer(folder)
        voice = ChatProfile(
            tokenizer=tokenizer,
            task=Dialogue(),
            window=min(window, window_of(folder, tokenizer)),
            name=source,
        )

        def language() -> LanguageModel:
            model = load_language_model(folder).to(pick_device())
            return LanguageModel(
                model, tokenizer, voice.task, window=voice.window, threads=threads, name=source
            )

        if runtime == "torch":
            return cls.of(language(), policy=policy, capacity=capacity)
        return cls._exported(
            voice, {"base": base.weights_sha256}, language, runtime, threads, policy, capacity
        )

    @classmethod
    def _exported(
        cls,
        voice: ChatProfile,
        identity: dict[str, str],
        language: Callable[[], LanguageModel],
        runtime: Runtime,
        threads: int | None,
        policy: Policy,
        capacity: Capacity | None,
    ) -> Chatbot:
        engine = GenaiDecoder(
            exported(name_of(voice.name), identity, PRECISIONS[runtime], language),
            window=voice.window,
            threads=threads,
        )
        return cls(voice, engine, policy=policy, capacity=capacity or GENAI_CAPACITY)

    @property
    def name(self) -> str:
        """The run's name, or the base's."""
        return self.voice.name

    @property
    def window(self) -> int:
        """Tokens of a conversation and its answer together."""
        return self.voice.window

    def stream(
        self, conversation: Conversation, *, sampling: Sampling | None = None, session: str = ""
    ) -> Completion:
        """The answer to the last turn. What was read of the session's earlier turns is not read again.

        Raises:
            DataError: the last turn does not fit.
            OverloadedError: too many answers are waiting.
        """
        sampling = sampling or Sampling()
        shown, context = self._fitted(conversation, sampling)
        asked = build_prompt(shown, self.voice.tokenizer, context.room).ids
        work = GenerationRequest(
            asked=asked,
            sampler=Sampler(sampling, asked),
            text=Detokenizer(self._speller, self.template.control_ids),
            stops=self.template.stops,
            limit=min(sampling.max_new_tokens, self.window - len(asked)),
            session=session,
        )
        self.scheduler.submit(work)
        return LocalCompletion(work, context)

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
        told = self.voice.task.told(conversation)
        if self.policy == "recall" and not self._looked:
            # The encoder is looked for when a turn is dropped for the first time: most conversations never need it
            shown, context = fit_context(told, self.voice.tokenizer, room, "drop_oldest")
            if not context.dropped:
                return shown, dataclasses.replace(context, policy=self.policy)
            self._look()
        return fit_context(told, self.voice.tokenizer, room, self.policy, embed=self._embed)

    def _look(self) -> None:
        with self._looking:
            if not self._looked:
                self._embed, self._looked = load_vectors(), True


def chat_identity(run: Run) -> dict[str, str]:
    """What a run's replies come from: another adapter or base is another export."""
    return {"base": run.read().base.weights_sha256, "adapter": sha256_of([run.adapter / WEIGHTS])}


def name_of(name: str) -> str:
    """A run's or base's name as part of a folder's."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", Path(name).name)
