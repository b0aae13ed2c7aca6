"""The objective of a student: to answer as its teacher does, softly (Hinton et al. 2015,
arXiv:1503.02531).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from nlpkit.classifiers.text_tokenizer import TextTokenizer
from nlpkit.data.examples import TextInput
from nlpkit.errors import ConfigError
from nlpkit.models.lora import add_lora
from nlpkit.models.pretrained import load_classifier
from nlpkit.settings import Settings
from nlpkit.settings.training import Lora, Training
from nlpkit.tasks.task import TextTask
from nlpkit.training.classification_objective import checkpoint_metric, collator, metrics_of
from nlpkit.training.classifier import build
from nlpkit.training.distillation_data import DistillationRows
from nlpkit.training.distillation_teacher import Answers, refuse_headless
from nlpkit.training.loaded_base import LoadedBase
from nlpkit.training.objective import Batch, Objective
from nlpkit.training.rows import TrainingRow, encode

if TYPE_CHECKING:
    import torch

PROJECTION = "projection"
"""The map from the student's state to the teacher's: trained with the head, and thrown away."""

UNKNOWN = -1.0
"""Stands for the label of an unlabeled text."""


class Distillation(Settings):
    """How the student follows its teacher."""

    temperature: Annotated[float, Field(gt=0)] = 2.0
    """Softens both sides' probabilities: the higher, the more the small ones count."""
    label_weight: Annotated[float, Field(ge=0, le=1)] = 0.0
    """On labeled rows: the share of the true label in the loss; the rest is the teacher's. 1 learns from
    labels alone."""
    labelled_times: Annotated[int, Field(ge=1)] = 1
    """How often each labeled row stands in an epoch: more than once where the other texts are many and
    only like them."""
    hidden_weight: Annotated[float, Field(ge=0)] = 0.0
    """Weight of the angle between the student's state and the teacher's, behind a linear map that is
    thrown away."""
    precision: Literal["auto", "fp32", "bf16", "int8"] = "auto"
    """What the teacher computes in. `auto`: bf16 on a GPU that has it, else fp32. `int8`: by ONNX Runtime,
    for processors without bf16."""

    def epoch(self, train: Sequence[TrainingRow]) -> list[int]:
        """Return the number of each row of an epoch, labeled ones as often as asked."""
        return [
            number
            for number, row in enumerate(train)
            for _ in range(1 if row.target == [UNKNOWN] else self.labelled_times)
        ]


class DistillationTraining(Training):
    """What only a student can do."""

    metric: str | None = None
    """What chooses the best checkpoint; default: the task's first."""


def refuse_unfit(lora: Lora, settings: Distillation) -> None:
    """Refuse an adapter that does not go together with the distillation.

    Raises:
        ConfigError: PiSSA is saved as a difference of states, in which the map to the teacher's has no place.
    """
    if lora.init == "pissa" and settings.hidden_weight:
        raise ConfigError(
            "lora.init: pissa does not go together with distillation.hidden_weight; hint: lora.init: default"
        )


def build_student(
    base: LoadedBase, task: TextTask, lora: Lora, answers: Answers | None, *, dropout: float | None, seed: int
) -> Any:
    """Return the base with a fresh head and LoRA on it; with a map to the teacher's states where these are
    learned.

    Raises:
        ConfigError: states are learned, and the base's head does not read the first token.
    """
    if answers is None or answers.size is None:
        return build(base, task, lora, dropout=dropout, seed=seed)
    import torch
    from transformers import set_seed

    set_seed(seed)
    plain = load_classifier(
        base.folder,
        head=task.head,
        layers=base.identity.layers,
        dropout=dropout,
        pad_id=base.tokenizer.pad_token_id,
    )
    refuse_headless(plain, base.identity.source)
    plain.add_module(
        PROJECTION, torch.nn.Linear(plain.config.hidden_size, answers.size)
    )  # outside the body: trained and saved as a head
    return add_lora(plain, lora)


def without_projection(model: Any) -> Any:
    """Return the trained student as it is served."""
    plain = model.get_base_model()
    if hasattr(plain, PROJECTION):
        delattr(plain, PROJECTION)
        settings = model.peft_config["default"]
        settings.modules_to_save = [name for name in settings.modules_to_save if name != PROJECTION]
    return model


def encode_all(data: DistillationRows, tokenizer: Any, max_tokens: int) -> list[TrainingRow]:
    """Encode the labeled rows, then the others, whose target is not known."""
    task, tokenizing = data.rows.task, TextTokenizer.of(tokenizer)
    size = max_tokens - tokenizing.frame.size
    inputs = [TextInput(text=text) for text in data.unlabeled.texts]
    return encode(data.rows.train, task, tokenizer, max_tokens) + [
        TrainingRow(input_ids=text.windows[0], target=[UNKNOWN], weight=1.0, cut=max(0, text.tokens - size))
        for text in task.encode(inputs, tokenizing, max_tokens)
    ]


