"""The page of a search: is the best setting better, what did searching itself add to its score, and what was
tried.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

from nlpkit.metrics.intervals import bootstrap, paired
from nlpkit.metrics.score import Score
from nlpkit.reports.headline import score_headline
from nlpkit.reports.keeping import OWN_PARTS, place
from nlpkit.reports.parts import Baseline
from nlpkit.reports.report import Report
from nlpkit.reports.sections import Column, Panel, Plot, Prose, Section, Series, Table
from nlpkit.reports.wording import difference
from nlpkit.run import Run, versions
from nlpkit.search.rows import answers_of, labeled_rows, metric_of
from nlpkit.search.study import LEAST_COMPLETED, Study, Trial
from nlpkit.search.trainings import limits
from nlpkit.settings import Data, Search

BASELINE = "the config's own settings"
LIMITS = (
    "Trials differ by chance too: each is one training with one seed.",
    "The test rows were drawn once; other rows of the same kind give another score, within its interval.",
    "A setting outside the space was not tried.",
)


def search_report(run: Run, own: Run, study: Study, settings: Any, search: Search) -> Report:
    """Return what a search found, as a report.

    Args:
        run: trained with the best values.
        own: trained with the config's own.
        study: the trials.
        settings: of the run, as it was trained.
        search: what was asked for.
    """
    scores, baselines, name = _measured(run, own, study, settings)
    reported = scores[name]
    validation = int(run.read().data.get("rows", {}).get("validation", 0))
    if name == study.metric:  # else trials were compared by a loss, which is not reported
        searched = _searched(run, study, reported, validation)
        scores = {name: reported, "searched": searched, "optimism": optimism(searched, reported), **scores}
    trials = study.trials
    record = run.read()
    unit = "texts" if isinstance(settings.data, Data) else "conversations"
    return Report(
        run=run.name,
        data="search",
        task=str(record.task["kind"]),
        seed=record.seed,
        unit=unit,
        measured=f"{reported.count:,} {unit} that no trial saw, after {len(trials)} trials",
        summary=tuple(_summary(study, scores, name, baselines)),
        scores=scores,
        headlines=(score_headline(scores, baselines[0] if baselines else None, name),),
        baselines=baselines,
        sections=tuple(_sections(study, search, validation)),
        limits=LIMITS,
        config=run.config.read_text(encoding="utf-8"),
        versions=versions(),
    )


def _measured(
    run: Run, own: Run, study: Study, settings: Any
) -> tuple[dict[str, Score], tuple[Baseline, ...], str]:
    """Return the scores of test rows, those of the config's own settings, and the name of the first score."""
    if not isinstance(settings.data, Data):  # a chat model, which its own report compares
        scores = _of_report(run, OWN_PARTS)
        name = study.metric if study.metric in scores else next(iter(scores))
        return scores, (), name
    rows = labeled_rows(settings).test
    ours, theirs = answers_of(run, rows), answers_of(own, rows)
    metric, seed = metric_of(ours.family, study.metric), settings.seed
    metrics = (metric, *(each for each in ours.family.metrics if each.name != metric.name))
    baseline = Baseline(
        name=BASELINE,
        scores=bootstrap(theirs.outcomes, metrics, seed=seed),
        tests={each.name: paired(each, ours.outcomes, theirs.outcomes, seed=seed) for each in metrics},
    )
    scores = bootstrap(ours.outcomes, metrics, seed=seed)
    return scores, () if own.path == run.path else (baseline,), metric.name


def _of_report(run: Run, parts: tuple[str, ...]) -> dict[str, Score]:
    for part in parts:
        path = place(run, part, ".json")
        if path.is_file():
            return Report.from_json(path.read_text(encoding="utf-8")).scores
    return {}


def _searched(run: Run, study: Study, like: Score, count: int) -> Score:
    """Return the best trial's score, with the interval of the run's own score on the same rows."""
    best = study.best.final if study.best else None
    measured = _of_report(run, ("validation",)).get(study.metric)
    low = high = None
    if best is not None and measured and None not in (measured.value, measured.low, measured.high):
        low = best - (measured.value - measured.low)  # type: ignore[operator]
        high = best + (measured.high - measured.value)  # type: ignore[operator]
    return like.model_copy(
        update={
            "value": best,
            "low": low,
            "high": high,
            "undefined": None if low is not None else "no interval: the run's report has none",
            "count": count,
            "title": f"{like.title} of the best trial",
            "meaning": "On the validation rows, by which it was chosen among all trials.",
        }
    )


