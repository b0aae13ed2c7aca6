"""Learn labels from 2 to 64 rows each: contrastive LoRA, plain LoRA or a linear probe, the best by
cross-validation.

Run it with `nlpkit train CONFIG.yaml`. Each seed draws rows of its own and makes a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Literal

from pydantic import Field, model_validator

from nlpkit.data.examples import LabeledText
from nlpkit.evaluation.evaluate import report_run
from nlpkit.run import Run
from nlpkit.settings import SeededSettings
from nlpkit.settings.training import Base, ClassifierTraining, Lora
from nlpkit.tasks.own_settings import refuse_foreign_keys
from nlpkit.tasks.polarity import Polarity
from nlpkit.tasks.task import TextTask, TextTaskSettings
from nlpkit.training.classifier import finish
from nlpkit.training.codebooks import with_codebook, worded_examples
from nlpkit.training.few_shot import FewShot, FewShotData, FewShotTraining, draw
from nlpkit.training.loaded_base import LoadedBase, load_classifier_base
from nlpkit.training.precision import choose_precision
from nlpkit.training.rows import Rows, encode, load_rows
from nlpkit.training.runs import RunInProgress, TrainOptions, train_seeds


class FewShotConfig(SeededSettings):
    """All that this recipe can do."""

    recipe: Literal["few_shot"]
    task: TextTaskSettings = Polarity()
    codebook: Annotated[str | None, Field(exclude_if=lambda value: value is None)] = None
    """A YAML file with the labels in words: it gives the task its labels, and its descriptions and examples
    are learned with the rows."""
    data: FewShotData
    base: Base = Base()
    lora: Lora = Lora()
    training: FewShotTraining = FewShotTraining()
    seeds: Annotated[tuple[int, ...], Field(min_length=1)] = (1, 2, 3, 4, 5)
    """Draw rows, heads and batches: one run each, with their mean and standard deviation."""

    @model_validator(mode="after")
    def _only_what_it_does(self) -> FewShotConfig:
        if self.lora.init != "default":
            raise ValueError(f"lora.init: few_shot has no {self.lora.init!r}; hint: lora.init=default")
        refuse_foreign_keys(self.task, self.data, ClassifierTraining())
        return self


Config = FewShotConfig


def train(config: FewShotConfig, options: TrainOptions) -> list[Run]:
    """Train one run a draw, measure and report each; none when only checked."""
    rows = load_rows(with_codebook(config.task, config.codebook), config.data, seed=config.seed)
    words = worded_examples(config.codebook)
    rows = replace(rows, extra_texts=tuple(example.text for example in words))
    base = load_classifier_base(config.base, mean_pooled=True)
    bf16 = choose_precision(config.training.precision).bf16
    return train_seeds(
        config,
        options,
        facts={
            "data": rows.describe(),
            "bf16": bf16,
            "base": base.identity.model_dump(),
            **({"words": [(example.text, example.label) for example in words]} if words else {}),
        },
        train_one=partial(_train_one, config, rows, words, base),
        report=lambda run: report_run(run, {"test": rows.test}, talk=options.talk),
    )


def _train_one(
    config: FewShotConfig,
    rows: Rows[TextTask],
    words: Sequence[LabeledText],
    base: LoadedBase,
    job: RunInProgress,
) -> None:
    drawn = draw(rows, config.data.per_label, job.seed)
    encoded = encode(drawn.train, drawn.task, base.tokenizer, base.max_tokens)
    few = FewShot(
        base=base, task=drawn.task, lora=config.lora, settings=config.base, training=config.training,
        job=job, rows=encoded, examples=drawn.train,
        words=encode(words, drawn.task, base.tokenizer, base.max_tokens),
    )  # fmt: skip
    if not job.begin(few.plan(rows)):
        return
    way, held = few.choose()
    model = few.train(way, range(len(encoded)))
    job.finish(lambda: finish(job, model, base, drawn, initial=None, held=held))
