"""Several trainings of one config in one folder, and the page that stands for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nlpkit.config import to_yaml
from nlpkit.errors import ConfigError
from nlpkit.files import write_whole
from nlpkit.reports.report import Report
from nlpkit.reports.sections import Prose
from nlpkit.run import Run
from nlpkit.training.runs import Progress, TrainOptions
from nlpkit.training.train import TrainingConfig

PAGE = "report.html"
"""The page of a folder, written last."""


def runs_folder(settings: Any, ending: str) -> Path:
    """Return the folder next to a config's run in which its trainings and their page stand."""
    return Path(settings.output) / f"{settings.name}-{ending}"


def first_seed(loaded: TrainingConfig, settings: Any) -> dict[str, Any]:
    """Return the override that trains one run, by the first of the seeds."""
    return {"seeds": [settings.seeds[0]]} if "seeds" in loaded.recipe.Config.model_fields else {}


def write_pages(folder: Path, report: Report) -> Path:
    """Write a report as HTML, JSON and Markdown into a folder; return the page."""
    texts = {".json": report.to_json(), ".md": report.to_markdown(), ".html": report.to_html()}
    for ending, text in texts.items():
        write_whole(folder / f"report{ending}", text)
    return folder / PAGE


def kept_report(folder: Path, settings: Any, data: str, *, overwrite: bool) -> Report | None:
    """Return the report of the same trainings that came to their end before; None where there is none.

    Args:
        folder: of the trainings.
        settings: of their config.
        data: what the report measures, such as `5 folds`.
        overwrite: delete the folder first.

    Raises:
        ConfigError: the report is that of another config.
    """
    if overwrite:
        Run(folder).remove()
    path = folder / "report.json"
    if not path.is_file():
        return None
    report = Report.from_json(path.read_text(encoding="utf-8"))
    if (report.config, report.data) != (to_yaml(settings), data):
        raise ConfigError(
            f"{folder}: a report of other settings is there; "
            "hint: --overwrite, or another name, as with name=other"
        )
    return report


def train_all(
    parts: Sequence[TrainingConfig],
    *,
    talk: Callable[[str], None],
    progress: Callable[[Progress], None] | None,
) -> list[Run]:
    """Train one run of each config, without a report; those that are trained already are kept."""
    runs: list[Run] = []
    for number, part in enumerate(parts):

        def count(at: Progress, number: int = number) -> None:
            if progress:
                done = number * at.total + at.done
                progress(Progress(done=done, total=len(parts) * at.total, loss=at.loss))

        options = TrainOptions(talk=talk if not runs else quiet, progress=count, report=False)
        runs += part.train(options)
        talk(f"trained    {number + 1} of {len(parts)}: {runs[-1].name}")
    return runs


def limits(sentences: Sequence[str]) -> Prose:
    """Return the section that says what a page does not show."""
    return Prose(id="limits", title="What this does not show", sentences=tuple(sentences))


def quiet(line: str) -> None:
    """Drop a line."""
