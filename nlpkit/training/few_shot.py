"""Learn from a few rows of each label: three ways to train, compared by cross-validation."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import Field

from nlpkit.errors import ConfigError, DataError
from nlpkit.run import Run
from nlpkit.settings.data import Data
from nlpkit.settings.training import Base, ClassifierTraining, Lora
from nlpkit.tasks.reading import SHOWN_REASONS
from nlpkit.tasks.task import TextTask
from nlpkit.training.classification_objective import classification_objective
from nlpkit.training.classifier import Held, build
from nlpkit.training.head_features import HeadFeatures
from nlpkit.training.loaded_base import LoadedBase
from nlpkit.training.rows import Rows, TrainingRow
from nlpkit.training.runs import RunInProgress
from nlpkit.training.trainer import fit

if TYPE_CHECKING:
    from numpy.typing import NDArray

OneLabelTask = TypeVar("OneLabelTask", bound=TextTask)
Way: TypeAlias = Literal["contrastive", "lora", "probe"]


class FewShotData(Data):
    """The rows that few are drawn of, and the rows to report on."""

    validation: Literal[0] = 0
    """Few rows are not split further: the way is chosen, and its probabilities calibrated, by
    cross-validation."""
    swaps: Literal[False] = False
    per_label: Annotated[int, Field(ge=2, le=64)] | None = None
    """Draw so many training rows of each label, by the seed of a run; default: all."""


class FewShotTraining(ClassifierTraining):
    """How few rows are learned from."""

    ways: Annotated[tuple[Way, ...], Field(min_length=1)] = ("contrastive", "lora", "probe")
    """`contrastive`: LoRA draws texts of one label together, then a linear head is fitted; `lora`: LoRA and
    head together, as the recipe sentiment does, from the head of `probe`; `probe`: a linear head on the base
    as it is. Of several the best by cross-validation is trained."""
    folds: Annotated[int, Field(ge=2)] = 4
    """Parts of the training rows for the cross-validation that compares the ways."""
    epochs: Annotated[float, Field(gt=0)] = 30
    batch_size: Annotated[int, Field(ge=2)] = 32
    evaluations: Literal[1] = 1
    freeze: Literal[0] = 0
    consistency: Literal[0] = 0
    preset: None = None
    average: Literal[False] = False


@dataclass(frozen=True, kw_only=True)
class FewShot:
    """One draw: its rows encoded, and all that a training of them takes."""

    base: LoadedBase
    task: TextTask
    lora: Lora
    settings: Base
    training: FewShotTraining
    job: RunInProgress
    rows: Sequence[TrainingRow]
    examples: Sequence[Any]
    words: Sequence[TrainingRow] = ()
    """What a codebook says of the labels, encoded: learned with any rows, and never held out."""

    @property
    def labels(self) -> list[int]:
        """The output of each row's label."""
        return [int(row.target[0]) for row in self.rows]

    def plan(self, rows: Rows[TextTask]) -> list[str]:
        """Describe what will be done, for the preflight."""
        cut = sum(row.cut > 0 for row in self.rows)
        counts = {self.labels.count(label) for label in set(self.labels)}
        each = f"{min(counts)}" if len(counts) == 1 else f"{min(counts)} to {max(counts)}"
        return [
            f"rows       {len(self.rows):,} of {len(rows.train):,} to train on, {each} a label; "
            f"{len(rows.test):,} to report on",
            f"labels     {', '.join(self.task.head.names[:20])}",
            f"cut        {cut:,} texts lose tokens at their end",
            *(
                [f"words      {len(self.words)} descriptions and examples of the codebook are learned too"]
                if self.words
                else []
            ),
            f"ways       {', '.join(self.training.ways)}, cross-validated in {self._folds} folds",
            *(f"warning    left out: {reason}" for reason in rows.skipped[:SHOWN_REASONS]),
        ]

    @property
    def _folds(self) -> int:
        return min(self.training.folds, *(self.labels.count(label) for label in set(self.labels)))

    def train(self, way: Way, chosen: Sequence[int], fold: str = "") -> Any:
        """Train a fresh model on some of the rows, those of a fold or all, and return it."""
        rows, pad = [*(self.rows[at] for at in chosen), *self.words], self.base.tokenizer.pad_token_id
        model = build(self.base, self.task, self.lora, dropout=self.settings.dropout, seed=self.job.seed)
        features = HeadFeatures.of(model)
        if way != "contrastive":
            features.fit(model, rows, pad)
        if way != "probe":
            objective = (
                features.objective(rows, pad)
                if way == "contrastive"
                else classification_objective(
                    rows, rows, task=self.task, tokenizer=self.base.tokenizer, training=self.training
                )
            )
            job = self._job_of(fold) if fold else self.job
            model = fit(model, self.base.tokenizer, objective, training=self.training, job=job)
        if way == "contrastive":
            features.fit(model, rows, pad)
        return model

    def _job_of(self, fold: str) -> RunInProgress:
        folder = self.job.run.checkpoints / fold
        folder.mkdir(parents=True, exist_ok=True)
        return replace(self.job, run=Run(folder), fingerprint=f"{self.job.fingerprint} {fold}")

    def cross_validate(self, way: Way) -> NDArray[Any]:
        """Return (rows, labels) logits, each row's by a model that was trained without it."""
        import numpy as np
        from sklearn.model_selection import StratifiedKFold

        folds = StratifiedKFold(self._folds, shuffle=True, random_state=self.job.seed)
        logits = np.empty((len(self.rows), self.task.head.outputs))
        for number, (kept, held) in enumerate(folds.split(self.labels, self.labels)):
            self.job.options.count(number, self._folds)
            model = self.train(way, kept.tolist(), f"{way}-{number}")
            rows = [self.rows[index] for index in held]
            pad = self.base.tokenizer.pad_token_id
            logits[held] = HeadFeatures.of(model).read(model, rows, pad)[1]
        return logits

    def choose(self) -> tuple[Way, Held]:
        """Return the way that is most often right on rows left out, and its answers to them."""
        import numpy as np

        tried = {way: self.cross_validate(way) for way in self.training.ways}
        right = {way: float((logits.argmax(1) == self.labels).mean()) for way, logits in tried.items()}
        best = max(tried, key=lambda way: right[way])
        shown = ", ".join(f"{way} {share:.1%}" for way, share in right.items())
        self.job.options.talk(f"chosen     {best}, by cross-validation: {shown}")
        return best, Held(examples=self.examples, logits=np.asarray(tried[best]))


