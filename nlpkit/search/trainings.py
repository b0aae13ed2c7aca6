"""Several trainings of one config in one folder, and the page that stands for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nlpkit.config import to_yaml
from nlpkit.errors import ConfigError
from nlpkit.files import write_whole
from nlpkit.reports.report import Report
from nlpkit.reports.sections import Prose
from nlpkit.run import Run
from nlpkit.training.runs import Progress, TrainOptions, only_trainer
from nlpkit.training.train import TrainingConfig

PAGE = "report.html"
"""The page of a folder, written last."""


def runs_folder(settings: Any, ending: str) -> Path:
    """Return the folder next to a config's run in which its trainings and their page stand."""
    return Path(settings.output) / f"{settings.name}-{ending}"


def one_seed(loaded: TrainingConfig, seed: int | None = None) -> dict[str, Any]:
    """Return the override that trains one run: by this seed, or by the first of the config's."""
    if "seeds" not in loaded.recipe.Config.model_fields:
        return {}
    return {"seeds": [loaded.settings().seeds[0] if seed is None else seed]}


def write_pages(folder: Path, report: Report) -> Path:
    """Write a report as HTML, JSON and Markdown into a folder; return the page."""
    texts = {".json": report.to_json(), ".md": report.to_markdown(), ".html": report.to_html()}
    for ending, text in texts.items():
        write_whole(folder / f"report{ending}", text)
    return folder / PAGE


def measure_trainings(
    parts: Sequence[TrainingConfig],
    measure: Callable[[Sequence[Run]], Report],
    options: TrainOptions,
    *,
    folder: Path,
    settings: Any,
    data: str,
) -> Report | None:
    """Train one run of each config, write the report about them, and delete them.

    A report of the same trainings that is there already is returned. None where only the preflight, of the
    last, is asked for.

    Args:
        parts: configs of the runs; those that are trained already are kept.
        measure: makes the report.
        options: how all are trained.
        folder: of the runs and the page.
        settings: of the config that all were made from.
        data: what the report measures, such as `5 folds`.

    Raises:
        ConfigError: the report there is that of another config.
    """
    if options.check:
        parts[-1].train(options)
        return None
    with only_trainer(Run(folder)):
        if options.overwrite:
            Run(folder).remove()
        if (kept := folder / "report.json").is_file():
            report = Report.from_json(kept.read_text(encoding="utf-8"))
            if (report.config, report.data) != (to_yaml(settings), data):
                raise ConfigError(
                    f"{folder}: a report of other settings is there; "
                    "hint: --overwrite, or another name, as with name=other"
                )
            options.talk(f"{folder}: measured already")
            return report
        runs = [_train(part, number, len(parts), options) for number, part in enumerate(parts)]
        report = measure(runs)
        options.talk(f"report: {write_pages(folder, report)}")
        for run in runs:
            run.remove()
    return report


def _train(part: TrainingConfig, number: int, of: int, options: TrainOptions) -> Run:
    def count(at: Progress) -> None:
        options.progress(Progress(done=number * at.total + at.done, total=of * at.total, loss=at.loss))

    talk = quiet if number else options.talk
    (run,) = part.train(replace(options, talk=talk, progress=count, overwrite=False, report=False))
    options.talk(f"trained    {number + 1} of {of}: {run.name}")
    return run


def limits(sentences: Sequence[str]) -> Prose:
    """Return the section that says what a page does not show."""
    return Prose(id="limits", title="What this does not show", sentences=tuple(sentences))


def quiet(message: object) -> None:
    """Drop a line, or a step."""
