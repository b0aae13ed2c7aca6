"""The objective of a language model: the mean loss of the tokens that replies are made of, however they are cut into batches."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from nlpkit.errors import RunError
from nlpkit.prompts.template import READ_ONLY, EncodedDialogue
from nlpkit.settings import DialogueTraining
from nlpkit.training.objective import Batch, Objective

if TYPE_CHECKING:
    import torch

Row: TypeAlias = Sequence[EncodedDialogue]
"""What stands in one row of a batch: one conversation, or several when they are packed."""

TOLERANCE = 1e-3
"""How far logits may move when a conversation is packed behind another: rounding, not sight of it."""


def language_model_objective(
    train: Sequence[EncodedDialogue],
    validation: Sequence[EncodedDialogue],
    *,
    tokenizer: Any,
    training: DialogueTraining,
    room: int,
) -> Objective:
    """Cross entropy over the tokens of replies."""
    rows = pack(train, room) if training.packing else [[one] for one in train]
    return Objective(
        train=rows,
        validation=[[one] for one in sorted(validation, key=lambda one: len(one.input_ids))],
        lengths=[sum(len(one.input_ids) for one in row) for row in rows],
        collate=_collator(tokenizer.pad_token_id or 0),
        loss=_loss,
        metric="loss",
        greater_is_better=False,
        metrics=_metrics,
        narrowed=learnt_only,
        tally=_tally,
        look_size=training.batch_size,
        settings={"activation_checkpointing": training.gradient_checkpointing},
    )


def pack(rows: Sequence[EncodedDialogue], room: int) -> list[list[EncodedDialogue]]:
    """The rows in as few bins of `room` tokens as first-fit decreasing finds, the fullest rows first."""
    bins: list[list[EncodedDialogue]] = []
    left: list[int] = []
    for row in sorted(rows, key=lambda one: -len(one.input_ids)):
        size = len(row.input_ids)
        place = next((place for place, free in enumerate(left) if free >= size), None)
        if place is None:
            bins.append([row])
            left.append(room - size)
        else:
            bins[place].append(row)
            left[place] -= size
    return bins


def _collator(pad_id: int) -> Callable[[list[Row]], Batch]:
    """Ids and labels, (batch, time). Positions start anew with each packed conversation, by which transformers keeps them apart.

    No attention mask is needed: padding stands at the end, where no token that counts can see it.
    """

    def collate(batch: list[Row]) -> Batch:
        import torch

        width = max(sum(len(one.input_ids) for one in row) for row in batch)
        ids = torch.full((len(batch), width), pad_id, dtype=torch.long)
        labels = torch.full((len(batch), width), READ_ONLY, dtype=torch.long)
        positions = torch.arange(width).repeat(len(batch), 1)
        for number, row in enumerate(batch):
            at = 0
            for one in row:
                end = at + len(one.input_ids)
                ids[number, at:end] = torch.tensor(one.input_ids)
                labels[number, at + 1 : end] = torch.tensor(one.labels[1:])
                positions[number, at:] = torch.arange(width - at)
                at = end
        packed = {"position_ids": positions} if any(len(row) > 1 for row in batch) else {}
        return {"input_ids": ids, "labels": labels, **packed}

    return collate


@contextmanager
def learnt_only(model: Any, batch: Batch) -> Iterator[None]:
    """Logits for no other positions than those whose next token is learnt, (1, learnt tokens, vocabulary): most are only read."""
    wanted = batch["labels"][:, 1:] != READ_ONLY

    def select(_: Any, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor]:
        return (inputs[0][:, :-1][wanted].unsqueeze(0),)

    hook = model.get_output_embeddings().register_forward_pre_hook(select)
    try:
        yield
    finally:
        hook.remove()


def _losses(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The loss of each learnt token, in the order of the labels."""
    from torch.nn import functional

    targets = labels[:, 1:]
    return functional.cross_entropy(logits[0].float(), targets[targets != READ_ONLY], reduction="none")


def _loss(
    outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None
) -> torch.Tensor:
    each = _losses(outputs["logits"], labels)
    return each.sum() / (len(each) if num_items_in_batch is None else num_items_in_batch)


def _tally(model: Any, batch: Batch) -> torch.Tensor:
    """(rows, 2): the sum of the losses and the number of the tokens of each row."""
    import torch

    labels = batch.pop("labels")
    with learnt_only(model, {"labels": labels}):
        each = _losses(model(**batch).logits, labels)
    wanted = labels[:, 1:] != READ_ONLY
    found = torch.zeros(
        len(labels),
        2,
        dtype=torch.float64 if each.device.type != "mps" else torch.float32,
        device=each.device,
    )
    found[:, 0].index_add_(0, wanted.nonzero()[:, 0], each.to(found.dtype))
    found[:, 1] = wanted.sum(dim=1)
    return found


def _metrics(prediction: Any) -> dict[str, float]:
    total, tokens = prediction.predictions.sum(axis=0)
    mean = float(total / tokens)
    return {"loss": mean, "perplexity": math.exp(min(mean, 700.0))}


def verify_packing(model: Any, rows: Sequence[EncodedDialogue], pad_id: int) -> None:
    """Nothing, where the model answers for a conversation alike whether another is packed before it or not.

    Raises:
        RunError: it sees the other one; such a model cannot be trained with packing.
    """
    import torch

    short = sorted((row for row in rows if len(row.input_ids) > 1), key=lambda one: len(one.input_ids))[:2]
    if len(short) < 2:
        return
    collate = _collator(pad_id)
    was = model.training
    model.eval()
    device = next(model.parameters()).device
    with torch.no_grad():
        both, alone = (
            {name: one.to(device) for name, one in collate([row]).items() if name != "labels"}
            for row in (short, short[1:])
        )
        length = len(short[1].input_ids)
        packed, apart = (
            model(**one, use_cache=False).logits[0, -length:] for one in (both, alone)
        )  # as in training
        drift = float((packed - apart).abs().max())
    model.train(was)
    if not drift <= TOLERANCE * 10:
        found = f"packed conversations see each other in this model: logits differ by {drift:.2g}"
        raise RunError(f"{found}; cure: training.packing: false")
