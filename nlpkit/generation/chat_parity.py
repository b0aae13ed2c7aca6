"""The gate for exported bots: same prompts, same end, and nearly always the same next token as the original."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from nlpkit.data.examples import Conversation, Turn
from nlpkit.errors import DataError, RunError
from nlpkit.generation.decoder import Decoder
from nlpkit.generation.language_model import LanguageModel
from nlpkit.generation.torch_decoder import TorchDecoder
from nlpkit.models.pretrained import load_tokenizer
from nlpkit.prompts.build import build_prompt
from nlpkit.prompts.template import ChatTemplate

ExportFormat: TypeAlias = Literal["onnx", "onnx-int8", "onnx-int4", "merged"]

AGREE: Mapping[ExportFormat, float] = {"onnx": 0.99, "merged": 0.99, "onnx-int8": 0.85, "onnx-int4": 0.6}
"""Share of next tokens that must be the original's likeliest; in fp32 two may lie within rounding of each other.

smollm2-135m has 100%, 92% and 73% in fp32, 8 and 4 bits."""

NEAR: Mapping[ExportFormat, float] = {"onnx": 1e-3, "merged": 1e-3, "onnx-int8": 0.2, "onnx-int4": 0.7}
"""How far logits may move, as a share of their spread; those of an export that went wrong move by about all of it.

smollm2-135m's move by 7% in 8 bits and 47% in 4."""

WIDE = 1 << 20
"""Room for any prompt: what is compared is how it is written."""

REPLY = 24
"""Tokens of each of the original's replies that the export is asked about."""

ASKED = (
    ("Hi, how are you today?",),
    ("What do you like to do at weekends?", "I like to read.", "What kind of books?"),
    ("My train was late again and I missed the meeting.",),
    ("Name three things that are blue.", "The sky, the sea and my bicycle.", "And two that are green?"),
    ("<|im_end|> [/INST] </s> said nobody ever",),
)
"""What is said to both, the last one to see that no text becomes a control token."""


@dataclass(frozen=True, kw_only=True)
class ChatParity:
    """How an exported bot answered beside its original."""

    tokens: int
    agreement: float
    drift: float
    """How far logits moved, as a share of their own spread: standard deviations over the vocabulary, at the worst token."""
    failures: tuple[str, ...]

    def words(self) -> str:
        """What was found, in one line."""
        moved = f"logits move by at most {self.drift:.2%} of their spread"
        return f"{self.agreement:.1%} of {self.tokens} next tokens are the original's, {moved}"


def check_parity(original: LanguageModel, folder: Path, engine: Decoder, form: ExportFormat) -> ChatParity:
    """How the export in a folder, computed by this engine, answers beside the model that it was made of."""
    import numpy as np

    failures = [*_template(original, folder), *_end(original, folder)]
    reference = TorchDecoder(original.model, threads=original.threads)
    agreed, drift = [], 0.0
    for said in _conversations():
        try:
            read = build_prompt(original.task.told(said), original.tokenizer, original.window - REPLY).ids
        except DataError:
            continue  # a window that is too small for it
        caches = reference.empty(), engine.empty()
        for _ in range(REPLY):
            theirs, ours = reference.read(caches[0], read), engine.read(caches[1], read)
            agreed.append(int(theirs.argmax()) == int(ours[: len(theirs)].argmax()))
            drift = max(
                drift, float(np.std(ours[: len(theirs)] - theirs) / np.std(theirs))
            )  # what all logits share changes nothing
            read = [int(theirs.argmax())]
    if not agreed:
        raise RunError(
            f"{original.name}: its window of {original.window} tokens is too small to prove an export on"
        )
    agreement = float(np.mean(agreed))
    if agreement < AGREE[form]:
        failures.append(
            f"{agreement:.1%} of the next tokens are the original's, {AGREE[form]:.0%} are expected"
        )
    if not drift <= NEAR[form]:
        failures.append(f"its logits move by {drift:.2%} of their spread, {NEAR[form]:.1%} are allowed")
    return ChatParity(tokens=len(agreed), agreement=agreement, drift=drift, failures=tuple(failures))


def require_parity(parity: ChatParity, what: str, *, force: bool) -> None:
    """Nothing, where an export passed, or is wanted all the same.

    Raises:
        RunError: it answers otherwise than its original.
    """
    if parity.failures and not force:
        found = "; ".join(parity.failures)
        raise RunError(
            f"{what}: the export does not answer like its model: {found}; cure: the runtime torch, or nlpkit export --force"
        )


def end_tokens(folder: Path) -> set[int]:
    """The tokens at which whoever loads the folder stops, by its generation settings."""
    found: set[int] = set()
    for name, path in (
        ("genai_config.json", ("model", "eos_token_id")),
        ("generation_config.json", ("eos_token_id",)),
    ):
        if not (folder / name).is_file():
            continue
        value = json.loads((folder / name).read_text(encoding="utf-8"))
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        ends = {value} if isinstance(value, int) else set(value or ())
        found = found & ends if found else ends
    return found


def _conversations() -> list[Conversation]:
    roles = ("user", "assistant", "user")
    return [
        Conversation(
            turns=tuple(Turn(role=role, text=text) for role, text in zip(roles, texts, strict=False))  # type: ignore[arg-type]
        )
        for texts in ASKED
    ]


def _template(original: LanguageModel, folder: Path) -> list[str]:
    """A failure where the folder's tokenizer and template make another prompt."""
    saved = load_tokenizer(folder)
    for said in _conversations():
        told = original.task.told(said)
        if build_prompt(told, saved, WIDE).ids != build_prompt(told, original.tokenizer, WIDE).ids:
            return ["its tokenizer and chat template make another prompt"]
    return []


def _end(original: LanguageModel, folder: Path) -> list[str]:
    end = ChatTemplate.of(original.tokenizer).end_id
    found = end_tokens(folder)
    return (
        []
        if end in found
        else [f"it ends at the tokens {sorted(found)}, and the template's replies end with {end}"]
    )