def distillation_objective(
    train: Sequence[TrainingRow], validation: Sequence[TrainingRow], answers: Answers,
    task: TextTask, tokenizer: Any, training: DistillationTraining, settings: Distillation,
) -> Objective:  # fmt: skip
    """Return the objective: Kullback-Leibler divergence from the teacher's softened probabilities.

    True labels and states are mixed in as the settings ask for.
    """
    metric, greater_is_better = checkpoint_metric(task.family, training.metric)
    projected: list[torch.Tensor] = []
    rows = settings.epoch(train)
    return Objective(
        train=[{**asdict(train[row]), "row": row} for row in rows],
        validation=[
            {**asdict(row), "row": None} for row in sorted(validation, key=lambda row: len(row.input_ids))
        ],
        lengths=[len(train[row].input_ids) for row in rows],
        collate=_with_answers(
            collator(tokenizer.pad_token_id), answers, task.head.outputs, settings.temperature
        ),
        loss=_loss(task.head.outputs, settings, projected),
        metric=metric,
        greater_is_better=greater_is_better,
        metrics=metrics_of(task.family, metric),
        narrowed=_projecting(projected),
    )


def _with_answers(
    padded: Callable[[list[dict[str, Any]]], Batch], answers: Answers, outputs: int, temperature: float
) -> Any:
    """Batches whose labels are (batch, 2 + labels + size): true label, weight, the teacher's softened
    probabilities, its state.

    Validation rows have no teacher: their probabilities are all 0.
    """

    def collate(batch: list[dict[str, Any]]) -> Batch:
        import torch
        from torch.nn import functional

        inputs = padded(batch)
        rows = [row["row"] for row in batch]
        taught = torch.zeros(len(batch), outputs + (answers.size or 0))
        if rows[0] is not None:
            taught[:, :outputs] = torch.softmax(
                torch.tensor(answers.logits[rows]).float() / temperature, dim=1
            )
            if answers.states is not None:
                # Of length 1: only the angle counts, and no number is -100, which Trainer would not count
                taught[:, outputs:] = functional.normalize(torch.tensor(answers.states[rows]).float(), dim=1)
        return {**inputs, "labels": torch.cat([inputs["labels"], taught], dim=1)}

    return collate


def _loss(outputs: int, settings: Distillation, projected: list[torch.Tensor]) -> Callable[..., torch.Tensor]:
    """Return the batch's share of the mean over all rows: the same however they are cut into batches."""

    def loss(
        output: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None
    ) -> torch.Tensor:
        import torch
        from torch.nn import functional

        truth, weight, taught = labels[:, 0].long(), labels[:, 1], labels[:, 2 : 2 + outputs]
        logits = output["logits"].float()
        hard = functional.cross_entropy(logits, truth.clamp(min=0), reduction="none")
        # A text without a label has its teacher alone, a validation row its label alone.
        share = torch.where(truth < 0, 0.0, torch.where(taught.sum(dim=1) > 0, settings.label_weight, 1.0))
        each = share * hard + (1 - share) * soft_loss(logits, taught, settings.temperature)
        if projected:
            each = each + settings.hidden_weight * (
                1 - functional.cosine_similarity(projected[-1].float(), labels[:, 2 + outputs :])
            )
        count = len(labels) if num_items_in_batch is None else num_items_in_batch / labels.shape[1]
        return (each * weight).sum() / count

    return loss


def soft_loss(logits: torch.Tensor, taught: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return the divergence, (batch,), of the student's softened probabilities from the teacher's, times
    temperature squared.

    The factor keeps the gradient's size, which falls with the square of the temperature (Hinton et al.
    2015, section 2).
    """
    from torch.nn import functional

    log_student = functional.log_softmax(logits / temperature, dim=1)
    return functional.kl_div(log_student, taught, reduction="none").sum(dim=1) * temperature**2


def _projecting(projected: list[torch.Tensor]) -> Callable[[Any, Batch], AbstractContextManager[None]]:
    """Around a forward pass of training: the student's states, mapped to the teacher's, are put where the
    loss finds them.
    """

    @contextmanager
    def around(model: Any, batch: Batch) -> Iterator[None]:
        projected.clear()
        plain = model.get_base_model()
        projection = getattr(plain, PROJECTION, None) if model.training else None
        if projection is None:
            yield
            return
        # Inside the model's own forward pass, so that autocast and DDP see it
        hook = plain.base_model.register_forward_hook(
            lambda _module, _arguments, output: projected.append(projection(output[0][:, 0]))
        )
        try:
            yield
        finally:
            hook.remove()
            projected.clear()

    return around
