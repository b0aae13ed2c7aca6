"""The lowest layers of an encoder frozen: what they answer to each row is computed once, kept, and given
to the layers that learn.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nlpkit.errors import RunError
from nlpkit.models.batching import batches
from nlpkit.models.layers import frozen_count, layers_of
from nlpkit.models.pretrained import pick_device
from nlpkit.settings.training import TextTraining
from nlpkit.training.objective import Batch, Objective

if TYPE_CHECKING:
    import torch

BUDGET = 4_096
"""Tokens a batch while the lower layers run."""

STATES = "lower_states"
"""The batch's key of what the lower layers answered, (batch, time, size)."""

VERIFIED = 8
"""Rows on which the model with kept states is compared with the full one."""

TOLERANCE = {False: 1e-4, True: 5e-2}
"""How far logits may move when states are given instead of computed, in fp32 and in bf16: rounding of
other batches."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A row of the objective, and what the lower layers answered to it."""

    row: Any
    states: torch.Tensor
    """(tokens, size), without padding."""


def megabytes(objective: Objective, model: Any) -> float:
    """Return the size of the states of all rows, training and validation."""
    tokens = sum(len(row["input_ids"]) for row in (*objective.train, *objective.validation))
    return float(tokens * model.config.hidden_size * 4 / 1e6)


def plan_lines(objective: Objective, model: Any, training: TextTraining) -> list[str]:
    """Describe what freezing will do, for the preflight."""
    count = frozen_count(model, training.freeze)
    if not count:
        return []
    size = megabytes(objective, model)
    what = f"frozen     the lowest {count} of {len(layers_of(model))} layers, without dropout"
    if size <= training.cache_mb:
        return [f"{what}: run once over all rows, {size:,.0f} MB of states kept in memory"]
    return [
        f"{what}: run anew in every epoch, as their states would take {size:,.0f} MB (training.cache_mb: "
        f"{training.cache_mb:,})"
    ]


def frozen(
    objective: Objective, model: Any, training: TextTraining, *, bf16: bool, talk: Callable[[str], None]
) -> Objective:
    """Return an objective whose batches hold the states of the frozen layers, or compute them where memory
    does not suffice.

    Raises:
        RunError: the logits differ when states are given to the model instead of computed.
    """
    count = frozen_count(model, training.freeze)
    if not count:
        return objective
    model.to(pick_device())
    lower = Lower.of(model, count, objective.collate(list(objective.train[:1])))
    if megabytes(objective, model) > training.cache_mb:
        return replace(objective, narrowed=lower.still)
    started = time.monotonic()
    rows = [*objective.train, *objective.validation]
    states = lower.states(model, rows, objective.collate, bf16=bf16)
    kept = [Kept(row, state) for row, state in zip(rows, states, strict=True)]
    ready = replace(
        objective, train=kept[: len(objective.train)], validation=kept[len(objective.train) :],
        collate=_collator(objective.collate), narrowed=lower.skipped,
    )  # fmt: skip
    _verify(model, objective, ready, bf16=bf16)
    talk(f"frozen     ran the lowest {count} layers once, in {time.monotonic() - started:.1f} s")
    return ready


def _collator(collate: Callable[[list[Any]], Batch]) -> Callable[[list[Kept]], Batch]:
    """Return what collates a batch with its states, padded at their end as the ids are."""

    def collate_kept(batch: list[Kept]) -> Batch:
        made = collate([kept.row for kept in batch])
        size = batch[0].states.shape[1]
        states = batch[0].states.new_zeros(*made["input_ids"].shape, size)
        for index, kept in enumerate(batch):
            states[index, : len(kept.states)] = kept.states
        return {**made, STATES: states}

    return collate_kept


