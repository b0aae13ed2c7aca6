"""Train one LoRA adapter and head at several sites, each of which keeps its texts.

Run it with `nlpkit train CONFIG.yaml`. A recipe holds the order; how each step is done is in nlpkit.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Annotated, Literal

from pydantic import Field, model_validator

from nlpkit.evaluation.evaluate import report_run
from nlpkit.federated.compared import merged, sites_folder, train_compared
from nlpkit.federated.engines import federate, plan
from nlpkit.federated.sections import sections
from nlpkit.federated.settings import FederatedTraining, Federation
from nlpkit.federated.site import Site, read_rows
from nlpkit.federated.weights import set_weights
from nlpkit.run import Run
from nlpkit.settings import SeededSettings
from nlpkit.settings.data import Data
from nlpkit.settings.training import EncoderBase, Lora
from nlpkit.tasks.own_settings import refuse_foreign_keys
from nlpkit.tasks.polarity import Polarity
from nlpkit.tasks.task import TextTask, TextTaskSettings
from nlpkit.training.classifier import finish
from nlpkit.training.loaded_base import LoadedBase, load_classifier_base
from nlpkit.training.precision import choose_precision
from nlpkit.training.rows import Rows
from nlpkit.training.runs import RunInProgress, TrainOptions, train_seeds

SiteName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]


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
        if self.lora.init != "default":
            raise ValueError(f"lora.init: federated has no {self.lora.init!r}; hint: lora.init=default")
        if self.federation.min_sites > len(self.sites):
            raise ValueError(
                f"federation.min_sites: {self.federation.min_sites}; there are {len(self.sites)} sites"
            )
        if taken := {"server", "central"} & self.sites.keys():
            raise ValueError(f"sites.{min(taken)}: this name is taken; hint: give the site another")
        for data in self.sites.values():
            refuse_foreign_keys(self.task, data, self.training)
            if data.swaps:
                raise ValueError("data.swaps: federated has no copies with groups exchanged")
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
    sites = [
        Site(
            name=name, config=config, rows=own, base=base, seed=job.seed,
            folder=sites_folder(job.run) / name,
        )
        for name, own in rows.items()
    ]  # fmt: skip
    if not job.begin(plan(sites)):
        return
    ledger = federate(sites, job)
    if config.compare:
        train_compared(sites, job)
    model = sites[0].model
    set_weights(model, ledger.weights)
    together = replace(merged(rows), extra={"federation": ledger.record()})
    job.finish(lambda: finish(job, model, base, together, initial=None))
