"""Train one LoRA adapter and head at several sites, each of which keeps its texts.

Run it with `nlpkit train CONFIG.yaml`. A recipe holds the order; how each step is done is in nlpkit.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Annotated, Literal

from pydantic import Field, model_validator

from nlpkit.evaluation.evaluate import report_run
from nlpkit.federated.compared import merged, train_compared
from nlpkit.federated.engines import federate, plan
from nlpkit.federated.sections import sections
from nlpkit.federated.settings import FederatedTraining, Federation, SiteName
from nlpkit.federated.site import read_rows, refuse_unfit, sites_of
from nlpkit.federated.weights import set_weights
from nlpkit.run import Run
from nlpkit.settings import SeededSettings
from nlpkit.settings.data import Data
from nlpkit.settings.training import EncoderBase, Lora
from nlpkit.tasks.polarity import Polarity
from nlpkit.tasks.task import TextTask, TextTaskSettings
from nlpkit.training.classifier import finish
from nlpkit.training.loaded_base import LoadedBase, load_classifier_base
from nlpkit.training.precision import choose_precision
from nlpkit.training.rows import Rows
from nlpkit.training.runs import RunInProgress, TrainOptions, train_seeds


class FederatedConfig(SeededSettings):
    """All that this recipe can do."""

    recipe: Literal["federated"]
    task: TextTaskSettings = Polarity()
    sites: Annotated[dict[SiteName, Data], Field(min_length=2)]
    """By name: the data of each site."""
    base: EncoderBase = EncoderBase()
    lora: Lora = Lora()
    federation: Federation = Federation()
    training: FederatedTraining = FederatedTraining()
    compare: bool = True
    """Train also one run on all rows together, and one at each site alone, to compare with."""

    @model_validator(mode="after")
    def _only_what_it_does(self) -> FederatedConfig:
        refuse_unfit(self)
        return self


Config = FederatedConfig


def train(config: FederatedConfig, options: TrainOptions) -> list[Run]:
    """Train one run a seed, compare and report each; none when only checked."""
    rows = {name: read_rows(config, name) for name in config.sites}
    base = load_classifier_base(config.base)
    bf16 = choose_precision(config.training.precision).bf16
    data = {name: site.describe() for name, site in rows.items()}

    def report(run: Run) -> None:
        report_run(
            run,
            merged(rows).held_out,
            talk=options.talk,
            sections=sections(run, rows, compare=config.compare),
        )

    return train_seeds(
        config,
        options,
        facts={"data": data, "bf16": bf16, "base": base.identity.model_dump()},
        train_one=partial(_train_one, config, rows, base),
        report=report,
    )


def _train_one(
    config: FederatedConfig, rows: dict[str, Rows[TextTask]], base: LoadedBase, job: RunInProgress
) -> None:
    sites = sites_of(config, rows, base, job)
    if not job.begin(plan(sites)):
        return
    ledger = federate(sites, job)
    if config.compare:
        train_compared(sites, job)
    model = sites[0].model
    set_weights(model, ledger.weights)
    together = replace(merged(rows), extra={"federation": ledger.record()})
    job.finish(lambda: finish(job, model, base, together, initial=None))