@dataclass(frozen=True)
class Lower:
    """What stands below the layers that learn."""

    layers: Sequence[Any]
    """All layers of the body."""
    freeze: int
    around: Sequence[Any]
    """The body's other parts that do not learn: its embeddings."""
    in_tuples: bool
    """Whether layers of this kind answer with their states as the first of a tuple, and not alone."""

    @classmethod
    def of(cls, model: Any, freeze: int, sample: Batch) -> Lower:
        """Take the lowest `freeze` layers of a model with its adapter on; a sample shows how they answer."""
        plain = model.get_base_model()
        parts = getattr(plain, plain.base_model_prefix).children()
        still = [part for part in parts if not any(weight.requires_grad for weight in part.parameters())]
        layers = list(layers_of(model).values())
        return cls(layers, freeze, still, _answers_in_tuples(model, layers[0], sample))

    def states(
        self, model: Any, rows: Sequence[Any], collate: Callable[[list[Any]], Batch], *, bf16: bool
    ) -> list[torch.Tensor]:
        """Compute the states, (tokens, size), of each row, on the CPU.

        They are the same however rows are batched later, and when the training is resumed.
        """
        import torch

        computed: dict[int, torch.Tensor] = {}
        was, device = model.training, next(model.parameters()).device
        model.eval()
        with (
            torch.no_grad(),
            torch.autocast(device.type, torch.bfloat16, enabled=bf16),
            self._only_lower() as answers,
        ):
            for numbers in batches([len(row["input_ids"]) for row in rows], BUDGET):
                model(**_inputs(collate([rows[number] for number in numbers]), device))
                states = answers.pop().float().cpu()
                for index, number in enumerate(numbers):
                    computed[number] = states[
                        index, : len(rows[number]["input_ids"])
                    ].clone()  # a view would keep the whole batch
        model.train(was)
        return [computed[number] for number in range(len(rows))]

    @contextmanager
    def _only_lower(self) -> Iterator[list[torch.Tensor]]:
        """Let the layers that learn hand on what they get; the list collects what the frozen ones answer."""
        answers: list[torch.Tensor] = []

        def hear(layer: Any, given: Any, answer: Any) -> None:
            answers.append(answer[0] if self.in_tuples else answer)

        heard = self.layers[self.freeze - 1].register_forward_hook(hear)
        with ExitStack() as undo:
            undo.callback(heard.remove)
            for layer in self.layers[self.freeze :]:
                undo.enter_context(self._handing_on(layer))
            yield answers

    @contextmanager
    def skipped(self, model: Any, batch: Batch) -> Iterator[None]:
        """Let the frozen layers answer with the states of the batch."""
        states = batch.pop(STATES)
        with ExitStack() as undo:
            undo.enter_context(self._handing_on(self.layers[0], states))
            for layer in self.layers[1 : self.freeze]:
                undo.enter_context(self._handing_on(layer))
            yield

    @contextmanager
    def _handing_on(self, layer: Any, instead: torch.Tensor | None = None) -> Iterator[None]:
        """Let the layer compute nothing: it returns its input, or other states, in the form of its kind."""

        def forward(hidden_states: torch.Tensor, *_: Any, **__: Any) -> Any:
            states = hidden_states if instead is None else instead
            return (states, None) if self.in_tuples else states

        layer.forward = forward
        try:
            yield
        finally:
            del layer.forward

    @contextmanager
    def still(self, model: Any, batch: Batch) -> Iterator[None]:
        """Run the frozen layers without dropout in any mode of the model: to keep their states changes the
        time alone.
        """
        for part in (*self.around, *self.layers[: self.freeze]):
            part.eval()
        yield


def _inputs(batch: Batch, device: torch.device) -> Batch:
    return {name: tensor.to(device) for name, tensor in batch.items() if name != "labels"}


def _answers_in_tuples(model: Any, layer: Any, sample: Batch) -> bool:
    import torch

    seen: list[bool] = []
    heard = layer.register_forward_hook(lambda _, given, answer: seen.append(isinstance(answer, tuple)))
    with torch.no_grad():
        model(**_inputs(sample, next(model.parameters()).device))
    heard.remove()
    return seen[0]


def _verify(model: Any, plain: Objective, ready: Objective, *, bf16: bool) -> None:
    """Compare the logits of a few rows whose states are given with those of the same rows run from the
    ids.
    """
    import torch

    was, device = model.training, next(model.parameters()).device
    model.eval()
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        expected = model(**_inputs(plain.collate(list(plain.train[:VERIFIED])), device)).logits.float()
        batch = _inputs(ready.collate(list(ready.train[:VERIFIED])), device)
        with ready.narrowed(model, batch):
            given = model(**batch).logits.float()
        if given.dim() == 3:  # of tokens: what stands on padding means nothing
            tokens = batch["attention_mask"].bool()
            given, expected = given[tokens], expected[tokens]
    model.train(was)
    difference = float((given - expected).abs().max() / expected.abs().max().clamp(min=1.0))
    if not difference <= TOLERANCE[bf16]:
        raise RunError(
            f"a {model.config.model_type} gives other logits when its lower layers are run beforehand: "
            "they differ by "
            f"{difference:.2g}; hint: training.freeze: 0"
        )
