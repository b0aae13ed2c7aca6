"""What a federated run is worth: one run on all rows together, and one at each site alone, trained as
long.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from nlpkit.federated.site import CENTRAL, Site, train_locally
from nlpkit.tasks.task import TextTask
from nlpkit.training.classifier import finish
from nlpkit.training.rows import Rows
from nlpkit.training.runs import RunInProgress, compared_job


def merged(rows: Mapping[str, Rows[TextTask]]) -> Rows[TextTask]:
    """Return the rows of all sites, those held out with their site as group: for a report, which has them on
    one machine, and for the run that is trained on all of them.
    """
    parts: dict[str, tuple[Any, ...]] = {
        part: tuple(
            replace(example, group=name) for name, site in rows.items() for example in getattr(site, part)
        )
        for part in ("validation", "test")
    }
    sites = list(rows.values())
    return replace(
        sites[0],
        train=tuple(example for site in sites for example in site.train),
        validation=parts["validation"],
        test=parts["test"],
        dropped=sum(site.dropped for site in sites),
        skipped=tuple(reason for site in sites for reason in site.skipped),
        left_out=sum(site.left_out for site in sites),
        sources=tuple(dict.fromkeys(source for site in sites for source in site.sources)),
    )


def train_compared(sites: Sequence[Site], job: RunInProgress) -> None:
    """Train the runs to compare with, each as many epochs as the rounds have together; those that are there
    are kept.

    Raises:
        ConfigError: a run of another training has such a name.
    """
    central = replace(
        sites[0],
        name=CENTRAL,
        rows=merged({site.name: site.rows for site in sites}),
        folder=sites[0].folder.parent / CENTRAL,
    )
    for site in (central, *(replace(site) for site in sites)):
        _train_one(site, job)


def _train_one(site: Site, job: RunInProgress) -> None:
    own = compared_job(job, site.name)
    if own is None:
        return
    training = site.config.training
    rounds = site.config.federation.rounds
    longer = {
        "epochs": training.epochs * rounds,
        "max_steps": training.max_steps and training.max_steps * rounds,
    }
    job.options.talk(f"training {own.run.path} on {len(site.rows.train):,} rows, as long as {rounds} rounds")
    train_locally(site, training.model_copy(update=longer), seed=job.seed)
    finish(own, site.model, site.base, site.rows, initial=None)
