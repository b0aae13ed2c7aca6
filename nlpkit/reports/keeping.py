"""Where a run keeps its reports, and what of a run stands in each of them."""

from __future__ import annotations

import json
import re
from pathlib import Path

from nlpkit.files import write_whole
from nlpkit.reports.report import SourceCard, Step
from nlpkit.run import Run
from nlpkit.sources import catalogue


def place(run: Run, data: str, ending: str) -> Path:
    """The file of one report on one data set, such as its `.html`."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", data).strip("-.")[-80:] or "data"
    return run.evaluation / f"{name}{ending}"


def keep(run: Run, data: str, *, report: str, markdown: str, page: str) -> None:
    """The page of one report, with JSON and Markdown beside it, in the run's `evaluation/`.

    The run's own `report.html` and model card stay those of its training: its held-out rows, measured once.
    """
    for ending, text in ((".json", report), (".md", markdown), (".html", page)):
        write_whole(place(run, data, ending), text)


def curve(run: Run) -> tuple[Step, ...]:
    """The learning curve from the run's log; a run that ships without one has none."""
    if not run.log.is_file():
        return ()
    steps = []
    for line in run.log.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        looks = {
            name.removeprefix("eval_"): value for name, value in entry.items() if name.startswith("eval_")
        }
        metrics = {
            name: value
            for name, value in looks.items()
            if name != "runtime" and not name.endswith("_per_second")
        }
        if "loss" in entry or metrics:
            steps.append(
                Step(step=entry["step"], epoch=entry.get("epoch"), loss=entry.get("loss"), metrics=metrics)
            )
    return tuple(steps)


def source_card(name: str) -> SourceCard:
    """Licence and origin of a catalogue entry; of a file of the user's own, its name alone."""
    entry = next((one for one in catalogue() if one.name == name.partition("/")[0]), None)
    return (
        SourceCard(name=name, licence=entry.licence, origin=entry.origin) if entry else SourceCard(name=name)
    )
