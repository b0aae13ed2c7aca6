"""The objective of a language model: the mean loss of reply tokens, independent of batch sizes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from nlpkit.errors import RunError
from nlpkit.prompts.template import READ_ONLY, EncodedDialogue
from nlpkit.settings.training import DialogueTraining
from nlpkit.training.objective import Batch, Objective

if TYPE_CHECKING:
    import torch

Row: TypeAlias = Sequence[EncodedDialogue]
"""The conversations in a row of a batch: one, or several when they are packed."""

TOLERANCE = 1e-3
"""The largest change of logits when a conversation is packed behind another: rounding only."""


def language_model_objective(
    train: Sequence[EncodedDialogue],
    validation: Sequence[EncodedDialogue],
    *,
    tokenizer: Any,
    training: DialogueTraining,
    max_tokens: int,
) -> Objective:
    """Return cross entropy over the tokens of replies; packed rows have up to `max_tokens` tokens."""
    rows = pack(train, max_tokens) if training.packing else [[conversation] for conversation in train]
    return Objective(
        train=rows,
        validation=[[conversation] for conversation in sorted(validation, key=_length)],
        lengths=[sum(map(_length, row)) for row in rows],
        collate=_collator(tokenizer.pad_token_id or 0),
        loss=token_loss,
        metric="loss",
        greater_is_better=False,
        metrics=_metrics,
        narrowed=learnt_only,
        tally=token_sums,
        evaluation_batch_size=training.batch_size,
        settings={"activation_checkpointing": training.gradient_checkpointing},
    )


def _length(conversation: EncodedDialogue) -> int:
    return len(conversation.input_ids)


def pack(rows: Sequence[EncodedDialogue], max_tokens: int) -> list[list[EncodedDialogue]]:
    """Pack the rows into bins of `max_tokens` tokens by first-fit decreasing, the longest rows first."""
    bins: list[list[EncodedDialogue]] = []
    left: list[int] = []
    for row in sorted(rows, key=lambda row: -_length(row)):
        size = _length(row)
        index = next((index for index, free in enumerate(left) if free >= size), None)
        if index is None:
            bins.append([row])
            left.append(max_tokens - size)
        else:
            bins[index].append(row)
            left[index] -= size
    return bins


def _collator(pad_id: int) -> Callable[[list[Row]], Batch]:
    """Return a function that makes ids and labels, (batch, time), of rows.

    Positions restart with each packed conversation, by which transformers keeps them apart. No attention mask
    is needed: padding stands at the end, where no token that counts can see it.
    """

    def collate(batch: list[Row]) -> Batch:
        import torch

        width = max(sum(map(_length, row)) for row in batch)
        ids = torch.full((len(batch), width), pad_id, dtype=torch.long)
        labels = torch.full((len(batch), width), READ_ONLY, dtype=torch.long)
        positions = torch.arange(width).repeat(len(batch), 1)
        for number, row in enumerate(batch):
            at = 0
            for conversation in row:
                end = at + _length(conversation)
                ids[number, at:end] = torch.tensor(conversation.input_ids)
                labels[number, at + 1 : end] = torch.tensor(conversation.labels[1:])
                positions[number, at:] = torch.arange(width - at)
                at = end
        packed = {"position_ids": positions} if any(len(row) > 1 for row in batch) else {}
        return {"input_ids": ids, "labels": labels, **packed}

    return collate


@contextmanager
def learnt_only(model: Any, batch: Batch, shift: int = 1) -> Iterator[None]:
    """Let the model compute logits only where a token is learned: (1, learned tokens, vocabulary).

    `shift`: how far behind a token's logits its label stands, 1 for next tokens and 0 for masked ones.
    """
    wanted = batch["labels"][:, shift:] != READ_ONLY

    def select(_: Any, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor]:
        return (inputs[0][:, : wanted.shape[1]][wanted].unsqueeze(0),)

    hook = model.get_output_embeddings().register_forward_pre_hook(select)
    try:
        yield
    finally:
        hook.remove()


def _losses(logits: torch.Tensor, labels: torch.Tensor, shift: int) -> torch.Tensor:
    """Return the loss of each learned token, in the order of the labels."""
    from torch.nn import functional

    targets = labels[:, shift:]
    return functional.cross_entropy(logits[0].float(), targets[targets != READ_ONLY], reduction="none")


def token_loss(
    outputs: Any,
    labels: torch.Tensor,
    num_items_in_batch: torch.Tensor | int | None = None,
    shift: int = 1,
) -> torch.Tensor:
    """Return the batch's share of the mean loss of an optimizer step; `shift` as for `learnt_only`."""
    each = _losses(outputs["logits"], labels, shift)
    count = len(each) if num_items_in_batch is None else int(num_items_in_batch)
    return each.sum() / max(count, 1)  # few short texts may have no masked token


def token_sums(model: Any, batch: Batch, shift: int = 1) -> torch.Tensor:
    """Return the sum of the losses and the number of learned tokens of each row, (rows, 2)."""
    import torch

    labels = batch.pop("labels")
    with learnt_only(model, {"labels": labels}, shift):
        each = _losses(model(**batch).logits, labels, shift)
    wanted = labels[:, shift:] != READ_ONLY
    sums = torch.zeros(
        len(labels),
        2,
        dtype=torch.float64 if each.device.type != "mps" else torch.float32,
        device=each.device,
    )
    sums[:, 0].index_add_(0, wanted.nonzero()[:, 0], each.to(sums.dtype))
    sums[:, 1] = wanted.sum(dim=1)
    return sums


def _metrics(prediction: Any) -> dict[str, float]:
    total, tokens = prediction.predictions.sum(axis=0)
    mean = float(total / max(tokens, 1))
    return {"loss": mean, "perplexity": math.exp(min(mean, 700.0))}


def verify_packing(model: Any, rows: Sequence[EncodedDialogue], pad_id: int) -> None:
    """Verify that a conversation's logits don't depend on one that is packed before it.

    Raises:
        RunError: they do; such a model can't be trained with packing.
    """
    import torch

    short = sorted((row for row in rows if len(row.input_ids) > 1), key=_length)[:2]
    if len(short) < 2:
        return
    collate = _collator(pad_id)
    was = model.training
    model.eval()
    device = next(model.parameters()).device
    with torch.no_grad():
        both, alone = (
            {name: tensor.to(device) for name, tensor in collate([row]).items() if name != "labels"}
            for row in (short, short[1:])
        )
        length = len(short[1].input_ids)
        # Without a cache, as in training
        packed, apart = (model(**inputs, use_cache=False).logits[0, -length:] for inputs in (both, alone))
        difference = float((packed - apart).abs().max())
    model.train(was)
    if not difference <= TOLERANCE * 10:
        raise RunError(
            f"packed conversations see each other in this model: logits differ by {difference:.2g};"
            " hint: training.packing: false"
        )
