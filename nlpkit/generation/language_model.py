"""A run's language model: conversations in, replies and their likelihoods out. Evaluation and chat load this one."""

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
    find_base,
    load_language_model,
    load_tokenizer,
    pick_device,
    quiet,
    refuse_other_base,
    source_of,
)
from nlpkit.prompts.build import build_prompt, encode_reply
from nlpkit.prompts.template import ChatTemplate
from nlpkit.run import Run, RunRecord
from nlpkit.tasks.dialogue import Dialogue

if TYPE_CHECKING:
    import torch

REPLY_ROOM = 0.25
"""Share of the window that is kept free for the reply."""

CPU_TOKENS = 256
GPU_TOKENS = 8192
"""Tokens of candidate replies in one forward pass."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplyLikelihood:
    """How likely a reply is."""

    total: float
    """Sum of the natural logarithms of its tokens' probabilities, the end token included."""
    tokens: int

    @property
    def mean(self) -> float:
        """Of a token."""
        return self.total / self.tokens


def read_dialogue_run(run: Run) -> tuple[RunRecord, Path]:
    """What a dialogue run says of itself, and the folder of its base.

    Raises:
        RunError: no whole dialogue run, or its base is not the one that it was trained with.
        SourceError: its base cannot be brought here.
    """
    record = run.read()
    if record.task.get("kind") != "dialogue":
        raise RunError(f"{run.path}: a run of the task {record.task.get('kind')!r}; expected a dialogue run")
    folder, found = find_base(source_of(record.base))
    refuse_other_base(run.path, record.base, found)
    return record, folder


class LanguageModel:
    """A causal model, its tokenizer and its task. `LanguageModel.load` is the way in."""

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
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.task = task
        self.window = window
        self.threads = threads
        self.name = name
        self.template = ChatTemplate.of(tokenizer)

    @classmethod
    def load(cls, run: Run | Path | str, *, threads: int | None = None) -> LanguageModel:
        """The tuned model of a whole dialogue run, its adapter merged into the base.

        Raises:
            RunError: no whole dialogue run, or its base, tokenizer or adapter is not the one that it was trained with.
            SourceError: its base cannot be brought here.
        """
        return cls._load(run if isinstance(run, Run) else Run.open(run), threads, adapted=True)

    @classmethod
    def without_adapter(cls, run: Run | Path | str, *, threads: int | None = None) -> LanguageModel:
        """The base of a run as it was before, asked with the run's own prompts."""
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
        """Where the model computes."""
        device: torch.device = next(self.model.parameters()).device
        return device

    def log_likelihoods(self, history: Conversation, replies: Sequence[str]) -> list[ReplyLikelihood]:
        """How likely each reply is after the same history, which is read once for all of them.

        Raises:
            DataError: the last turn, or a reply, does not fit the window.
        """
        import torch

        answers = [encode_reply(one, self.tokenizer) for one in replies]
        longest = max(map(len, answers))
        if longest > self.window // 2:
            raise DataError(
                f"a reply of {longest:,} tokens; expected at most {self.window // 2:,}, half of what the model reads at once"
            )
        asked = build_prompt(self.task.told(history), self.tokenizer, self.window - longest).ids
        with torch.inference_mode(), self._with_threads():
            read = self.model(
                input_ids=torch.tensor([asked], device=self.device), use_cache=True, logits_to_keep=1
            )
            first = torch.log_softmax(read.logits[0, -1].float(), dim=-1)
            found: dict[int, ReplyLikelihood] = {}
            # Replies of like length share a batch: beside the longest of twenty, most of a batch would be padding.
            for batch in batches(
                [len(one) for one in answers], CPU_TOKENS if self.device.type == "cpu" else GPU_TOKENS
            ):
                some = self._continue(
                    read.past_key_values, len(asked), first, [answers[place] for place in batch]
                )
                found.update(zip(batch, some, strict=True))
        return [found[place] for place in range(len(answers))]

    def _continue(
        self, cache: Any, past: int, first: torch.Tensor, answers: Sequence[list[int]]
    ) -> list[ReplyLikelihood]:
        """Likelihoods of answers, each after the same cached prompt; `first` holds the log-probabilities of their first tokens."""
        import copy

        import torch

        width = max(len(one) for one in answers) - 1
        totals = first[[one[0] for one in answers]].double()
        if width:
            ids = torch.full((len(answers), width), self.tokenizer.pad_token_id or 0, device=self.device)
            wanted = torch.full((len(answers), width), -100, device=self.device)
            for row, one in enumerate(answers):
                ids[row, : len(one) - 1] = torch.tensor(one[:-1], device=self.device)
                wanted[row, : len(one) - 1] = torch.tensor(one[1:], device=self.device)
            branch = copy.deepcopy(cache)
            branch.batch_repeat_interleave(len(answers))
            # Padding stands at the end, where no token that counts can see it
            logits = self.model(input_ids=ids, past_key_values=branch, use_cache=True).logits.float()
            losses = torch.nn.functional.cross_entropy(
                logits.flatten(0, 1), wanted.flatten(), reduction="none", ignore_index=-100
            )
            totals -= losses.view(len(answers), width).double().sum(dim=1)
        return [
            ReplyLikelihood(total=total, tokens=len(one))
            for total, one in zip(totals.tolist(), answers, strict=True)
        ]

    @property
    def _room(self) -> int:
        """Tokens that a reply may have at most."""
        return int(self.window * REPLY_ROOM)

    def reply(
        self,
        history: Conversation,
        *,
        seed: int,
        max_new_tokens: int = 128,
        temperature: float = 0.7,
        top_p: float = 0.9,
    ) -> str:
        """One reply to a history; temperature 0 takes the likeliest token each time. Equal seeds give equal replies.

        Raises:
            DataError: the last turn does not fit the window.
            NlpkitError: it does not fit the device's memory.
        """
        import torch
        from transformers import GenerationConfig

        asked = build_prompt(
            self.task.told(history), self.tokenizer, self.window - min(max_new_tokens, self._room)
        ).ids
        settings = GenerationConfig(
            max_new_tokens=min(max_new_tokens, self.window - len(asked)),
            do_sample=temperature > 0,
            eos_token_id=sorted(self.template.stops),
            pad_token_id=self.tokenizer.pad_token_id,
            **({"temperature": temperature, "top_p": top_p, "top_k": 0} if temperature > 0 else {}),
        )
        ids = torch.tensor([asked], device=self.device)
        try:
            with torch.random.fork_rng(), torch.inference_mode(), self._with_threads():
                torch.manual_seed(seed)
                made = self.model.generate(
                    input_ids=ids, attention_mask=torch.ones_like(ids), generation_config=settings
                )
        except torch.OutOfMemoryError as error:
            gc.collect()
            raise NlpkitError(
                f"a prompt of {len(asked)} tokens does not fit the memory of {self.device}"
            ) from error
        said = [one for one in made[0, len(asked) :].tolist() if one not in self.template.control_ids]
        text: str = self.tokenizer.decode(said)
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
    """Write the model whole, with its tokenizer, and the end of its template's replies as the end that others stop at."""
    model = language.model
    ends = sorted(ChatTemplate.of(language.tokenizer).stops)
    model.generation_config.eos_token_id = ends if len(ends) > 1 else ends[0]
    model.config.eos_token_id = model.generation_config.eos_token_id
    with quiet():
        model.save_pretrained(folder, safe_serialization=True)
        language.tokenizer.save_pretrained(folder)