def optimism(searched: Score, reported: Score) -> Score:
    """Return how much better the searched score is than the reported one; the rows are independent."""
    pair = (searched, reported)
    value = low = high = None
    values = [score.value for score in pair if score.value is not None]
    if len(values) == len(pair):
        value = (values[0] - values[1]) * (-1 if reported.higher_is_better is False else 1)
        halves = [
            (score.high - score.low) / 2 for score in pair if score.high is not None and score.low is not None
        ]
        if len(halves) == len(pair):
            low, high = value - math.hypot(*halves), value + math.hypot(*halves)
    return Score(
        value=value,
        low=low,
        high=high,
        undefined=None if low is not None else "no interval: a score has none",
        count=reported.count,
        title="Optimism of the search",
        meaning="The searched score minus the reported one: what choosing the best of many adds by chance.",
        higher_is_better=None,
        percent=reported.percent,
    )


def _summary(study: Study, scores: dict[str, Score], name: str, baselines: tuple[Baseline, ...]) -> list[str]:
    best, reported = study.best, scores[name]
    values = ", ".join(f"{key} {shown(value)}" for key, value in best.values.items()) if best else ""
    lines = [
        f"The best of {len(study.trials)} trials has {values}.",
        f"On {reported.count:,} rows that no trial saw, its {reported.title or name} is "
        f"{reported.shown_with_interval}.",
    ]
    for baseline in baselines:
        if gained := difference(reported, baseline.tests[name]):
            lines.append(f"Compared with {baseline.name} on the same rows: {gained}.")
    score = scores.get("optimism")
    if score is not None and score.value is not None:
        searched = scores["searched"]
        lines.append(
            f"On the {searched.count:,} validation rows by which it was chosen, the score is "
            f"{searched.shown_with_interval}. The search's optimism is {score.value:+.3f}."
        )
    return lines


def _sections(study: Study, search: Search, count: int) -> list[Section]:
    trials = study.trials
    sections: list[Section] = [_curve(trials, study)]
    importance = study.importance()
    completed = sum(trial.state == "completed" for trial in trials)
    if importance:
        sections.append(
            Table(
                id="importance",
                title="What mattered",
                nav="What mattered",
                note=f"The share of the differences between {completed} completed trials that each setting "
                "explains (fANOVA). So few trials give a rank, no measure.",
                columns=(Column(name="setting"), Column(name="share", number=True)),
                rows=tuple((key, f"{share:.0%}") for key, share in importance.items()),
            )
        )
    else:
        why = f"{completed} trials are completed; the page says what mattered from {LEAST_COMPLETED} on."
        sections.append(Prose(id="importance", title="What mattered", sentences=(why,)))
    return [*sections, _table(trials, search, study.metric, count), limits(LIMITS)]


def _curve(trials: list[Trial], study: Study) -> Plot:
    finals = [
        (float(number), trial.final)
        for number, trial in enumerate(trials, start=1)
        if trial.final is not None
    ]
    numbers, values = tuple(number for number, _ in finals), tuple(value for _, value in finals)
    best = tuple(itertools.accumulate(values, max if study.higher_is_better else min))
    series = (
        Series(mark="points", x=numbers, y=values),
        Series(mark="line", name="best so far", color=1, symbol="", x=numbers, y=best),
    )
    return Plot(
        id="trials-curve",
        title="Trial by trial",
        nav="Trial by trial",
        note="Scores on the validation rows of the trials that were completed.",
        panels=(Panel(series=series, x="trial", y=study.metric.replace("_", " ")),),
        words=f"{len(trials)} trials; the best so far goes from {best[0]:.4f} to {best[-1]:.4f}",
        height=1.4,
    )


def _table(trials: list[Trial], search: Search, metric: str, count: int) -> Table:
    keys = list(search.space)
    rows = [
        (
            str(number),
            f"{(trial.scores[-1] if trial.final is None else trial.final):.4f}" if trial.scores else None,
            trial.state + (f": {trial.problem}" if trial.problem else ""),
            len(trial.scores),
            f"{trial.seconds:.0f}",
            *(shown(trial.values[key]) for key in keys),
        )
        for number, trial in enumerate(trials, start=1)
    ]
    heads = ((metric, True), ("outcome", False), ("evaluations", True), ("seconds", True))
    return Table(
        id="trials",
        title="All trials",
        nav="All trials",
        caption=f"{metric} is measured on {count:,} validation rows.",
        columns=(
            Column(name="trial"),
            *(Column(name=name, number=number) for name, number in heads),
            *(Column(name=key, number=True) for key in keys),
        ),
        rows=tuple(rows),
    )


def shown(value: object) -> str:
    """Return a setting's value as people read it."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
