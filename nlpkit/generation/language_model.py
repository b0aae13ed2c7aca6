"""The language model of a run: generates replies and scores their likelihood, for evaluation and chat."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlpkit.data.examples import Conversation
from nlpkit.errors import DataError, NlpkitError, RunError
from nlpkit.models.batching import batches
from nlpkit.models.lora import load_adapter
from nlpkit.models.pretrained import (
    load_language_model,
    load_tokenizer,
    pick_device,
    quiet,
)
from nlpkit.models.run_base import find_run_base
from nlpkit.prompts.build import build_prompt, encode_reply
from nlpkit.prompts.template import ChatTemplate
from nlpkit.run import Run
from nlpkit.run_record import RunRecord
from nlpkit.tasks.dialogue import Dialogue
from nlpkit.tasks.task import chat_task_from

if TYPE_CHECKING:
    import torch

REPLY_SHARE = 0.25
"""Share of the window that is reserved for the reply."""

CPU_TOKENS = 256
GPU_TOKENS = 8192
"""Tokens of candidate replies in one forward pass."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplyLikelihood:
    """The log-likelihood of a reply."""

    total: float
    """Sum of the natural logarithms of its tokens' probabilities, the end token included."""
    tokens: int

    @property
    def mean(self) -> float:
        """Per token."""
        return self.total / self.tokens


def reply_budget(window: int, max_new_tokens: int) -> int:
    """Return how many tokens of a window are reserved for a reply."""
    return min(max_new_tokens, int(window * REPLY_SHARE))


def read_dialogue_run(run: Run) -> tuple[RunRecord, Path]:
    """Return the record of a dialogue run and the folder of its base.

    Raises:
        RunError: it is no completed dialogue run, or its base has changed since training.
        SourceError: its base cannot be fetched.
    """
    record = run.read_verified()
    try:
        chat_task_from(record.task)
    except RunError as error:
        raise RunError(f"{run.path}: {error}") from None
    return record, find_run_base(run, record)


