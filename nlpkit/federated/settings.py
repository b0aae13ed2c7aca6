"""Settings of a federated training: its sites, its rounds, and how their updates become one."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from nlpkit.settings import Settings
from nlpkit.settings.training import SentimentTraining

SiteName: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]

Engine: TypeAlias = Literal["here", "simulator", "processes"]


class Aggregation(Settings):
    """How the updates of a round become one adapter and head."""

    average: Literal["products", "matrices"] = "products"
    """What is averaged of a LoRA pair: `products`, the changes B·A of the weights, cut back to the rank by a
    truncated SVD; `matrices`, A and B apart, as plain FedAvg does (arXiv:1602.05629)."""
    combine: Literal["mean", "median", "trimmed_mean"] = "mean"
    """`mean` weights each site by its rows. `median` and `trimmed_mean` are of each weight by itself, and
    count each site once (arXiv:1803.01498): a few sites can't move them far."""
    trim: Annotated[float, Field(gt=0, lt=0.5)] = 0.2
    """The share of sites that `trimmed_mean` leaves out at each end, at least one."""
    clip: Annotated[float, Field(ge=1)] | None = 3.0
    """Scale an update down to this multiple of the round's median norm; null: take it as it is."""


class Federation(Aggregation):
    """How long sites train together, and what the server does about those that fail."""

    rounds: Annotated[int, Field(ge=1)] = 10
    """How often every site trains and the updates are joined."""
    proximal: Annotated[float, Field(ge=0)] = 0.0
    """FedProx's mu (arXiv:1812.06127): holds each site's weights near those it got; 0 is FedAvg."""
    min_sites: Annotated[int, Field(ge=1)] = 2
    """How many usable updates a round needs; with fewer the training stops, and can be resumed."""
    timeout_s: Annotated[float, Field(gt=0)] = 3600
    """Seconds that a site has for a round; later it is left out of it."""
    engine: Engine = "simulator"
    """`simulator`: NVFlare, a process a site on this machine; `processes`: NVFlare's server and sites over
    loopback with certificates; `here`: one site after another in this process, without NVFlare."""


class FederatedTraining(SentimentTraining):
    """How a site trains in each round."""

    epochs: Annotated[float, Field(gt=0)] = 1
    """Over the site's rows in each round."""
    evaluations: Literal[1] = 1
    freeze: Literal[0] = 0
    consistency: Literal[0] = 0
    preset: None = None
    average: Literal[False] = False
    patience: None = None
