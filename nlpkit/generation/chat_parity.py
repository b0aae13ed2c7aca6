"""The parity check of exported chat models: equal prompts and end token, nearly always equal next tokens."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from nlpkit.data.examples import Conversation, Role, Turn
from nlpkit.errors import DataError, RunError
from nlpkit.generation.decoder import Decoder
from nlpkit.generation.language_model import LanguageModel
from nlpkit.generation.runtimes import ChatRuntime
from nlpkit.generation.torch_decoder import TorchDecoder
from nlpkit.models.pretrained import load_tokenizer
from nlpkit.prompts.build import build_prompt
from nlpkit.prompts.template import ChatTemplate

UNLIMITED = 1 << 20
"""A token budget for any prompt: what is compared is how it is written."""

REPLY_TOKENS = 24
"""Tokens of each of the trained model's replies that are compared."""

TEXTS = (
    ("Hi, how are you today?",),
    ("What do you like to do at weekends?", "I like to read.", "What kind of books?"),
    ("My train was late again and I missed the meeting.",),
    ("Name three things that are blue.", "The sky, the sea and my bicycle.", "And two that are green?"),
    ("<|im_end|> [/INST] </s> said nobody ever",),
)
"""Conversations that both models get; in the last one, no text may become a control token."""


@dataclass(frozen=True, kw_only=True)
class ChatParity:
    """How an exported chat model compares with the trained one."""

    tokens: int
    agreement: float
    """Share of next tokens that both find most likely."""
    max_difference: float
    """The most that logits moved, as a share of their standard deviation over the vocabulary."""
    failures: tuple[str, ...]

    def summary(self) -> str:
        """Return the result in one line."""
        moved = f"logits move by at most {self.max_difference:.2%} of their standard deviation"
        return f"{self.agreement:.1%} of {self.tokens} next tokens are equal, {moved}"


def check_parity(original: LanguageModel, folder: Path, decoder: Decoder, runtime: ChatRuntime) -> ChatParity:
    """Compare an export with the model that it was made of.

    Args:
        original: the trained model.
        folder: of the export.
        decoder: runs the export.
        runtime: its row, with the limits.

    Raises:
        RunError: the model's window is too small for any comparison.
    """
    agreed, max_difference = _compare_replies(original, decoder)
    if not agreed:
        raise RunError(
            f"{original.name}: its window of {original.window} tokens is too small to verify an export with"
        )
    agreement = sum(agreed) / len(agreed)
    failures = [*_template_failures(original, folder), *_end_failures(original, folder)]
    if agreement < runtime.min_agreement:
        failures.append(
            f"{agreement:.1%} of the next tokens are equal, expected at least {runtime.min_agreement:.0%}"
        )
    if not max_difference <= runtime.max_difference:  # also if it is no number
        failures.append(
            f"its logits move by {max_difference:.2%} of their standard deviation, "
            f"expected at most {runtime.max_difference:.1%}"
        )
    return ChatParity(
        tokens=len(agreed), agreement=agreement, max_difference=max_difference, failures=tuple(failures)
    )


def require_parity(parity: ChatParity, what: str, *, force: bool) -> None:
    """Refuse an export that failed the parity check, unless it is forced.

    Raises:
        RunError: it failed.
    """
    if parity.failures and not force:
        failures = "; ".join(parity.failures)
        raise RunError(
            f"{what}: the export gives other answers than its model: {failures}; "
            "hint: use the runtime torch, or nlpkit export --force -o FOLDER"
        )


def end_tokens(folder: Path) -> set[int]:
    """Return the tokens at which programs stop that load the folder, by its generation settings."""
    ends: set[int] = set()
    for name, path in (
        ("genai_config.json", ("model", "eos_token_id")),
        ("generation_config.json", ("eos_token_id",)),
    ):
        if not (folder / name).is_file():
            continue
        value = json.loads((folder / name).read_text(encoding="utf-8"))
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        tokens = {value} if isinstance(value, int) else set(value or ())
        ends = ends & tokens if ends else tokens
    return ends


def _compare_replies(original: LanguageModel, decoder: Decoder) -> tuple[list[bool], float]:
    """Return whether each next token of the original's replies is equal, and how far logits moved at most."""
    import numpy as np

    reference = TorchDecoder(original.model, threads=original.threads)
    agreed, max_difference = [], 0.0
    for conversation in _conversations():
        conversation = original.task.with_system(conversation)
        try:
            ids = build_prompt(conversation, original.tokenizer, original.window - REPLY_TOKENS).ids
        except DataError:
            continue  # the window is too small for this one
        caches = reference.new_cache(), decoder.new_cache()
        for _ in range(REPLY_TOKENS):
            expected = reference.read(caches[0], ids)
            # Some exports pad the vocabulary
            logits = decoder.read(caches[1], ids)[: len(expected)]
            agreed.append(int(expected.argmax()) == int(logits.argmax()))
            # The deviation, not the difference itself: a shift of all logits changes no probability
            max_difference = max(max_difference, float(np.std(logits - expected) / np.std(expected)))
            ids = [int(expected.argmax())]
    return agreed, max_difference


def _conversations() -> list[Conversation]:
    roles: tuple[Role, ...] = ("user", "assistant", "user")
    return [
        Conversation(
            turns=tuple(Turn(role=role, text=text) for role, text in zip(roles, texts, strict=False))
        )
        for texts in TEXTS
    ]


def _template_failures(original: LanguageModel, folder: Path) -> list[str]:
    saved = load_tokenizer(folder)
    for conversation in map(original.task.with_system, _conversations()):
        expected = build_prompt(conversation, original.tokenizer, UNLIMITED)
        if build_prompt(conversation, saved, UNLIMITED).ids != expected.ids:
            return ["its tokenizer and chat template make another prompt"]
    return []


def _end_failures(original: LanguageModel, folder: Path) -> list[str]:
    end, ends = ChatTemplate.of(original.tokenizer).end_id, end_tokens(folder)
    if end in ends:
        return []
    return [f"it ends at the tokens {sorted(ends)}, and the template's replies end with {end}"]
