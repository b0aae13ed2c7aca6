"""Settings of a private training, and what else a config may not ask for if its promise is to hold."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from nlpkit.settings import SeededSettings, Settings
from nlpkit.settings.data import Data
from nlpkit.settings.training import SentimentTraining


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


class MaybePrivate(SeededSettings):
    """The config of a recipe that can train in private: it has a task, data, training and LoRA too."""

    private: Annotated[Private | None, Field(exclude_if=lambda value: value is None)] = None
    """Differential privacy for the people in the training rows: `{epsilon: 8}`; see docs/private.md."""

    @model_validator(mode="before")
    @classmethod
    def _private_defaults(cls, tree: object) -> object:
        return _with_defaults(tree)

    @model_validator(mode="after")
    def _keeps_its_promise(self) -> MaybePrivate:
        config: Any = self
        if self.private:
            _refuse_unprivate(
                config.task, config.data, config.training, dora=config.lora.dora, hashes=self.text_hashes,
                seeds=len(self.seeds), search=self.search is not None,
            )  # fmt: skip
        return self


def _with_defaults(tree: Any) -> Any:
    """Return a config's tree in which a private training keeps no hashes of texts, and computes in fp32,
    unless the tree says otherwise.
    """
    if not isinstance(tree, dict) or not tree.get("private"):
        return tree
    training = tree.get("training", {})
    if isinstance(training, dict):
        training = {"precision": "fp32", **training}
    return {"text_hashes": False, **tree, "training": training}


def _refuse_unprivate(
    task: Any, data: Data, training: SentimentTraining, *, dora: bool, hashes: bool, seeds: int, search: bool
) -> None:
    """Refuse a config whose other settings break the promise.

    Raises:
        ValueError: with every such setting, and the reason.
    """
    whole_texts = task.head.problem == "single_label_classification" and task.turns is None
    reasons = {
        f"task: the task {task.kind!r} has no single label for a whole text": not whole_texts,
        "text_hashes: hashes of the training texts tell who is among them; hint: text_hashes=false": hashes,
        "seeds: each run spends the budget again; hint: one seed": seeds > 1,
        "search: each trial spends the budget again; hint: choose the settings on public data": search,
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
        "lora.dora: gradients of single rows can't be taken of it": dora,
    }
    if broken := [reason for reason, is_broken in reasons.items() if is_broken]:
        raise ValueError("private: the promise would not hold with " + "; and with ".join(broken))
