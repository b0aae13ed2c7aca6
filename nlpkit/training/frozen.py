"""The lowest layers of an encoder frozen: what they answer to each row is computed once, kept, and given to the layers that learn."""

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
from nlpkit.training.objective import Batch, Objective

if TYPE_CHECKING:
    import torch

BUDGET = 4_096
"""Tokens a batch while the lower layers run."""

STATES = "lower_states"
"""The batch's key of what the lower layers answered, (batch, time, size)."""

PROVED = 8
"""Rows on which the model with kept states is compared with the whole one."""

TOLERANCE = {False: 1e-4, True: 5e-2}
"""How far logits may move when states are given instead of computed, in fp32 and in bf16: rounding of other batches."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A row of the objective, and what the lower layers answered to it."""

    row: Any
    states: torch.Tensor
    """(tokens, size), without padding."""


def megabytes(objective: Objective, model: Any) -> float:
    """What the states of all rows take, training and validation."""
    tokens = sum(len(row["input_ids"]) for row in (*objective.train, *objective.validation))
    return float(tokens * model.config.hidden_size * 4 / 1e6)


def plan_lines(objective: Objective, model: Any, freeze: float, limit_mb: int) -> list[str]:
    """What freezing will do, for the preflight."""
    count = frozen_count(model, freeze)
    if not count:
        return []
    size = megabytes(objective, model)
    what = f"frozen     the lowest {count} of {len(layers_of(model))} layers, without dropout"
    if size <= limit_mb:
        return [f"{what}: run once over all rows, {size:,.0f} MB of states kept in memory"]
    return [
        f"{what}: run anew in every epoch, as their states would take {size:,.0f} MB (training.cache_mb: {limit_mb:,})"
    ]


def frozen(
    objective: Objective, model: Any, freeze: float, *, limit_mb: int, bf16: bool, talk: Callable[[str], None]
) -> Objective:
    """The objective whose batches bring the states of the frozen layers with them, or compute them where there is no room to keep them.

    Raises:
        RunError: the model answers otherwise when states are given to it than when it computes them.
    """
    count = frozen_count(model, freeze)
    if not count:
        return objective
    model.to(pick_device())
    lower = Lower.of(model, count, objective.collate(list(objective.train[:1])))
    if megabytes(objective, model) > limit_mb:
        return replace(objective, narrowed=lower.still)
    started = time.monotonic()
    rows = [*objective.train, *objective.validation]
    states = lower.states(model, rows, objective.collate, bf16=bf16)
    kept = [Kept(row, state) for row, state in zip(rows, states, strict=True)]
    ready = replace(
        objective, train=kept[: len(objective.train)], validation=kept[len(objective.train) :],
        collate=_collator(objective.collate), narrowed=lower.skipped,
    )  # fmt: skip
    _prove(model, objective, ready, bf16=bf16)
    talk(f"frozen     ran the lowest {count} layers once, in {time.monotonic() - started:.1f} s")
    return ready


def _collator(collate: Callable[[list[Any]], Batch]) -> Callable[[list[Kept]], Batch]:
    """Batches with the states beside the ids, padded at their end as these are."""

    def collate_kept(batch: list[Kept]) -> Batch:
        made = collate([one.row for one in batch])
        size = batch[0].states.shape[1]
        states = batch[0].states.new_zeros(*made["input_ids"].shape, size)
        for place, one in enumerate(batch):
            states[place, : len(one.states)] = one.states
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
        """The lowest `freeze` layers of a model with its adapter on; how they answer is seen on a sample."""
        plain = model.get_base_model()
        parts = getattr(plain, plain.base_model_prefix).children()
        still = [part for part in parts if not any(weight.requires_grad for weight in part.parameters())]
        layers = list(layers_of(model).values())
        return cls(layers, freeze, still, _answers_in_tuples(model, layers[0], sample))

    def states(
        self, model: Any, rows: Sequence[Any], collate: Callable[[list[Any]], Batch], *, bf16: bool
    ) -> list[torch.Tensor]:
        """(tokens, size) for each row, on the CPU: the same however rows are batched later, and when the training is resumed."""
        import torch

        found: dict[int, torch.Tensor] = {}
        was, device = model.training, next(model.parameters()).device
        model.eval()
        with (
            torch.no_grad(),
            torch.autocast(device.type, torch.bfloat16, enabled=bf16),
            self._only_lower() as answers,
        ):
            for places in batches([len(row["input_ids"]) for row in rows], BUDGET):
                model(**_inputs(collate([rows[place] for place in places]), device))
                states = answers.pop().float().cpu()
                for number, place in enumerate(places):
                    found[place] = states[
                        number, : len(rows[place]["input_ids"])
                    ].clone()  # a view would keep the whole batch
        model.train(was)
        return [found[place] for place in range(len(rows))]

    @contextmanager
    def _only_lower(self) -> Iterator[list[torch.Tensor]]:
        """The layers that learn hand on what they get; the list is told what the frozen ones answer."""
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
        """The frozen layers answer what the batch brings."""
        states = batch.pop(STATES)
        with ExitStack() as undo:
            undo.enter_context(self._handing_on(self.layers[0], states))
            for layer in self.layers[1 : self.freeze]:
                undo.enter_context(self._handing_on(layer))
            yield

    @contextmanager
    def _handing_on(self, layer: Any, instead: torch.Tensor | None = None) -> Iterator[None]:
        """The layer computes nothing: it answers what it is given, or something else, in the form of its kind."""

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
        """The frozen layers run, without dropout in any mode of the model: to keep their states changes the time alone."""
        for part in (*self.around, *self.layers[: self.freeze]):
            part.eval()
        yield


def _inputs(batch: Batch, device: torch.device) -> Batch:
    return {name: one.to(device) for name, one in batch.items() if name != "labels"}


def _answers_in_tuples(model: Any, layer: Any, sample: Batch) -> bool:
    import torch

    seen: list[bool] = []
    heard = layer.register_forward_hook(lambda _, given, answer: seen.append(isinstance(answer, tuple)))
    with torch.no_grad():
        model(**_inputs(sample, next(model.parameters()).device))
    heard.remove()
    return seen[0]


def _prove(model: Any, plain: Objective, ready: Objective, *, bf16: bool) -> None:
    """Compare the logits of a few rows whose states are given with those of the same rows run from the ids."""
    import torch

    was, device = model.training, next(model.parameters()).device
    model.eval()
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        expected = model(**_inputs(plain.collate(list(plain.train[:PROVED])), device)).logits.float()
        batch = _inputs(ready.collate(list(ready.train[:PROVED])), device)
        with ready.narrowed(model, batch):
            found = model(**batch).logits.float()
    model.train(was)
    drift = float((found - expected).abs().max() / expected.abs().max().clamp(min=1.0))
    if not drift <= TOLERANCE[bf16]:
        about = f"a {model.config.model_type} answers otherwise when its lower layers are run beforehand: logits differ by {drift:.2g}"
        raise RunError(f"{about}; cure: training.freeze: 0")
