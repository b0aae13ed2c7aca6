"""A site: it reads its own rows, trains on them from the weights that it is sent, and sends new ones back."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Protocol

from pydantic import Field

from nlpkit.errors import ConfigError, DataError, SourceError
from nlpkit.federated.proximal import proximal
from nlpkit.federated.settings import FederatedTraining, Federation
from nlpkit.federated.weights import Weights, from_bytes, set_weights, to_bytes, weights_of
from nlpkit.files import fingerprint
from nlpkit.metrics.score import Part
from nlpkit.run import Run
from nlpkit.settings.data import Data
from nlpkit.settings.training import EncoderBase, Lora
from nlpkit.tasks.own_settings import refuse_foreign_keys
from nlpkit.tasks.task import TextTask
from nlpkit.training.classification_objective import classification_objective
from nlpkit.training.classifier import build
from nlpkit.training.loaded_base import LoadedBase
from nlpkit.training.objective import Objective
from nlpkit.training.rows import Rows, encode, load_rows
from nlpkit.training.runs import RunInProgress, TrainOptions
from nlpkit.training.trainer import fit

CENTRAL = "central"
"""The name of the run on the rows of all sites, which no site has."""
SITES = "sites"
"""The folder in which sites write while they train."""


class FederatedConfig(Protocol):
    """What a site needs of the recipe's config."""

    @property
    def task(self) -> Any: ...
    @property
    def sites(self) -> Mapping[str, Data]: ...
    @property
    def base(self) -> EncoderBase: ...
    @property
    def lora(self) -> Lora: ...
    @property
    def federation(self) -> Federation: ...
    @property
    def training(self) -> FederatedTraining: ...
    @property
    def seed(self) -> int: ...
    def model_copy(self, *, update: Mapping[str, Any]) -> Any: ...


def refuse_unfit(config: FederatedConfig) -> None:
    """Refuse settings that can't be trained with; a validator of the config calls it.

    Raises:
        ValueError: a key that means nothing here, too few sites, or a name that is taken.
    """
    if config.lora.init != "default":
        raise ValueError(f"lora.init: federated has no {config.lora.init!r}; hint: lora.init=default")
    if config.federation.min_sites > len(config.sites):
        raise ValueError(
            f"federation.min_sites: {config.federation.min_sites}; there are {len(config.sites)} sites"
        )
    if taken := {"server", CENTRAL} & config.sites.keys():
        raise ValueError(f"sites.{min(taken)}: this name is taken; hint: give the site another")
    for name, data in config.sites.items():
        refuse_foreign_keys(config.task, data, config.training)
        if data.swaps:
            raise ValueError(f"sites.{name}.swaps: federated makes no copies; hint: leave it out")


class Facts(Part):
    """What a site says of itself before the first round, in which all sites must agree but for the rows."""

    rows: Annotated[int, Field(ge=0)]
    """Training rows."""
    labels: tuple[str, ...]
    task: str
    """A fingerprint of the task with all that its rows fitted."""
    base: str
    """SHA-256 of the base's weights."""
    settings: str
    """A fingerprint of LoRA, training and token limit."""


OTHER = {
    "task": "another task",
    "base": "another base model",
    "settings": "other training or LoRA settings",
}
"""What messages call a fact in which a site differs."""


def refuse_disagreement(facts: Mapping[str, Facts]) -> None:
    """Refuse sites that can't train one adapter together, before the first round.

    Raises:
        DataError: a site has no rows, or other labels than the first.
        ConfigError: a site has another base or other settings than the first.
    """
    first, expected = next(iter(facts.items()))
    for site, known in facts.items():
        if not known.rows:
            raise DataError(f"sites.{site}: no training rows; hint: leave the site out, or check its file")
        if known.labels != expected.labels:
            raise DataError(
                f"sites.{site}: has the labels {', '.join(known.labels)}; {first} has "
                f"{', '.join(expected.labels)}; hint: task.labels names those of all sites, and a source's "
                "`labels` translates what a file calls them"
            )
        for name, title in OTHER.items():
            if getattr(known, name) != getattr(expected, name):
                raise ConfigError(f"sites.{site}: has {title} than {first}; expected the same at all sites")


def read_rows(config: FederatedConfig, name: str) -> Rows[TextTask]:
    """Read and split a site's rows.

    Raises:
        DataError, SourceError: as `load_rows`, with the site's name.
    """
    try:
        return load_rows(config.task, config.sites[name], seed=config.seed)
    except (DataError, SourceError) as error:
        raise type(error)(f"sites.{name}: {error}") from error


@dataclass(frozen=True, kw_only=True)
class Site:
    """One site, with its rows and its copy of the model."""

    name: str
    config: FederatedConfig
    rows: Rows[TextTask]
    base: LoadedBase
    seed: int
    folder: Path
    """For what local training writes."""

    @property
    def facts(self) -> Facts:
        """What the site says of itself."""
        config = self.config
        kept = [config.lora, config.training]
        return Facts(
            rows=len(self.rows.train),
            labels=tuple(self.rows.task.head.names),
            task=fingerprint(self.rows.task.model_dump(mode="json")),
            base=self.base.identity.weights_sha256,
            settings=fingerprint(
                {"parts": [part.model_dump(mode="json") for part in kept], "most": self.base.max_tokens}
            ),
        )

    @cached_property
    def model(self) -> Any:
        """The base with LoRA and head: the same at all sites."""
        return build(
            self.base, self.rows.task, self.config.lora, dropout=self.config.base.dropout, seed=self.seed
        )

    @cached_property
    def objective(self) -> Objective:
        """What is minimized, without FedProx's term."""
        train, held_out = (
            encode(part, self.rows.task, self.base.tokenizer, self.base.max_tokens)
            for part in (self.rows.train, self.rows.validation)
        )
        return classification_objective(
            train,
            held_out,
            task=self.rows.task,
            tokenizer=self.base.tokenizer,
            training=self.config.training,
        )

    def train(self, number: int, sent: bytes) -> bytes:
        """Train from the weights that were sent in a round, and return the new ones."""
        set_weights(self.model, from_bytes(sent))
        trained = train_locally(
            self, self.config.training, seed=self.seed + 1_000 * number, mu=self.config.federation.proximal
        )
        return to_bytes(trained)


def sites_of(
    config: FederatedConfig, rows: Mapping[str, Rows[TextTask]], base: LoadedBase, job: RunInProgress
) -> list[Site]:
    """Return the sites of a training whose files all lie on this machine."""
    folder = job.run.checkpoints / SITES
    return [
        Site(name=name, config=config, rows=own, base=base, seed=job.seed, folder=folder / name)
        for name, own in rows.items()
    ]


def train_locally(site: Site, training: FederatedTraining, *, seed: int, mu: float = 0.0) -> Weights:
    """Train a site's model from where it stands, and return its new weights."""
    shutil.rmtree(site.folder, ignore_errors=True)
    site.folder.mkdir(parents=True)
    job = RunInProgress(
        run=Run(site.folder),
        seed=seed,
        fingerprint="",
        started=time.monotonic(),
        options=TrainOptions(talk=lambda line: None),
        config=site.config.training,
    )
    try:
        model = fit(
            site.model,
            site.base.tokenizer,
            proximal(site.objective, site.model, mu),
            training=training,
            job=job,
        )
    finally:
        shutil.rmtree(site.folder, ignore_errors=True)
    return weights_of(model)