def draw(rows: Rows[OneLabelTask], per_label: int | None, seed: int) -> Rows[OneLabelTask]:
    """Return the rows with so many training rows of each label, chosen by the seed.

    Raises:
        ConfigError: the task does not give one label a text, or no rows are held out to report on.
        DataError: a label has fewer rows, or a single one.
    """
    if rows.task.head.problem != "single_label_classification":
        raise ConfigError(
            f"task: few examples are learned for one label a text, not for {rows.task.kind}; "
            "hint: recipe: sentiment"
        )
    if not rows.test:
        raise ConfigError("data.test: no rows to report on; hint: data.test: 0.5, or a file")
    by_label: dict[str, list[Any]] = defaultdict(list)
    for example in rows.train:
        by_label[str(example.label)].append(example)
    for label, examples in by_label.items():
        if len(examples) < (per_label or 2):
            raise DataError(
                f"{examples[0].where}: the label {label!r} has {len(examples)} rows; expected at least "
                f"{per_label or 2}; hint: add rows of it, or a smaller data.per_label"
            )
    choose = random.Random(seed)  # noqa: S311
    chosen = {
        label: choose.sample(examples, per_label) if per_label else examples
        for label, examples in sorted(by_label.items())
    }
    return replace(rows, train=tuple(example for examples in chosen.values() for example in examples))
