"""Read labels in words, without training: a run from a codebook and a base.

Run it with `nlpkit zero-shot CODEBOOK -o RUN`, or with `nlpkit train CONFIG.yaml`.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

from nlpkit.evaluation.evaluate import report_run
from nlpkit.models.label_readers import ReaderSettings
from nlpkit.run import Run
from nlpkit.settings import RunSettings
from nlpkit.settings.training import Base
from nlpkit.tasks.polarity import Polarity
from nlpkit.tasks.task import TextTaskSettings
from nlpkit.training.codebooks import with_codebook
from nlpkit.training.loaded_base import load_classifier_base
from nlpkit.training.runs import TrainOptions, train_seeds
from nlpkit.training.zero_shot import LabeledRows, ReaderBase, base_of, load_labeled_rows, make_run


class ZeroShotConfig(RunSettings):
    """All that this recipe can do."""

    recipe: Literal["zero_shot"]
    codebook: str
    """A YAML file with the labels in words, or the name of a shipped one."""
    task: TextTaskSettings = Polarity(ordered=False)
    reader: ReaderSettings = ReaderSettings()
    base: ReaderBase = ReaderBase()
    data: LabeledRows = LabeledRows()


Config = ZeroShotConfig


def train(config: ZeroShotConfig, options: TrainOptions) -> list[Run]:
    """Make one run, and report on it where there are rows to report on."""
    task = with_codebook(config.task, config.codebook)
    rows = load_labeled_rows(task, config.data, seed=config.seed)
    base = load_classifier_base(Base(source=base_of(config.base, config.reader)))
    return train_seeds(
        config,
        options,
        facts={"data": rows.describe(), "base": base.identity.model_dump()},
        train_one=partial(make_run, rows=rows, base=base, reader=config.reader, codebook=config.codebook),
        report=lambda run: report_run(run, {"test": rows.test}, talk=options.talk),
    )
