"""The score over the number of labels, and what twice as many would bring."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from nlpkit.errors import ConfigError, DataError
from nlpkit.reports.report import Report
from nlpkit.run import Run
from nlpkit.search.curve import measure_curve
from nlpkit.search.curve_page import curve_report
from nlpkit.search.rows import answers_of, labeled_rows, metrics_of, nested, where_reported
from nlpkit.search.trainings import measure_trainings, one_seed, quiet, runs_folder
from nlpkit.settings.data import Data
from nlpkit.training.runs import Progress, TrainOptions
from nlpkit.training.train import log_line, read_training

HALVINGS = 4
"""Sizes below all rows where none are asked for: a half, a quarter, ..."""
SMALLEST = 30
"""Labels below which no size is chosen by itself."""
TEST = 0.2
"""The share of rows to report on, where the config has none."""


def learning_curve(
    config: Path | str | Mapping[str, Any],
    sizes: Sequence[int | Literal["all"]] = (),
    *,
    draws: int = 3,
    overwrite: bool = False,
    check: bool = False,
    given: Sequence[str] = (),
    talk: Callable[[str], None] = log_line,
    progress: Callable[[Progress], None] = quiet,
    **overrides: Any,
) -> Report | None:
    """Train on some of the rows, and estimate what more labels would bring, on the same test rows.

        report = nlpkit.learning_curve("mine.yaml", sizes=[100, 300, 1000, "all"])

    A killed curve continues when it is called again. The page is `report.html` in the folder `NAME-curve`;
    the runs are deleted at the end.

    Args:
        config: a YAML file, the name of a shipped config, or the settings themselves.
        sizes: numbers of labels, those to choose on included; default: all, a half, a quarter, and so on.
        draws: how often rows are drawn for each size, each with a seed of its own.
        overwrite: delete what an earlier curve of that name left.
        check: stop after the preflight of the largest size, write nothing, and return None.
        given: overrides as the command line has them, `key.path=value`.
        talk: gets lines for people; default: the log `nlpkit`, warnings at that level.
        progress: gets optimizer steps.
        overrides: settings that win over the config's.

    Raises:
        ConfigError: the config is invalid, or trains no classifier on labeled rows.
        DataError: a file or a row is wrong, or a size is larger than the rows there are.
    """
    loaded = read_training(config, given, overrides).without("behavior", "search")
    settings = loaded.settings()
    if not isinstance(settings.data, Data) or settings.data.fold or settings.data.subset:
        raise ConfigError(
            f"recipe {settings.recipe}: expected labeled rows, without data.fold and data.subset; "
            "learning curves are for classifiers"
        )
    if draws < 1:
        raise ConfigError(f"draws: {draws}; expected at least 1")
    changed, folder = nested(settings, TEST), runs_folder(settings, "curve")
    plain = loaded.merged({**changed, "output": str(folder)})
    talk(f"reported   on {where_reported(changed)}")
    rows = labeled_rows(plain.settings())
    originals = len(rows.train) - len(rows.swapped or ())
    pool = originals + (len(rows.validation) if isinstance(plain.settings().data.validation, float) else 0)
    wanted = sizes_of(sizes, pool)
    named = f"{draws} {'draw' if draws == 1 else 'draws'} of {', '.join(map(str, wanted))} labels"

    def measure(runs: Sequence[Run]) -> Report:
        answers = [answers_of(run, rows.test) for run in runs]
        metric = metrics_of(answers[0].family, settings.training.metric)[0]
        return curve_report(measure_curve(answers, wanted, metric, seed=settings.seed), settings, named)

    return measure_trainings(
        [
            plain.merged(
                {
                    **one_seed(loaded, draw),
                    "data.subset": {"rows": size, "draw": draw},
                    "name": f"labels-{size}-draw-{draw}",
                }
            )
            for size in wanted
            for draw in range(1, draws + 1)
        ],
        measure,
        TrainOptions(talk=talk, progress=progress, check=check, overwrite=overwrite),
        folder=folder,
        settings=settings,
        data=named,
    )


def sizes_of(sizes: Sequence[int | Literal["all"]], pool: int) -> tuple[int, ...]:
    """Return the sizes in order, `all` as the number of rows there are.

    Raises:
        DataError: a size is larger than that, or there are too few rows.
    """
    if not sizes:
        halves = [pool // 2**halving for halving in range(HALVINGS + 1)]
        sizes = [size for size in halves if size >= SMALLEST] or [pool]
    ordered = sorted({pool if size == "all" else size for size in sizes})
    if ordered[-1] > pool:
        raise DataError(
            f"sizes: {ordered[-1]:,} labels; expected at most the {pool:,} that are not held out; hint: all"
        )
    if ordered[0] < 2:
        raise DataError(f"sizes: {ordered[0]} labels; expected at least 2")
    return tuple(ordered)
