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
from nlpkit.reports.sections import Column, Panel, Plot, Prose, Section, Series, Table, columns
from nlpkit.reports.wording import difference
from nlpkit.run import Run, versions
from nlpkit.search.rows import answers_of, labeled_rows, metrics_of
from nlpkit.search.study import LEAST_COMPLETED, Study, Trial
from nlpkit.search.trainings import limits
from nlpkit.settings import Search
from nlpkit.settings.data import Data

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
    record, trials = run.read(), study.trials
    is_chat = not isinstance(settings.data, Data)
    scores, baselines, name = _of_chat(run, study) if is_chat else _measured(run, own, study, settings)
    reported, validation = scores[name], int(record.data.get("rows", {}).get("validation", 0))
    if name == study.metric:  # else trials were compared by a loss, which is not reported
        searched = _searched(run, study, reported, validation)
        scores = {name: reported, "searched": searched, "optimism": optimism(searched, reported), **scores}
    unit = "conversations" if is_chat else "texts"
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
        sections=(
            _curve(trials, study),
            _importance(trials, study),
            _table(trials, search, study.metric, validation),
            limits(LIMITS),
        ),
        limits=LIMITS,
        config=run.config.read_text(encoding="utf-8"),
        versions=versions(),
    )


def _of_chat(run: Run, study: Study) -> tuple[dict[str, Score], tuple[Baseline, ...], str]:
    """Return the scores of a chat model, which its own report compares, and the name of the first."""
    scores = _of_report(run, OWN_PARTS)
    return scores, (), study.metric if study.metric in scores else next(iter(scores))


def _measured(
    run: Run, own: Run, study: Study, settings: Any
) -> tuple[dict[str, Score], tuple[Baseline, ...], str]:
    """Return the scores of test rows, those of the config's own settings, and the name of the first score."""
    rows, seed = labeled_rows(settings).test, settings.seed
    ours, theirs = answers_of(run, rows), answers_of(own, rows)
    metrics = metrics_of(ours.family, study.metric)
    baseline = Baseline(
        name=BASELINE,
        scores=bootstrap(theirs.outcomes, metrics, seed=seed),
        tests={each.name: paired(each, ours.outcomes, theirs.outcomes, seed=seed) for each in metrics},
    )
    scores = bootstrap(ours.outcomes, metrics, seed=seed)
    return scores, () if own.path == run.path else (baseline,), metrics[0].name


def _of_report(run: Run, parts: tuple[str, ...]) -> dict[str, Score]:
    """Return the scores of the first report that a run has of these parts."""
    files = [path for part in parts if (path := place(run, part, ".json")).is_file()]
    return Report.from_json(files[0].read_text(encoding="utf-8")).scores if files else {}


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
            "value": best, "low": low, "high": high, "count": count,
            "undefined": None if low is not None else "no interval: the run's report has none",
            "title": f"{like.title} of the best trial",
            "meaning": "On the validation rows, by which it was chosen among all trials.",
        }
    )  # fmt: skip


def optimism(searched: Score, reported: Score) -> Score:
    """Return how much better the searched score is than the reported one; the rows are independent."""
    value = low = high = None
    values = [score.value for score in (searched, reported) if score.value is not None]
    if len(values) == 2:
        value = (values[0] - values[1]) * (-1 if reported.higher_is_better is False else 1)
        halves = [
            (score.high - score.low) / 2
            for score in (searched, reported)
            if score.high is not None and score.low is not None
        ]
        if len(halves) == 2:
            low, high = value - math.hypot(*halves), value + math.hypot(*halves)
    return Score(
        value=value, low=low, high=high, count=reported.count, higher_is_better=None,
        percent=reported.percent, title="Optimism of the search",
        undefined=None if low is not None else "no interval: a score has none",
        meaning="The searched score minus the reported one: what choosing the best of many adds by chance.",
    )  # fmt: skip


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


def _importance(trials: list[Trial], study: Study) -> Section:
    importance, title = study.importance(), "What mattered"
    completed = sum(trial.state == "completed" for trial in trials)
    if not importance:
        why = f"{completed} trials are completed; the page says what mattered from {LEAST_COMPLETED} on."
        return Prose(id="importance", title=title, sentences=(why,))
    return Table(
        id="importance", title=title, nav=title, columns=columns("setting", "share"),
        note=f"The share of the differences between {completed} completed trials that each setting explains "
        "(fANOVA). So few trials give a rank, no measure.",
        rows=tuple((key, f"{share:.0%}") for key, share in importance.items()),
    )  # fmt: skip


def _curve(trials: list[Trial], study: Study) -> Plot:
    finals = {
        float(number): trial.final
        for number, trial in enumerate(trials, start=1)
        if trial.final is not None
    }  # fmt: skip
    numbers, values = tuple(finals), tuple(finals.values())
    best = tuple(itertools.accumulate(values, max if study.higher_is_better else min))
    series = (
        Series(mark="points", x=numbers, y=values),
        Series(mark="line", name="best so far", color=1, symbol="", x=numbers, y=best),
    )
    return Plot(
        id="trials-curve", title="Trial by trial", nav="Trial by trial", height=1.4,
        note="Scores on the validation rows of the trials that were completed.",
        panels=(Panel(series=series, x="trial", y=study.metric.replace("_", " ")),),
        words=f"{len(trials)} trials; the best so far goes from {best[0]:.4f} to {best[-1]:.4f}",
    )  # fmt: skip


def _table(trials: list[Trial], search: Search, metric: str, count: int) -> Table:
    rows = []
    for number, trial in enumerate(trials, start=1):
        score = trial.final if trial.final is not None else next(reversed(trial.scores), None)
        rows.append(
            (
                str(number),
                None if score is None else f"{score:.4f}",
                trial.state + (f": {trial.problem}" if trial.problem else ""),
                len(trial.scores),
                f"{trial.seconds:.0f}",
                *(shown(trial.values[key]) for key in search.space),
            )
        )
    heads = columns("trial", metric, "outcome", "evaluations", "seconds", *search.space)
    return Table(
        id="trials", title="All trials", nav="All trials", rows=tuple(rows),
        caption=f"{metric} is measured on {count:,} validation rows.",
        columns=tuple(Column(name=head.name) if head.name == "outcome" else head for head in heads),
    )  # fmt: skip


def shown(value: object) -> str:
    """Return a setting's value as people read it."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
