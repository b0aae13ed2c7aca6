"""The file that is analyzed: scored already, or scored first into the folder of tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from nlpkit.analysis.scored_rows import answers_in
from nlpkit.classifiers.classifier import Classifier, default_run
from nlpkit.classifiers.opening import resolve_runtime
from nlpkit.data.records import columns_of
from nlpkit.errors import ConfigError, DataError, RunError
from nlpkit.run import Run
from nlpkit.scoring.locations import plan_location
from nlpkit.scoring.options import ScoreOptions
from nlpkit.scoring.progress import Progress
from nlpkit.tasks.prediction import SEVERAL
from nlpkit.trust.answer_columns import labels_in

PREFIX = "nlpkit_"
"""Before the names of the columns of answers, where the file has one of these names already."""


@dataclass(frozen=True, kw_only=True)
class ScoredInput:
    """A scored file or folder, and the run that scored it."""

    path: Path
    labels: tuple[str, ...]
    is_set: bool
    run: Run | None
    """None where the file was scored before and no run is named."""
    classifier: Classifier | None
    """Of the run."""
    was_scored: bool
    """Whether it came with answers."""
    format: str | None = None
    prefix: str = ""
    """Before the names of the columns of answers."""


def scored_input(
    source: Path,
    run: Path | str | None,
    folder: Path,
    options: ScoreOptions,
    *,
    runtime: str,
    talk: Callable[[str], None],
    progress: Callable[[Progress], None],
) -> ScoredInput:
    """Return a file with its answers, scored first where it has none.

    A scoring that was stopped goes on, and one that is done is not repeated.

    Args:
        source: a file or a folder.
        run: of a classifier; default: the built-in one, for a file without answers.
        folder: where the answers are written to.
        options: how it is scored.
        runtime: as for `nlpkit score`.
        talk: gets lines for people.
        progress: called after each chunk.

    Raises:
        ConfigError: the run reads more than a text.
        DataError: the file is wrong, or was scored with other labels than the run has.
        RunError: the run does not answer with labels, or the model has changed since the scoring began.
    """
    if str(source) == "-":
        raise ConfigError("standard input: is read once, and an analysis reads a file twice; hint: save it")
    known = answers_in(source, format=options.format, encoding=options.encoding)
    named = run if run is None or not Path(run).exists() else str(Path(run).absolute())
    if known is not None:
        opened = None if named is None else Run.open(named)
        classifier = None if named is None else _classifier(named, runtime)
        if classifier is not None and set(labels_in(classifier.columns)) != set(known[0]):
            raise DataError(
                f"{source}: was scored with the labels {', '.join(known[0])}; {classifier.name} has "
                f"{', '.join(labels_in(classifier.columns))}; hint: name the run that scored it"
            )
        labels = known[0] if classifier is None else labels_in(classifier.columns)  # in the run's order
        return ScoredInput(
            path=source, labels=labels, is_set=known[1], run=opened, classifier=classifier,
            was_scored=True, format=options.format,
        )  # fmt: skip
    target = folder / ("scored" if source.is_dir() else "scored.parquet")
    plan = plan_location(str(source), str(target), options)
    chosen = resolve_runtime(
        None if named is None else str(named), runtime, is_long=plan.is_long, begun_with=plan.begun_with,
        talk=talk,
    )  # fmt: skip
    classifier = _classifier(named, chosen)
    columns = columns_of(source, format=options.format, encoding=options.encoding)
    if set(columns) & set(classifier.columns):  # a column of the user's own, such as label
        options = replace(options, prefix=PREFIX)
        plan = plan_location(str(source), str(target), options)
    plan.score(classifier, progress=progress)
    labels = labels_in(classifier.columns)
    return ScoredInput(
        path=target, labels=labels, is_set=SEVERAL in classifier.columns,
        run=default_run() if named is None else Run.open(named), classifier=classifier, was_scored=False,
        prefix=options.prefix,
    )  # fmt: skip


def _classifier(run: Path | str | None, runtime: str) -> Classifier:
    """Load a classifier that reads texts and answers with labels."""
    classifier = Classifier.load(run, runtime=runtime)
    if not labels_in(classifier.columns):
        raise RunError(
            f"{classifier.name}: answers with {', '.join(classifier.columns)}; expected a run that gives "
            "labels; hint: nlpkit score RUN FILE -o scored.csv gives its answers, row by row"
        )
    if classifier.turns is not None or classifier.reads_aspects:
        more = "the turns before" if classifier.turns is not None else "an aspect"
        raise ConfigError(
            f"{classifier.name}: reads {more} with each text; hint: score the file first with nlpkit score, "
            "then analyze the scored file without naming the run"
        )
    return classifier
