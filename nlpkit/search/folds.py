"""Cross-validation: every row is predicted once, by a run trained without it and its near-duplicates."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nlpkit.config import to_yaml
from nlpkit.errors import ConfigError
from nlpkit.metrics.intervals import bootstrap
from nlpkit.metrics.score import Score
from nlpkit.reports.headline import score_headline
from nlpkit.reports.report import Report
from nlpkit.reports.sections import Panel, Plot, Series, Table, columns
from nlpkit.run import versions
from nlpkit.search.rows import Answers, answers_of, labeled_rows, metrics_of
from nlpkit.search.trainings import limits, measure_trainings, one_seed, quiet, runs_folder
from nlpkit.settings.data import Data
from nlpkit.training.runs import Progress, TrainOptions
from nlpkit.training.train import log_line, read_training

LIMITS = (
    "The interval of a score is about the rows: it does not hold what another split or seed would change.",
    "The folds share most of their training rows, so their scores are not independent; the interval of their "
    "mean allows for it (Nadeau and Bengio 2003).",
)


def cross_validate(
    config: Path | str | Mapping[str, Any],
    folds: int = 5,
    *,
    overwrite: bool = False,
    check: bool = False,
    given: Sequence[str] = (),
    talk: Callable[[str], None] = log_line,
    progress: Callable[[Progress], None] = quiet,
    **overrides: Any,
) -> Report | None:
    """Train once for each fold of the training rows, and measure all rows, each by the run without it.

        report = nlpkit.cross_validate("mine.yaml", folds=5)

    Near-equal texts share a fold. A killed cross-validation continues when it is called again. The page is
    `report.html` in the folder `NAME-folds`; the runs are deleted at the end.

    Args:
        config: a YAML file, the name of a shipped config, or the settings themselves.
        folds: how many; each trains on all rows but its own.
        overwrite: delete what an earlier cross-validation of that name left.
        check: stop after the preflight of one fold, write nothing, and return None.
        given: overrides as the command line has them, `key.path=value`.
        talk: gets lines for people; default: the log `nlpkit`, warnings at that level.
        progress: gets optimizer steps.
        overrides: settings that win over the config's.

    Raises:
        ConfigError: the config is invalid, or trains no classifier on labeled rows.
        DataError: a file or a row is wrong, or there are fewer groups of rows than folds.
    """
    loaded = read_training(config, given, overrides).without("behavior", "search")
    settings = loaded.settings()
    if not isinstance(settings.data, Data):
        raise ConfigError(f"recipe {settings.recipe}: folds are for classifiers of labeled rows")
    folder = runs_folder(settings, "folds")
    single = loaded.merged({**one_seed(loaded), "output": str(folder), "data.test": 0.0})
    parts = [
        single.merged({"data.fold": {"number": number, "of": folds}, "name": f"fold-{number}"})
        for number in range(1, folds + 1)
    ]
    return measure_trainings(
        parts,
        lambda runs: folds_report(
            [
                answers_of(run, labeled_rows(part.settings()).test)
                for run, part in zip(runs, parts, strict=True)
            ],
            settings,
        ),
        TrainOptions(talk=talk, progress=progress, check=check, overwrite=overwrite),
        folder=folder,
        settings=settings,
        data=f"{folds} folds",
    )


def folds_report(answers: Sequence[Answers], settings: Any) -> Report:
    """Return what the runs of all folds answer to the rows that each was trained without.

    Args:
        answers: of each fold.
        settings: of the config, without a fold.
    """
    family, seed = answers[0].family, settings.seed
    metrics = metrics_of(family, getattr(settings.training, "metric", None))
    every = Answers(
        family=family,
        examples=[example for part in answers for example in part.examples],
        predictions=[prediction for part in answers for prediction in part.predictions],
    )
    scores = bootstrap(every.outcomes, metrics, seed=seed)
    parts = [bootstrap(part.outcomes, metrics, seed=seed) for part in answers]
    by_metric = {metric.name: [part[metric.name] for part in parts] for metric in metrics}
    means = {name: mean_of(of_folds) for name, of_folds in by_metric.items()}
    first = metrics[0].name
    score, mean, spread = scores[first], means[first], spread_of(by_metric[first])
    return Report(
        run=settings.name,
        data=f"{len(answers)} folds",
        task=settings.task.kind,
        seed=seed,
        measured=f"{score.count:,} texts, each by the run that was trained without it",
        summary=(
            f"{score.title}: {score.shown_with_interval} on {score.count:,} rows, each predicted once by one "
            f"of {len(answers)} runs.",
            f"Mean of the {len(answers)} folds: {mean.shown_with_interval}, standard deviation "
            f"{mean.shown(spread)}.",
        ),
        scores=scores,
        details={f"mean {name}": mean for name, mean in means.items()},
        headlines=(score_headline(scores, None, first),),
        sections=(_plot(by_metric[first], score.title or first), _table(by_metric, means), limits(LIMITS)),
        limits=LIMITS,
        config=to_yaml(settings),
        versions=versions(),
    )


def spread_of(scores: Sequence[Score]) -> float | None:
    """Return the standard deviation of the scores of folds; None where a fold has none."""
    values = [score.value for score in scores if score.value is not None]
    return statistics.stdev(values) if len(values) == len(scores) else None


def mean_of(scores: Sequence[Score]) -> Score:
    """Return the mean of the scores of folds with its 95% interval.

    The interval allows for folds that share training rows (Nadeau and Bengio 2003): the variance of the mean
    is that of the folds times 1/k + n_test/n_train, here 1/k + 1/(k - 1).
    """
    from scipy.stats import t

    spread, folds, scale = spread_of(scores), len(scores), scores[0].scale
    mean = low = high = None
    if spread is not None:
        mean = statistics.fmean(score.value for score in scores if score.value is not None)
        half = float(t.ppf(0.975, folds - 1)) * spread * math.sqrt(1 / folds + 1 / (folds - 1))
        least, most = scale or (-math.inf, math.inf)
        low, high = max(mean - half, least), min(mean + half, most)
    return scores[0].model_copy(
        update={
            "value": mean, "low": low, "high": high, "count": sum(score.count for score in scores),
            "undefined": "a fold has no score" if spread is None else None,
        }
    )  # fmt: skip


def _table(by_metric: Mapping[str, Sequence[Score]], means: Mapping[str, Score]) -> Table:
    counts = [score.count for score in next(iter(by_metric.values()))]
    numbers = (f"fold {number}" for number in range(1, len(counts) + 1))
    return Table(
        id="folds", title="Fold by fold", nav="Fold by fold", note=LIMITS[1],
        columns=columns("metric", *numbers, "mean", "standard deviation"),
        rows=tuple(
            (mean.title or name, *(score.shown(score.value) for score in by_metric[name]), mean,
             mean.shown(spread_of(by_metric[name])))
            for name, mean in means.items()
        ),
        caption=f"Rows of each fold: {', '.join(map(str, counts))}.",
    )  # fmt: skip


def _plot(scores: Sequence[Score], title: str) -> Plot:
    known = [(number, score) for number, score in enumerate(scores, start=1) if score.value is not None]
    series = Series(
        mark="line", x=tuple(float(number) for number, _ in known),
        y=tuple(score.value or 0.0 for _, score in known),
        low=tuple(score.low for _, score in known), high=tuple(score.high for _, score in known),
    )  # fmt: skip
    return Plot(
        id="folds-plot", title="How far the folds lie apart", nav="Folds",
        note="Each with its 95% interval.", panels=(Panel(series=(series,), x="fold", y=title),),
        words=f"{title} of each fold: {', '.join(score.shown(score.value) for score in scores)}",
    )  # fmt: skip