class LanguageModel:
    """A causal model, its tokenizer and its task. Made by `LanguageModel.load`."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        task: Dialogue,
        *,
        window: int,
        threads: int | None = None,
        name: str = "",
    ) -> None:
        self.model: Any = model.eval()
        self.tokenizer = tokenizer
        self.task = task
        self.window = window
        self.threads = threads
        self.name = name
        self.template: ChatTemplate = ChatTemplate.of(tokenizer)

    @classmethod
    def load(cls, run: Run | Path | str, *, threads: int | None = None) -> LanguageModel:
        """Load the trained model of a completed dialogue run, its adapter merged into the base.

        Raises:
            RunError: it is no completed dialogue run, or its base, tokenizer or adapter has changed.
            SourceError: its base cannot be fetched.
        """
        return cls._load(run if isinstance(run, Run) else Run.open(run), threads, adapted=True)

    @classmethod
    def without_adapter(cls, run: Run | Path | str, *, threads: int | None = None) -> LanguageModel:
        """Load the base of a run without its adapter, to be used with the run's own prompts."""
        return cls._load(run if isinstance(run, Run) else Run.open(run), threads, adapted=False)

    @classmethod
    def _load(cls, run: Run, threads: int | None, *, adapted: bool) -> LanguageModel:
        record, folder = read_dialogue_run(run)
        model = load_language_model(folder)
        model = load_adapter(model, run.adapter) if adapted else model
        return cls(
            model.to(pick_device()), load_tokenizer(run.tokenizer), Dialogue.model_validate(record.task),
            window=record.max_tokens, threads=threads, name=run.name if adapted else record.base.source,
        )  # fmt: skip

    @property
    def device(self) -> torch.device:
        """The device that holds the model."""
        device: torch.device = next(self.model.parameters()).device
        return device

    def log_likelihoods(self, history: Conversation, replies: Sequence[str]) -> list[ReplyLikelihood]:
        """Return how likely each reply is after the same history, which is read once for all of them.

        Raises:
            DataError: the last turn, or a reply, does not fit the window.
        """
        import torch

        answers = [encode_reply(reply, self.tokenizer) for reply in replies]
        longest = max(map(len, answers))
        if longest > self.window // 2:
            raise DataError(
                f"a reply of {longest:,} tokens; expected at most {self.window // 2:,}, half of the window"
            )
        prompt = build_prompt(self.task.with_system(history), self.tokenizer, self.window - longest).ids
        batch_tokens = CPU_TOKENS if self.device.type == "cpu" else GPU_TOKENS
        likelihoods: dict[int, ReplyLikelihood] = {}
        with torch.inference_mode(), self._with_threads():
            read = self.model(
                input_ids=torch.tensor([prompt], device=self.device), use_cache=True, logits_to_keep=1
            )
            first = torch.log_softmax(read.logits[0, -1].float(), dim=-1)  # (vocabulary,)
            # Replies of similar length share a batch; else most of it would be padding
            for batch in batches([len(answer) for answer in answers], batch_tokens):
                scored = self._score(read.past_key_values, first, [answers[index] for index in batch])
                likelihoods.update(zip(batch, scored, strict=True))
        return [likelihoods[index] for index in range(len(answers))]

    def _score(self, cache: Any, first: torch.Tensor, answers: Sequence[list[int]]) -> list[ReplyLikelihood]:
        """Return the likelihoods of answers that each follow the same cached prompt.

        Args:
            cache: keys and values of the prompt, `(1, heads, time, size)` a layer.
            first: log-probabilities of an answer's first token, `(vocabulary,)`.
            answers: ids of each, the end token included.
        """
        import copy

        import torch

        width = max(map(len, answers)) - 1
        totals = first[[answer[0] for answer in answers]].double()  # (batch,)
        if width:
            # Each token predicts the next: (batch, time), where -100 is ignored
            ids = torch.full((len(answers), width), self.tokenizer.pad_token_id or 0, device=self.device)
            targets = torch.full((len(answers), width), -100, device=self.device)
            for row, answer in enumerate(answers):
                ids[row, : len(answer) - 1] = torch.tensor(answer[:-1], device=self.device)
                targets[row, : len(answer) - 1] = torch.tensor(answer[1:], device=self.device)
            branch = copy.deepcopy(cache)
            branch.batch_repeat_interleave(len(answers))
            # Padding stands at the end, where no token that counts attends to it, so no mask is needed
            logits = self.model(input_ids=ids, past_key_values=branch, use_cache=True).logits.float()
            losses = torch.nn.functional.cross_entropy(
                logits.flatten(0, 1), targets.flatten(), reduction="none", ignore_index=-100
            )
            totals -= losses.view(len(answers), width).double().sum(dim=1)
        return [
            ReplyLikelihood(total=total, tokens=len(answer))
            for total, answer in zip(totals.tolist(), answers, strict=True)
        ]

    def reply(
        self,
        history: Conversation,
        *,
        seed: int,
        max_new_tokens: int = 128,
        temperature: float = 0.7,
        top_p: float = 0.9,
    ) -> str:
        """Generate one reply to a history. Equal seeds give equal replies.

        Args:
            history: ends with the user's turn.
            seed: of the random choices.
            max_new_tokens: tokens of the reply at most.
            temperature: 0 takes the most likely token each time.
            top_p: nucleus sampling: the most likely tokens with this total probability.

        Raises:
            DataError: the last turn does not fit the window.
            NlpkitError: it does not fit the device's memory.
        """
        import torch
        from transformers import GenerationConfig

        for_reply = reply_budget(self.window, max_new_tokens)
        prompt = build_prompt(self.task.with_system(history), self.tokenizer, self.window - for_reply).ids
        settings = GenerationConfig(
            max_new_tokens=min(max_new_tokens, self.window - len(prompt)),
            do_sample=temperature > 0,
            eos_token_id=sorted(self.template.stops),
            pad_token_id=self.tokenizer.pad_token_id,
            **({"temperature": temperature, "top_p": top_p, "top_k": 0} if temperature > 0 else {}),
        )
        ids = torch.tensor([prompt], device=self.device)
        try:
            with torch.random.fork_rng(), torch.inference_mode(), self._with_threads():
                torch.manual_seed(seed)
                output = self.model.generate(
                    input_ids=ids, attention_mask=torch.ones_like(ids), generation_config=settings
                )
        except torch.OutOfMemoryError as error:
            gc.collect()
            raise NlpkitError(
                f"a prompt of {len(prompt)} tokens does not fit the memory of {self.device}"
            ) from error
        new = [token for token in output[0, len(prompt) :].tolist() if token not in self.template.control_ids]
        text: str = self.tokenizer.decode(new)
        return text.strip()

    @contextmanager
    def _with_threads(self) -> Iterator[None]:
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(self.threads or before)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def save_language_model(language: LanguageModel, folder: Path) -> None:
    """Write the model and its tokenizer to a folder that any program reads.

    Other programs stop at the end-of-sequence tokens of its settings. These become the tokens that end the
    template's replies.
    """
    model = language.model
    ends = sorted(ChatTemplate.of(language.tokenizer).stops)
    model.generation_config.eos_token_id = ends if len(ends) > 1 else ends[0]
    model.config.eos_token_id = model.generation_config.eos_token_id
    with quiet():
        model.save_pretrained(folder, safe_serialization=True)
        language.tokenizer.save_pretrained(folder)
