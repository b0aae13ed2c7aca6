"""Where a run keeps its reports, and what of a run stands in each of them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nlpkit.data.codebook import read_codebook
from nlpkit.files import write_whole
from nlpkit.reports.card import model_card
from nlpkit.reports.card_sections import audit_words, group_section, is_audit, with_groups
from nlpkit.reports.parts import Cost, SourceCard, Step
from nlpkit.reports.report import Report
from nlpkit.reports.usage import Usage
from nlpkit.run import Run
from nlpkit.sources import catalogue

OWN_PARTS = ("test", "validation")
"""Held-out parts of a training, the one that chose nothing first: the report of the first one that there is
stands in the card."""


def place(run: Run, data: str, ending: str) -> Path:
    """Return the file of one report on one data set, such as its `.html`."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", data).strip("-.")[-80:] or "data"
    return run.evaluation / f"{name}{ending}"


def write_report(run: Run, report: Report, *, card: Usage | None = None) -> None:
    """Write the page of one report, with JSON and Markdown next to it, into the run's `evaluation/`.

    Args:
        run: whose report it is.
        report: what to write.
        card: how such a run is used, for the report of its training on held-out rows: it becomes the run's
            own
            `report.html` and model card too.
    """
    page = report.to_html()
    for ending, text in ((".json", report.to_json()), (".md", report.to_markdown()), (".html", page)):
        write_whole(place(run, report.data, ending), text)
    if card is not None:
        write_whole(run.report, page)
        record = run.read()
        if not (record.engine or record.cascade):  # which are no single model that is here
            codebook = read_codebook(run.codebook) if run.codebook.is_file() else None
            text = model_card(
                report, record.model_dump(mode="json"), card, audit=latest_audit(run), codebook=codebook
            )
            write_whole(run.card, text)


def latest_audit(run: Run) -> Report | None:
    """Return the report of the latest audit of a run; None where there is none."""
    texts = (path.read_text(encoding="utf-8") for path in run.evaluation.glob("audit*.json"))
    audits = [report for report in map(Report.from_json, texts) if is_audit(report)]
    return max(audits, key=lambda report: report.created, default=None)


def show_audit_in_card(run: Run, audit: Report) -> None:
    """Write an audit into the section on groups of a run's model card; the rest stays, edits included.

    The card of a run without the report of its training stays as it is, and so does that of a built-in run.
    """
    own = next((path for part in OWN_PARTS if (path := place(run, part, ".json")).is_file()), None)
    if own is None or run.evaluation.parent != run.path or not run.card.is_file():
        return
    section = group_section(Report.from_json(own.read_text(encoding="utf-8")), audit_words(audit))
    write_whole(run.card, with_groups(run.card.read_text(encoding="utf-8"), section))


def of_run(run: Run) -> dict[str, Any]:
    """Return the parts of a report that only the run knows: name, learning curve, cost and config."""
    return {
        "run": run.name,
        "curve": curve(run),
        "cost": Cost(**run.read().cost),
        "config": run.config.read_text(encoding="utf-8"),
    }


def curve(run: Run) -> tuple[Step, ...]:
    """Return the learning curve from the run's log; a run that ships without one has none."""
    if not run.log.is_file():
        return ()
    steps = []
    for line in run.log.read_text(encoding="utf-8").splitlines():
        entry: Mapping[str, Any] = json.loads(line)
        evaluated = {
            name.removeprefix("eval_"): value for name, value in entry.items() if name.startswith("eval_")
        }
        metrics = {
            name: value
            for name, value in evaluated.items()
            if name != "runtime" and not name.endswith("_per_second")
        }
        if "loss" in entry or metrics:
            steps.append(
                Step(step=entry["step"], epoch=entry.get("epoch"), loss=entry.get("loss"), metrics=metrics)
            )
    return tuple(steps)


def source_card(name: str) -> SourceCard:
    """Return license and origin of a catalog entry; of a file of the user's own, its name alone."""
    entry = next((entry for entry in catalogue() if entry.name == name.partition("/")[0]), None)
    return (
        SourceCard(name=name, license=entry.license, origin=entry.origin) if entry else SourceCard(name=name)
    )


def shown_scores(report: Report) -> str:
    """Return the first scores of a report in a line, and what the same answer for every text gets."""
    scores = list(report.scores.values())[:3]
    shown = ", ".join(f"{score.title} {score.shown_with_interval}" for score in scores)
    constant = [
        f"{baseline.name}: {score.title} {score.shown(score.value)}"
        for baseline in report.baselines
        if baseline.constant
        for score in list(baseline.scores.values())[:1]
    ]
    return "; ".join([shown, *constant])


def warning_lines(report: Report) -> list[str]:
    """Return the warnings of a report as lines for a terminal."""
    return [f"warning: {report.data}: {warning}" for warning in report.warnings]
