"""Settings of a private training, and what else a config may not ask for if its promise is to hold."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from nlpkit.settings import Settings


class Private(Settings):
    """Differential privacy for the people in the training rows: DP-SGD (Abadi et al., arXiv:1607.00133)."""

    epsilon: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    """How far one person's rows may change what is learned: the odds of any outcome by a factor of
    exp(epsilon) at most."""
    delta: Literal["auto"] | Annotated[float, Field(gt=0, lt=1)] = "auto"
    """The probability that this does not hold; `auto`: 1 / (10 training rows)."""
    clip: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    """The longest gradient that one row may give; longer ones are scaled down to it."""
    rows_per_person: Annotated[int, Field(ge=1)] = 1
    """How many training rows one person may have written: more need more noise for the same promise."""


def with_private_defaults(tree: Any) -> Any:
    """Return a config's tree in which a private training keeps no hashes of texts, and computes in fp32,
    unless the tree says otherwise.
    """
    if not isinstance(tree, dict) or not tree.get("private"):
        return tree
    training = tree.get("training", {})
    if isinstance(training, dict):
        training = {"precision": "fp32", **training}
    return {"text_hashes": False, **tree, "training": training}


def refuse_unprivate(config: Any) -> None:
    """Refuse a config that asks for privacy and whose other settings break the promise; a validator of the
    config calls it.

    Raises:
        ValueError: with every such setting, and the reason.
    """
    if config.private is None:
        return
    task, data, training = config.task, config.data, config.training
    whole_texts = task.head.problem == "single_label_classification" and task.turns is None
    reasons = {
        f"task: the task {task.kind!r} has no single label for a whole text": not whole_texts,
        "text_hashes: hashes of the training texts tell who is among them; hint: text_hashes=false": (
            config.text_hashes
        ),
        "seeds: each run spends the budget again; hint: one seed": len(config.seeds) > 1,
        "search: each trial spends the budget again; hint: choose the settings on public data": (
            config.search is not None
        ),
        "self_training: each round spends the budget again": config.self_training is not None,
        "data.swaps: copies of a row multiply the influence of who wrote it": data.swaps,
        "data.leave_out: rows that are chosen by all others tell of them": data.leave_out is not None,
        "data.train.weight: weights are scaled by those of all rows": any(
            source.weight is not None for source in data.train
        ),
        "training.class_weights: they count the labels of all rows": training.class_weights != "none",
        "training.consistency: copies of a row multiply the influence of who wrote it": bool(
            training.consistency
        ),
        "training.accumulate: a batch is cut to fit memory anyway; hint: accumulate=1": (
            training.accumulate != 1
        ),
        "training.max_grad_norm: each row's own gradient is clipped; hint: private.clip": (
            training.max_grad_norm != type(training).model_fields["max_grad_norm"].default
        ),
        "training.precision: norms are exact in fp32 alone; hint: precision=fp32": (
            training.precision != "fp32"
        ),
        "training.track: trackers get the loss on training rows; hint: leave it out": bool(training.track),
        "lora.dora: gradients of single rows can't be taken of it": config.lora.dora,
    }
    if broken := [reason for reason, is_broken in reasons.items() if is_broken]:
        raise ValueError("private: the promise would not hold with " + "; and with ".join(broken))
