"""Adapt a base to texts by masked words, contrastive views or next tokens, and save it as a plain base."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from nlpkit.errors import ConfigError, RunError
from nlpkit.files import write_whole
from nlpkit.models.emoji_names import with_emoji_names
from nlpkit.models.lora import add_lora
from nlpkit.models.pretrained import (
    config_of,
    load_encoder,
    load_language_model,
    load_tokenizer,
    pick_device,
    quiet,
)
from nlpkit.prompts.template import EncodedDialogue
from nlpkit.run_record import RunRecord
from nlpkit.settings.training import Base, DialogueTraining, Lora
from nlpkit.tasks.task import ADAPTATION
from nlpkit.training.adaptation_data import AdaptationTexts, Window, windows_of
from nlpkit.training.adaptation_method import REASONS, Method, choose_method
from nlpkit.training.contrastive_objective import twice, view_loss, view_sums
from nlpkit.training.language_model_objective import (
    language_model_objective,
    learnt_only,
    token_loss,
    token_sums,
    verify_packing,
)
from nlpkit.training.loaded_base import LoadedBase, count_weights, load_base, public_name, record_of
from nlpkit.training.masked_words import masker
from nlpkit.training.objective import Objective
from nlpkit.training.runs import RunInProgress

if TYPE_CHECKING:
    from numpy.typing import NDArray

LONGEST = 512
"""Tokens of a window where the config names no number, if the base reads as many."""

TOLERANCE = 1e-3
"""The largest relative difference between what the saved base and the trained one give: rounding only."""


class AdaptationTraining(DialogueTraining):
    """How long, how fast, and what is masked or contrasted."""

    batch_size: Annotated[int, Field(ge=2)] = 32
    """Windows, or packed rows of a chat model, in a batch: `contrastive` tells each from the others in it."""
    packing: bool = True
    """Put several texts of a chat model into one row, none of which sees another."""
    masked_share: Annotated[float, Field(gt=0, lt=1)] = 0.15
    """The share of words that are masked, others in each epoch."""
    whole_words: bool = True
    """false: mask single tokens, as for languages that are written without spaces."""
    temperature: Annotated[float, Field(gt=0)] = 0.05
    """Divides cosines in the contrastive loss."""


@dataclass(frozen=True, kw_only=True)
class Adaptation:
    """A base, and what it learns by."""

    base: LoadedBase
    method: Method
    dropout: float | None

    @classmethod
    def of(cls, settings: Base, asked: Method, talk: Callable[[str], None]) -> Adaptation:
        """Load the config's base, and choose the method that suits it where `auto` is asked for.

        Raises:
            ConfigError: the base cannot learn by the method.
            RunError, SourceError: the base is refused, or cannot be brought here.
        """
        base = load_base(settings)
        method = choose_method(asked, base)
        if asked == "auto":
            talk(f"method     {method}, as {REASONS[method]}")
        return cls(
            base=replace(
                base,
                max_tokens=settings.max_tokens or min(base.window, LONGEST),
                # Encoders read emoji as classifiers do
                tokenizer=base.tokenizer if method == "next_token" else with_emoji_names(base.tokenizer),
            ),
            method=method,
            dropout=settings.dropout,
        )

    def encode(self, texts: Sequence[str]) -> list[Window]:
        """Return the windows of texts, shortest first."""
        tokenizer = self.base.tokenizer
        end = [tokenizer.eos_token_id] if self.method == "next_token" else []
        return windows_of(texts, tokenizer, self.base.max_tokens, end)

    def build(self, lora: Lora | None, *, seed: int) -> tuple[Any, bool]:
        """Return the model to train, and whether its head for masked words is new, as the base has none.

        Raises:
            ConfigError: nothing tells the two passes of a text apart.
        """
        import torch
        from transformers import set_seed

        set_seed(seed)
        model, is_new = self._load(self.base.folder)
        if lora:
            kind: Any = "CAUSAL_LM" if self.method == "next_token" else "FEATURE_EXTRACTION"
            model = add_lora(model, lora, kind=kind)
        dropouts = [module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)]
        if self.method == "contrastive" and not any(dropouts):
            raise ConfigError(
                "base.dropout: without dropout the two views of a text are equal, and nothing is learned; "
                "hint: base.dropout=0.1"
            )
        return model, is_new

    def _load(self, folder: Path) -> tuple[Any, bool]:
        if self.method == "next_token":
            return load_language_model(folder, dropout=self.dropout), False
        model, missing = load_encoder(folder, masked=self.method == "masked", dropout=self.dropout)
        if self.method == "contrastive":
            from torch.nn import Identity

            from nlpkit.models.mean_pooled import MeanPooled

            encoder: Any = MeanPooled(model, 1)
            encoder.classifier = Identity()  # it answers with the vector of a text
            return encoder, False
        return model, any(not name.startswith(f"{model.base_model_prefix}.") for name in missing)

    def objective(
        self,
        model: Any,
        train: Sequence[Window],
        held: Sequence[Window],
        training: AdaptationTraining,
        *,
        seed: int,
    ) -> Objective:
        """Return what is minimized: nats a masked token or a next one, or the contrastive loss of a text.

        Raises:
            RunError: the model's texts see one another where they are packed.
        """
        tokenizer = self.base.tokenizer
        if self.method == "next_token":
            rows, held_rows = ([_document(window) for window in part] for part in (train, held))
            if training.packing:
                verify_packing(model, rows, tokenizer.pad_token_id)
            return language_model_objective(
                rows, held_rows, tokenizer=tokenizer, training=training, max_tokens=self.base.max_tokens
            )
        parts: dict[str, Any] = {
            "collate": twice(tokenizer.pad_token_id),
            "loss": partial(view_loss, temperature=training.temperature),
            "tally": partial(view_sums, temperature=training.temperature),
        }
        if self.method == "masked":
            share, words = training.masked_share, training.whole_words
            parts = {
                "collate": masker(tokenizer, share=share, whole_words=words, seed=seed),
                "loss": partial(token_loss, shift=0),
                "tally": partial(token_sums, shift=0),
                "narrowed": partial(learnt_only, shift=0),
            }
        return Objective(
            train=train, validation=held, lengths=[len(window.input_ids) for window in train],
            metric="loss", greater_is_better=False, metrics=_mean_loss,
            evaluation_batch_size=training.batch_size,
            settings={"activation_checkpointing": training.gradient_checkpointing}, **parts,
        )  # fmt: skip

    def record(self, job: RunInProgress, model: Any, texts: AdaptationTexts, *, is_new: bool) -> RunRecord:
        """Return what `run.json` holds of the training of a model that is not merged yet."""
        task = {"kind": ADAPTATION, "method": self.method, "new_head": is_new}
        return record_of(job, model, self.base, task, data=texts.describe(), max_tokens=self.base.max_tokens)

    def save(self, model: Any, folder: Path, record: RunRecord, objective: Objective) -> Any:
        """Merge the adapter, save the base with its tokenizer, and return it as it loads.

        The base keeps what the training left out: its pooler, its dropout, and its tokenizer's own reading
        of emoji.

        Raises:
            RunError: the saved base computes something else than the trained one.
        """
        trained = model.merge_and_unload() if hasattr(model, "peft_config") else model
        rows = objective.validation[: objective.evaluation_batch_size]
        expected = _sums(trained, objective, rows).sum(axis=0)
        plain = trained.body if self.method == "contrastive" else trained
        plain.config = config_of(self.base.folder)
        if self.method != "next_token":
            original, missing = load_encoder(self.base.folder, masked=False)
            pooler = getattr(original, "pooler", None)
            if pooler is not None and not any("pooler" in name for name in missing):
                getattr(plain, plain.base_model_prefix, plain).pooler = pooler
        with quiet():
            plain.save_pretrained(folder)
        load_tokenizer(self.base.folder).save_pretrained(folder)
        what = f"pretrained further by nlpkit on {record.data['rows']['train']:,} texts ({self.method})"
        write_whole(folder / "README.md", f"# {record.name}\n\n{public_name(record.base)}, {what}.\n")
        saved, lacks_head = self._load(folder)
        actual = _sums(saved, objective, rows).sum(axis=0)
        if lacks_head or not (abs(actual - expected) <= TOLERANCE * abs(expected)).all():
            raise RunError(
                f"{folder}: the saved base computes something else than the trained one: "
                f"{actual.tolist()} in place of {expected.tolist()}"
            )
        return saved


def _document(window: Window) -> EncodedDialogue:
    return EncodedDialogue(input_ids=window.input_ids, labels=window.input_ids, replies=1)


def plan(
    texts: AdaptationTexts, train: Sequence[Window], model: Any, *, most: int, is_new: bool, steps: int
) -> list[str]:
    """Describe what will be learned, cut and dropped, for the preflight; `most`: tokens of a window."""
    trainable, total = count_weights(model)
    longer = len({window.text for window in train if window.start})
    head = ["head       for masked words: built, as the base has none; it shares the word embeddings"]
    return [
        f"texts      {len(texts.train):,} to learn from, {len(texts.held_out):,} held out; {texts.dropped:,} "
        "dropped that are nearly equal to another one",
        f"windows    {len(train):,} of up to {most} tokens; {longer:,} texts are longer and cut in several",
        *(head if is_new else ()),
        f"learned    {trainable:,} of {total:,} weights ({trainable / total:.1%}) in {steps:,} steps",
    ]


def measure(model: Any, objective: Objective, held: Sequence[Window]) -> NDArray[Any]:
    """Return (texts, numbers): what the objective sums over each held-out text."""
    import numpy as np

    starts = range(0, len(held), objective.evaluation_batch_size)
    batches = [objective.validation[start : start + objective.evaluation_batch_size] for start in starts]
    sums = np.concatenate([_sums(model, objective, rows) for rows in batches])
    by_text = np.zeros((1 + max(window.text for window in held), sums.shape[1]))
    np.add.at(by_text, [window.text for window in held], sums)
    return by_text


def _mean_loss(prediction: Any) -> dict[str, float]:
    sums = prediction.predictions.sum(axis=0)
    return {"loss": float(sums[0] / max(sums[-1], 1))}


def _sums(model: Any, objective: Objective, rows: Sequence[Any]) -> NDArray[Any]:
    """Return (rows, numbers)."""
    import torch

    device, tally = pick_device(), objective.tally or token_sums
    batch = {name: tensor.to(device) for name, tensor in objective.collate(list(rows)).items()}
    with torch.no_grad():
        sums: NDArray[Any] = tally(model.to(device).eval(), batch).cpu().numpy()
    return sums
