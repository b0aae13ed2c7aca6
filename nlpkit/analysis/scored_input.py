"""The file that is analyzed: scored already, or scored first into the folder of tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from nlpkit.analysis.scored_rows import ScoredRows, answers_in
from nlpkit.classifiers.classifier import Classifier, default_run
from nlpkit.classifiers.opening import resolve_runtime
from nlpkit.data.dates import Order, Period
from nlpkit.data.records import columns_of
from nlpkit.data.rows import require
from nlpkit.errors import ConfigError, DataError, RunError, nearest
from nlpkit.run import Run
from nlpkit.scoring.locations import plan_location
from nlpkit.scoring.options import ScoreOptions
from nlpkit.scoring.progress import Progress
from nlpkit.tasks.prediction import SEVERAL, read_with_texts
from nlpkit.trust.answer_columns import labels_in

PREFIX = "nlpkit_"
"""Before the names of the columns of answers, where the file has one of these names already."""


def scored_input(
    source: Path,
    run: Path | str | None,
    folder: Path,
    options: ScoreOptions,
    *,
    by: tuple[str, ...],
    time: str | None,
    runtime: str,
    talk: Callable[[str], None],
    progress: Callable[[Progress], None],
) -> tuple[ScoredRows, Run | None, Classifier | None]:
    """Return a file with its answers, scored first where it has none, and the run that scored it.

    A scoring that was stopped goes on, and one that is done is not repeated. There is no run where the file
    was scored before and none is named.

    Args:
        source: a file or a folder.
        run: of a classifier; default: the built-in one, for a file without answers.
        folder: where the answers are written to.
        options: how it is scored.
        by: the columns of groups.
        time: the column of dates.
        runtime: as for `nlpkit score`.
        talk: gets lines for people.
        progress: called after each chunk.

    Raises:
        ConfigError: the run reads more than a text.
        DataError: the file is wrong, or was scored with other labels than the run has.
        RunError: the run does not answer with labels, or the model has changed since the scoring began.
    """
    known = answered(source, run, options, by=by, time=time, runtime=runtime)
    if known is not None:
        return known
    named = None if run is None else _absolute(run)
    target = folder / ("scored" if source.is_dir() else "scored.parquet")
    options = replace(options, record=None if source.is_dir() else folder / "_scored.json")
    plan = plan_location(str(source), str(target), options)
    chosen = resolve_runtime(named, runtime, is_long=plan.is_long, begun_with=plan.begun_with, talk=talk)
    classifier = label_classifier(named, chosen)
    columns = columns_of(source, format=options.format, encoding=options.encoding)
    if set(columns) & set(classifier.columns):  # a column of the user's own, such as label
        options = replace(options, prefix=PREFIX)
        plan = plan_location(str(source), str(target), options)
    plan.score(classifier, progress=progress)
    rows = ScoredRows(
        path=target, source=source, labels=labels_in(classifier.columns),
        is_set=SEVERAL in classifier.columns, text=options.text, by=by, time=time, prefix=options.prefix,
    )  # fmt: skip
    return rows, default_run() if named is None else Run.open(named), classifier


def answered(
    source: Path,
    run: Path | str | None,
    options: ScoreOptions,
    *,
    by: tuple[str, ...],
    time: str | None,
    runtime: str,
) -> tuple[ScoredRows, Run | None, Classifier | None] | None:
    """Return a file that holds answers, with the run that is named; None where it holds none."""
    if str(source) == "-":
        raise ConfigError("standard input: is read once, and an analysis reads a file twice; hint: save it")
    known = answers_in(source, format=options.format, encoding=options.encoding)
    if known is None:
        return None
    labels, is_set = known
    rows = ScoredRows(
        path=source, source=source, labels=labels, is_set=is_set, text=options.text, by=by, time=time,
        format=options.format, encoding=options.encoding,
    )  # fmt: skip
    if run is None:
        return rows, None, None
    opened, classifier = Run.open(_absolute(run)), label_classifier(_absolute(run), runtime)
    own = labels_in(classifier.columns)
    if set(own) != set(labels):
        raise DataError(
            f"{source}: was scored with the labels {', '.join(labels)}; {classifier.name} has "
            f"{', '.join(own)}; hint: name the run that scored it"
        )
    return replace(rows, labels=own), opened, classifier  # in the run's order


def _absolute(run: Path | str) -> str:
    return str(Path(run).absolute() if Path(run).exists() else run)


def label_classifier(run: Path | str | None, runtime: str) -> Classifier:
    """Load a classifier that reads texts and answers with labels.

    Raises:
        ConfigError: it reads more than a text.
        RunError: it does not answer with labels.
    """
    classifier = Classifier.load(run, runtime=runtime)
    if not labels_in(classifier.columns):
        raise RunError(
            f"{classifier.name}: answers with {', '.join(classifier.columns)}; expected a run that gives "
            "labels; hint: nlpkit score RUN FILE -o scored.csv gives its answers, row by row"
        )
    if more := read_with_texts(classifier):
        raise ConfigError(
            f"{classifier.name}: reads {more} with each text; hint: score the file first with nlpkit score, "
            "then analyze the scored file without naming the run"
        )
    return classifier


def refuse_columns(
    source: Path,
    by: Sequence[str],
    time: str | None,
    every: Period | None,
    order: Order | None,
    format: str | None,
    encoding: str | None,
) -> None:
    """Refuse periods without dates, and a column that is not there, before anything is scored."""
    option = f"--every {every}" if every else f"--date-order {order}" if order else None
    if option and not time:
        raise ConfigError(f"{option}: of which dates? hint: add --time and the column that holds them")
    columns = [*by, *([time] if time else [])]
    if columns and str(source) != "-":
        require(columns, columns_of(source, format=format, encoding=encoding), file=str(source))


def refuse_label(about: str | None, labels: Sequence[str]) -> None:
    """Refuse a label that there is none of."""
    if about is not None and about not in labels:
        known = ", ".join(labels)
        raise ConfigError(f"--about {about}: expected one of {known}{nearest(about, labels)}")
