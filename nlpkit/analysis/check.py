"""What an analysis will take and what its page will hold, before anything is scored."""

from __future__ import annotations

import time as clock
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from nlpkit.analysis.aspects import opinion_reader
from nlpkit.analysis.scored_input import answered, label_classifier, refuse_columns, refuse_label
from nlpkit.analysis.scored_rows import ScoredRows
from nlpkit.analysis.survey import Seen, plan_of
from nlpkit.analysis.themes import theme_choice
from nlpkit.classifiers.opening import resolve_runtime
from nlpkit.data.dates import Order, Period, period_of
from nlpkit.data.records import count_rows
from nlpkit.scoring.options import ScoreOptions
from nlpkit.scoring.preview import Preview, PreviewInput, preview
from nlpkit.tasks.reading import NOTHING
from nlpkit.trust.answer_columns import labels_in


@dataclass(frozen=True, kw_only=True)
class AnalysisCheck:
    """What an analysis will take, and what its page will hold."""

    scoring: Preview | None
    """None where the file holds answers already."""
    labels: tuple[str, ...]
    rows: int | None
    """None where only reading the file shows it, and neither groups nor dates are read."""
    groups: Mapping[str, Mapping[str, int]]
    """Column -> its groups that get shares of their own, with their texts, the largest first."""
    empty: Mapping[str, int]
    """Column -> its rows that hold nothing."""
    every: Period | None
    first: str
    """The first date; empty where there is none."""
    last: str
    periods: Mapping[str, int]
    """Period -> its texts."""
    notes: tuple[str, ...]
    """What will be left out, and how dates are read."""

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return asdict(self)


def check(
    source: Path | str,
    run: Path | str | None = None,
    *,
    text: str = "text",
    by: tuple[str, ...] = (),
    time: str | None = None,
    every: Period | None = None,
    date_order: Order | None = None,
    about: str | None = None,
    themes: int | str = "none",
    aspects: Path | str | None = None,
    runtime: str = "auto",
    format: str | None = None,
    encoding: str | None = None,
    today: date | None = None,
    talk: Callable[[str], None] = lambda line: None,
    progress: Callable[[str, int], None] = lambda what, done: None,
) -> AnalysisCheck:
    """Say what an analysis will take, and what its page will hold. The options are those of `analyze`.

    Nothing is written. Of texts without answers a few hundred are scored, to measure the time.

    Raises:
        ConfigError: an option is invalid, or the run of `aspects` finds no opinions.
        DataError: the file is wrong.
        RunError: the run does not answer with labels.
    """
    source = Path(source)
    theme_choice(themes)
    if aspects:
        opinion_reader(aspects)
    refuse_columns(source, by, time, every, date_order, format, encoding)
    options = ScoreOptions(text=text, format=format, encoding=encoding)
    known = answered(source, run, options, by=by, time=time, runtime=runtime)
    if known is not None:
        looked, labels = None, known[0].labels
    else:
        looked, labels = _preview(source, run, options, runtime, talk, progress)
    refuse_label(about, labels)
    rows = ScoredRows(
        path=source, source=source, labels=labels, is_set=False, by=by, time=time, format=format,
        encoding=encoding,
    )  # fmt: skip
    seen = Seen.of(rows, date_order, today or datetime.now(UTC).date())
    for batch in rows.batches(answers=False):
        seen.add(batch)
        progress("counting", seen.texts)
    plan = plan_of(seen, time, every)
    days = seen.dates.days(plan.order)
    periods: Counter[str] = Counter()
    for day, texts in sorted(days.items()):
        periods[period_of(date.fromordinal(day), plan.every or "day")] += texts
    return AnalysisCheck(
        scoring=looked,
        labels=labels,
        rows=seen.texts or (looked.rows if looked else count_rows(source, format=format)),
        groups={
            column: {name: seen.values[column][name] for name in kept} for column, kept in plan.groups.items()
        },
        empty={column: held[NOTHING] for column, held in seen.values.items() if held[NOTHING]},
        every=plan.every,
        first=str(date.fromordinal(min(days))) if days else "",
        last=str(date.fromordinal(max(days))) if days else "",
        periods=dict(periods),
        notes=plan.notes,
    )


def _preview(
    source: Path,
    run: Path | str | None,
    options: ScoreOptions,
    runtime: str,
    talk: Callable[[str], None],
    progress: Callable[[str, int], None],
) -> tuple[Preview, tuple[str, ...]]:
    """Say what the scoring will take; also return the labels."""
    started, given = clock.perf_counter(), PreviewInput(str(source))
    chosen = resolve_runtime(
        None if run is None else str(run), runtime, is_long=given.is_long, begun_with=given.begun_with,
        talk=talk,
    )  # fmt: skip
    classifier = label_classifier(run, chosen)
    looked = preview(
        source, classifier, options, loading_seconds=clock.perf_counter() - started,
        progress=lambda rows: progress("reading", rows),
    )  # fmt: skip
    return looked, labels_in(classifier.columns)
