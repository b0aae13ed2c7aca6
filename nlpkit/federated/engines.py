"""How messages get to the sites and back: in this process, or through NVFlare."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from nlpkit.errors import DataError, NlpkitError
from nlpkit.federated.flare_job import run_flare
from nlpkit.federated.rounds import LATE, Ask, Ledger, Reply, Round, run_rounds
from nlpkit.federated.site import Site, refuse_disagreement
from nlpkit.federated.weights import to_bytes, weights_of
from nlpkit.tasks.reading import SHOWN_REASONS
from nlpkit.training.checkpoints import last_trusted
from nlpkit.training.loaded_base import count_weights
from nlpkit.training.runs import RunInProgress


def plan(sites: Sequence[Site]) -> list[str]:
    """Describe the training for the preflight.

    Raises:
        ConfigError, DataError: the sites disagree, or one has no rows to train or to calibrate on.
    """
    refuse_disagreement({site.name: site.facts for site in sites})
    for site in sites:
        if not site.rows.validation:
            raise DataError(f"sites.{site.name}: no validation rows; hint: validation: 0.1, or a file")
    first = sites[0]
    sent, federation = len(to_bytes(weights_of(first.model))), first.config.federation
    learned, total = count_weights(first.model)
    return [
        *(
            f"{site.name:<10} {len(site.rows.train):,} to train on, "
            f"{len(site.rows.validation):,} to choose on, {len(site.rows.test):,} to report on"
            for site in sites
        ),
        f"labels     {', '.join(first.rows.task.head.names[:20])}",
        f"learned    {learned:,} of {total:,} weights ({learned / total:.1%})",
        f"rounds     {federation.rounds} of {first.config.training.epochs:g} epochs at {len(sites)} sites",
        f"sent       {sent / 1e6:.2f} MB to each site and back, in each round",
        *(
            f"warning    sites.{site.name}: left out: {reason}"
            for site in sites
            for reason in site.rows.skipped[:SHOWN_REASONS]
        ),
    ]


def federate(sites: Sequence[Site], job: RunInProgress) -> Ledger:
    """Train the sites' adapter; a killed training goes on after its last whole round.

    Raises:
        ConfigError: NVFlare is not installed, or checkpoints of another training are there.
        NlpkitError: a round had too few usable updates, or the engine failed.
    """
    folder, federation = job.run.checkpoints, sites[0].config.federation
    last_trusted(folder, fingerprint=job.fingerprint, warn=job.options.talk)
    ledger = Ledger(folder, job.fingerprint)
    if ledger.rounds:
        job.options.talk(f"resuming after round {len(ledger.rounds)} of {federation.rounds}")
    elif not ledger.weights:
        ledger.keep(weights_of(sites[0].model))

    def report(this: Round) -> None:
        job.options.talk(this.line)
        job.options.count(this.number, federation.rounds)

    if len(ledger.rounds) == federation.rounds:  # killed later
        return ledger
    if federation.engine == "here":
        rows = {site.name: len(site.rows.train) for site in sites}
        run_rounds(ledger, rows, asking(sites, federation.timeout_s), federation, report=report)
    else:
        run_flare(sites[0].config, job, ledger, report=report)
    return ledger


def asking(sites: Sequence[Site], timeout_s: float) -> Ask:
    """Return what asks sites in this process, one after another; one that fails or is late is left out."""

    def ask(number: int, sent: bytes) -> Mapping[str, Reply]:
        replies: dict[str, Reply] = {}
        for site in sites:
            started = time.monotonic()
            try:
                reply: Reply = site.train(number, sent)
            except (NlpkitError, RuntimeError, OSError, ValueError) as error:
                reply = f"failed: {type(error).__name__}: {str(error).strip()[:200]}"
            replies[site.name] = LATE if time.monotonic() - started > timeout_s else reply
        return replies

    return ask
