"""Cross-validation: every row is predicted once, by a run trained without it and its near-duplicates."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nlpkit.config import to_yaml
from nlpkit.errors import ConfigError
from nlpkit.metrics.intervals import bootstrap
from nlpkit.metrics.score import Score
from nlpkit.reports.headline import score_headline
from nlpkit.reports.report import Report
from nlpkit.reports.sections import Column, Panel, Plot, Series, Table
from nlpkit.run import Run, versions
from nlpkit.search.rows import Answers, answers_of, labeled_rows, metric_of
from nlpkit.search.trainings import first_seed, kept_report, limits, runs_folder, train_all, write_pages
from nlpkit.settings import Data
from nlpkit.training.runs import Progress, TrainOptions, only_trainer
from nlpkit.training.train import TrainingConfig, log_line, read_training

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
    talk: Callable[[str], None] | None = None,
    progress: Callable[[Progress], None] | None = None,
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
        check: stop after the preflight of the first fold, write nothing, and return None.
        given: overrides as the command line has them, `key.path=value`.
        talk: gets lines for people; default: the log `nlpkit`, warnings at that level.
        progress: gets optimizer steps.
        overrides: settings that win over the config's.

    Raises:
        ConfigError: the config is invalid, or trains no classifier on labeled rows.
        DataError: a file or a row is wrong, or there are fewer groups of rows than folds.
    """
    loaded = read_training(config, given, overrides).without("behavior", "search")
    settings, talk = loaded.settings(), talk or log_line
    if not isinstance(settings.data, Data):
        raise ConfigError(f"recipe {settings.recipe}: folds are for classifiers of labeled rows")
    folder = runs_folder(settings, "folds")
    single = loaded.merged({**first_seed(loaded, settings), "output": str(folder), "data.test": 0.0})
    parts = [_fold(single, number, folds) for number in range(1, folds + 1)]
    if check:
        parts[0].train(TrainOptions(talk=talk, check=True))
        return None
    with only_trainer(Run(folder)):
        done = kept_report(folder, settings, f"{folds} folds", overwrite=overwrite)
        if done:
            talk(f"{folder}: cross-validated already")
            return done
        runs = train_all(parts, talk=talk, progress=progress)
        answers = [
            answers_of(run, labeled_rows(part.settings()).test) for run, part in zip(runs, parts, strict=True)
        ]
        report = folds_report(answers, settings)
        talk(f"report: {write_pages(folder, report)}")
        for run in runs:
            run.remove()
    return report


def _fold(single: TrainingConfig, number: int, of: int) -> TrainingConfig:
    return single.merged({"data.fold": {"number": number, "of": of}, "name": f"fold-{number}"})


def folds_report(answers: Sequence[Answers], settings: Any) -> Report:
    """Return what the runs of all folds answer to the rows that each was trained without.

    Args:
        answers: of each fold.
        settings: of the config, without a fold.
    """
    family, seed = answers[0].family, settings.seed
    first = metric_of(family, getattr(settings.training, "metric", None))
    metrics = (first, *(metric for metric in family.metrics if metric.name != first.name))
    every = Answers(
        family=family,
        examples=[example for part in answers for example in part.examples],
        predictions=[prediction for part in answers for prediction in part.predictions],
    )
    scores = bootstrap(every.outcomes, metrics, seed=seed)
    parts = [bootstrap(part.outcomes, metrics, seed=seed) for part in answers]
    means = {metric.name: mean_of([part[metric.name] for part in parts]) for metric in metrics}
    score, mean = scores[first.name], means[first.name]
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
            f"{mean.shown(spread_of([part[first.name] for part in parts]))}.",
        ),
        scores=scores,
        details={f"mean {name}": mean for name, mean in means.items()},
        headlines=(score_headline(scores, None, first.name),),
        sections=(_plot(parts, first.name, score), _table(parts, means), limits(LIMITS)),
        limits=LIMITS,
        config=to_yaml(settings),
        versions=versions(),
    )


def spread_of(scores: Sequence[Score]) -> float | None:
    """Return the standard deviation of the scores of folds; None where a fold has none."""
    import statistics

    values = [score.value for score in scores if score.value is not None]
    return statistics.stdev(values) if len(values) == len(scores) else None


def mean_of(scores: Sequence[Score]) -> Score:
    """Return the mean of the scores of folds with its 95% interval.

    The interval allows for folds that share training rows (Nadeau and Bengio 2003): the variance of the mean
    is that of the folds times 1/k + n_test/n_train, here 1/k + 1/(k - 1).
    """
    from scipy.stats import t

    count, spread = len(scores), spread_of(scores)
    values = [score.value for score in scores if score.value is not None]
    if spread is None:
        missing = {"value": None, "low": None, "high": None, "undefined": "a fold has no score"}
        return scores[0].model_copy(update={**missing, "count": sum(score.count for score in scores)})
    mean = sum(values) / count
    half = float(t.ppf(0.975, count - 1)) * spread * math.sqrt(1 / count + 1 / (count - 1))
    low, high = mean - half, mean + half
    if scale := scores[0].scale:
        low, high = max(low, scale[0]), min(high, scale[1])
    return scores[0].model_copy(
        update={
            "value": mean,
            "low": low,
            "high": high,
            "undefined": None,
            "count": sum(score.count for score in scores),
        }
    )


def _table(parts: Sequence[dict[str, Score]], means: Mapping[str, Score]) -> Table:
    numbers = [f"fold {number}" for number in range(1, len(parts) + 1)]
    heads = (*numbers, "mean", "standard deviation")
    return Table(
        id="folds",
        title="Fold by fold",
        nav="Fold by fold",
        note=LIMITS[1],
        columns=(Column(name="metric"), *(Column(name=head, number=True) for head in heads)),
        rows=tuple(
            (
                mean.title or name,
                *(part[name].shown(part[name].value) for part in parts),
                mean,
                mean.shown(spread_of([part[name] for part in parts])),
            )
            for name, mean in means.items()
        ),
        caption=f"Rows of each fold: {', '.join(str(next(iter(part.values())).count) for part in parts)}.",
    )


def _plot(parts: Sequence[dict[str, Score]], name: str, pooled: Score) -> Plot:
    scores = [part[name] for part in parts]
    known = [(number, score) for number, score in enumerate(scores, start=1) if score.value is not None]
    series = Series(
        mark="line",
        symbol="o",
        x=tuple(float(number) for number, _ in known),
        y=tuple(float(score.value or 0.0) for _, score in known),
        low=tuple(score.low for _, score in known),
        high=tuple(score.high for _, score in known),
    )
    return Plot(
        id="folds-plot",
        title="How far the folds lie apart",
        nav="Folds",
        note="Each with its 95% interval.",
        panels=(Panel(series=(series,), x="fold", y=pooled.title or name),),
        words=f"{pooled.title} of each fold: {', '.join(score.shown(score.value) for score in scores)}",
    )
