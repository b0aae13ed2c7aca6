"""The rows of a distillation: unlabeled texts, labeled ones where there are, and what is held out."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from nlpkit.errors import DataError
from nlpkit.settings import Settings
from nlpkit.settings.data import Data, DataSource, Share, as_sources
from nlpkit.tasks.reading import read_examples
from nlpkit.tasks.task import TextTask
from nlpkit.training.distillation_teacher import Teacher
from nlpkit.training.rows import Rows, TrainingRow, load_rows
from nlpkit.training.unlabeled_texts import TextSource, UnlabeledTexts, load_unlabeled


class DistillationData(Settings):
    """What is learned from, and what is held out."""

    unlabelled: Annotated[  # an old name
        tuple[TextSource, ...], BeforeValidator(as_sources), Field(min_length=1)
    ]
    """Texts that the teacher labels."""
    train: Annotated[tuple[DataSource, ...], BeforeValidator(as_sources)] = ()
    """Labeled rows, which the teacher labels too; none are needed."""
    validation: Annotated[tuple[DataSource, ...] | Share, BeforeValidator(as_sources)] = 0.1
    """Sources, or the share of the labeled rows that is held out to choose and calibrate on."""
    test: Annotated[tuple[DataSource, ...] | Share, BeforeValidator(as_sources)] = 0.0
    """Sources, or the share of the labeled rows that is held out to report on."""
    near_duplicates: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Labeled texts that share this much (Jaccard similarity of word pairs) stay on one side of a split."""
    near_held_out: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Texts without labels that share this much with a held-out one are dropped: texts gathered widely
    repeat what is measured on."""

    @model_validator(mode="after")
    def _held_out_exists(self) -> DistillationData:
        if not self.train and not isinstance(self.validation, tuple):
            raise ValueError(
                "without labeled rows in `train`, `validation` must name a file: nothing can be split off"
            )
        if not self.train and self.test and not isinstance(self.test, tuple):
            raise ValueError(
                "without labeled rows in `train`, `test` must name a file: nothing can be split off"
            )
        if self.train:
            self.labeled  # noqa: B018
        return self

    @property
    def labeled(self) -> Data:
        """What a training on the labeled rows alone would read."""
        return Data(
            train=self.train, validation=self.validation, test=self.test, near_duplicates=self.near_duplicates
        )


@dataclass(frozen=True, kw_only=True)
class DistillationRows:
    """What the student learns from, and what it is chosen and measured on."""

    rows: Rows[TextTask]
    """The labeled rows; `train` may be empty."""
    unlabeled: UnlabeledTexts

    @property
    def texts(self) -> list[str]:
        """All that the teacher answers for: labeled rows first."""
        return [*(row.text for row in self.rows.train), *self.unlabeled.texts]

    def with_record(self, teacher: Teacher) -> Rows[TextTask]:
        """Return the labeled rows, with what the record holds of the others and of the teacher."""
        extra = {"unlabelled": self.unlabeled.describe(), "teacher": teacher.identity}  # an old name
        return replace(self.rows, extra=extra, extra_texts=self.unlabeled.texts)

    def lines(
        self, encoded: Sequence[TrainingRow], teacher: Teacher, *, max_tokens: int, steps: int
    ) -> list[str]:
        """Describe what will be learned, cut and dropped, for the preflight.

        Raises:
            DataError: nothing to choose on, or every text is cut.
        """
        rows, texts, cut = self.rows, self.unlabeled, sum(row.cut > 0 for row in encoded)
        if not rows.validation:
            raise DataError(
                "no validation rows: nothing to choose and calibrate on; hint: data.validation: a file, or "
                "a share of data.train"
            )
        if cut == len(encoded):
            raise DataError(
                f"all {cut:,} texts are cut at {max_tokens} tokens; hint: a larger base.max_tokens, or "
                "cut: sentences"
            )
        lengths = sorted(len(row.input_ids) for row in encoded)
        lines = [
            f"teacher    {teacher.run.path}, {teacher.record.base.source}",
            f"rows       {len(texts.texts):,} unlabeled and {len(rows.train):,} labeled to learn from, "
            f"{len(rows.validation):,} to choose on, {len(rows.test):,} to report on",
            f"tokens     median {int(statistics.median(lengths))}, longest {lengths[-1]} of {max_tokens}; "
            f"{cut:,} texts are cut",
            f"dropped    {texts.dropped:,} unlabeled and {rows.dropped:,} labeled texts that stand, nearly "
            "equal, in the held-out ones; "
            f"{texts.repeated:,} repeated",
            f"learned    in {steps:,} steps",
        ]
        if teacher.saw(rows.describe()["sha256"]):
            lines.append(
                "warning    the held-out rows are none that were held out from the teacher: it may have "
                "learned from them"
            )
        return lines


def load_distillation_rows(task: TextTask, data: DistillationData, *, seed: int) -> DistillationRows:
    """Read the parts that the config asks for, for the teacher's task.

    Raises:
        DataError: a file or a row is wrong, holds a label that the teacher does not have, or nothing is
            left to learn from.
        SourceError: a source cannot be brought here.
    """
    rows = _labeled(task, data, seed)
    unlabeled = load_unlabeled(
        data.unlabelled, rows, key="data.unlabelled", near_held_out=data.near_held_out, seed=seed
    )
    return DistillationRows(rows=rows, unlabeled=unlabeled)


def _labeled(task: TextTask, data: DistillationData, seed: int) -> Rows[TextTask]:
    if data.train:
        return load_rows(task, data.labeled, seed=seed)
    validation, test = (
        read_examples(task, value, seed=seed).examples if isinstance(value, tuple) else ()
        for value in (data.validation, data.test)
    )
    return Rows(task=task, train=(), validation=validation, test=test, dropped=0)
