"""The sections of a federated run's report: central, alone and federated at each site, and the rounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nlpkit.classifiers.classifier import Classifier
from nlpkit.federated.rounds import Round, recorded_rounds
from nlpkit.federated.site import CENTRAL
from nlpkit.metrics.intervals import bootstrap, paired
from nlpkit.reports.sections import Column, Prose, Section, Table, columns
from nlpkit.reports.wording import difference
from nlpkit.run import Run
from nlpkit.tasks.task import TextTask
from nlpkit.training.rows import Rows
from nlpkit.training.runs import compared_run

LIMITS = (
    "No text went over the wire, only adapters and heads. They can still give away something of the texts "
    "that they were trained on: this is no privacy guarantee.",
    "The rows of all sites lie on this machine, or the sites could not be compared. The probabilities are "
    "calibrated on the sites' validation rows together.",
    "A text that stands at two sites is not found before training, because no site sees another's.",
)


def sections(run: Run, rows: Mapping[str, Rows[TextTask]], *, compare: bool) -> tuple[Section, ...]:
    """Return the sections of a report.

    Args:
        run: the federated one.
        rows: of each site; measured are its test rows, or without such its validation rows.
        compare: whether the runs to compare with are there.
    """
    held_out = {name: site.test or site.validation for name, site in rows.items()}
    return (
        *((_comparison(run, held_out),) if compare else ()),
        rounds_table(recorded_rounds(run.read().data)),
        Prose(id="federation-limits", title="What federated training does not show", sentences=LIMITS),
    )


def _comparison(run: Run, held_out: Mapping[str, Sequence[Any]]) -> Table:
    """Return the table with a row for each site, and differences on the same rows."""
    names = ("federated", CENTRAL, *held_out)
    runs = [run, *(compared_run(run, name) for name in names[1:])]
    classifiers = {name: Classifier.load(each) for name, each in zip(names, runs, strict=True)}
    family = classifiers["federated"].task.family
    metric = family.best_by
    seed = run.read().seed
    rows = []
    for site, examples in held_out.items():
        inputs = [classifiers["federated"].task.input(example) for example in examples]
        outcomes = {
            name: family.outcomes(examples, classifiers[name].predict(inputs))
            for name in ("federated", CENTRAL, site)
        }
        scores = {
            name: bootstrap(answers, (metric,), seed=seed)[metric.name] for name, answers in outcomes.items()
        }
        gains = [
            difference(scores["federated"], paired(metric, outcomes["federated"], outcomes[name], seed=seed))
            for name in (site, CENTRAL)
        ]
        shown = (scores[name].shown_with_interval for name in (CENTRAL, site, "federated"))
        rows.append((site, len(examples), *shown, *gains))
    return Table(
        id="sites",
        title=f"{metric.title} at each site: central, alone and federated",
        nav="Sites",
        note="Central: one run on the training rows of all sites. Alone: one on the site's own. All were "
        "trained as many epochs over each row as the rounds have together. Differences are on the same rows, "
        "with 95% intervals by paired bootstrap: where one holds 0, the two may not differ.",
        columns=columns(
            "Site", "Texts", "Central", "Alone", "Federated", "Federated minus alone",
            "Federated minus central",
        ),
        rows=tuple(rows),
    )  # fmt: skip


def rounds_table(rounds: Sequence[Round]) -> Table:
    """Return the table of what happened in each round at each site."""
    total = sum(site.sent + site.received for this in rounds for site in this.sites)
    return Table(
        id="rounds",
        title="Rounds",
        nav="Rounds",
        note="Bytes of adapters and heads as safetensors, to the site and back. Change: the norm of what "
        "local training changed, and the factor that it was scaled by where it was clipped. Cut: the share "
        "of the averaged LoRA products, squared, that does not fit the rank.",
        caption=f"{total:,} bytes in {len(rounds):,} rounds",
        columns=(
            *columns("Round", "Rows", "Bytes out", "Bytes back", "Change", "Scaled by", "Cut"),
            Column(name="Left out because it"),
        ),
        rows=tuple(
            (
                f"{this.number}, {site.site}",
                site.rows,
                site.sent,
                site.received,
                None if site.norm is None else round(site.norm, 4),
                None if site.scale is None else round(site.scale, 4),
                f"{this.lost:.1%}",
                site.problem,
            )
            for this in rounds
            for site in this.sites
        ),
        folded=len(rounds) > 3,
    )
