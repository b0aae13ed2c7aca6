"""Watch a stream of texts: whether it still is like a reference, what changed, when and how much."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from nlpkit.classifiers.classifier import Classifier
from nlpkit.data.dataset_folders import data_files
from nlpkit.data.records import read_records, text_of
from nlpkit.data.text_hashes import count_trained_on
from nlpkit.errors import ConfigError, DataError, RunError
from nlpkit.files import sha256_of
from nlpkit.run import Run
from nlpkit.trust.answer_columns import labels_of, refuse_other_answers
from nlpkit.watching import state as watch_state
from nlpkit.watching.naming import Diagnosis, diagnose
from nlpkit.watching.reference import Reference, TextAnswers
from nlpkit.watching.rows import WatchedRows
from nlpkit.watching.watcher import Alarm, Period, Watcher

STREAM = "-"
ALARM_RATE = 0.01


@dataclass(frozen=True, kw_only=True)
class Watched:
    """What a watch found, in all calls that share a state."""

    run: str
    reference: str
    reference_rows: int
    alarm_rate: float
    """The probability of any alarm ever, while nothing changes."""
    with_truth: bool
    """Whether true labels of the stream are known."""
    texts: int
    new_texts: int
    """In this call."""
    skipped: tuple[str, ...]
    """Files that an earlier call has watched."""
    alarms: tuple[Alarm, ...]
    diagnosis: Diagnosis
    periods: tuple[Period, ...]

    @property
    def is_alarmed(self) -> bool:
        """Whether something changed."""
        return bool(self.alarms)

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return asdict(self)


def watch(
    run: Run | Path | str,
    stream: Path | str,
    *,
    against: Path | str,
    state: Path | None = None,
    text: str = "text",
    label: str | None = None,
    given: str | None = None,
    time: str | None = None,
    alarm_rate: float = ALARM_RATE,
    format: str | None = None,
    encoding: str | None = None,
    seed: int = 1,
    progress: Callable[[int], None] = lambda texts: None,
    talk: Callable[[str], None] = lambda line: None,
) -> Watched:
    """Compare texts that come one after another with a reference.

        nlpkit.watch("runs/mine", "today.csv", against="spring.csv", state=Path("watch.json"))

    While nothing changes, the probability of any alarm, in however many texts and calls, is at most
    `alarm_rate`.

    Args:
        run: of a classifier that gives one label a text.
        stream: a file, a folder of files, or "-" for standard input; scored by this run already, or not.
        against: texts as they should be, a file or a folder: at least 200 rows.
        state: a file that keeps where the watch stands, so that the next call goes on. Files of the stream
            that an earlier call has watched are skipped.
        text: the column that holds the text, in both.
        label: the column of the reference that holds the true label, if it has one.
        given: the column of the stream that holds the true label; then the reference must have them too.
        time: the column of the stream that holds a date.
        alarm_rate: see above.
        format: of the stream, as its name shows by default.
        encoding: of text files that are not UTF-8.
        seed: halves the reference and breaks ties.
        progress: gets how many texts of the stream are read.
        talk: gets a warning where the run was trained on the reference.

    Raises:
        ConfigError: an alarm rate that is none; true labels of the stream without those of the reference; a
            run that gives no or several labels.
        DataError: a file or a row is wrong, the stream is empty, or the reference is too small.
        RunError: the reference, the stream or the state belongs to another run.
    """
    _refuse(alarm_rate, label, given, against)
    opened = run if isinstance(run, Run) else Run.open(run)
    classifier = Classifier.load(opened)
    refuse_other_answers(classifier, "nlpkit watch")
    if classifier.turns is not None or classifier.reads_aspects:
        raise RunError(f"{classifier.name}: reads more than a text; expected a run that reads texts alone")
    rows = WatchedRows(
        classifier=classifier, text=text, truth=given, time=time, format=format, encoding=encoding
    )
    settings = {"text": text, "label": label, "given": given, "alarm_rate": alarm_rate, "seed": seed}
    belonging = watch_state.Belonging(
        run=sha256_of([opened.marker]), reference=watch_state.hash_of(Path(against)), settings=str(settings)
    )
    kept = watch_state.load(state, belonging) if state else None
    if kept:
        watcher, seen = kept
    else:
        reference = read_reference(replace(rows, truth=label, time=None, format=None), against, seed=seed)
        _warn_of_training(opened, against, text, encoding, talk)
        watcher = Watcher(reference, alarms=alarm_rate, with_truth=given is not None, seed=seed)
        seen = {}
    before, skipped = watcher.texts, []
    for name, file in _files(stream).items():
        key = sha256_of([file]) if state and isinstance(file, Path) and file.is_file() else None
        if key in seen:
            skipped.append(name)
            continue
        for texts, dates in rows.batches(file):
            watcher.see(texts, dates)
            progress(watcher.texts - before)
        if key:
            seen[key] = name
    if state:
        watch_state.save(state, watcher, belonging, seen)
    return watched(watcher, run=opened.name, against=str(against), before=before, skipped=skipped)


def _refuse(alarm_rate: float, label: str | None, given: str | None, against: Path | str) -> None:
    if not 0 < alarm_rate < 1:
        raise ConfigError(f"an alarm rate of {alarm_rate}: expected a probability such as 0.01")
    if given and not label:
        raise ConfigError(
            f"--given {given}: true labels of the stream are compared with those of the reference; "
            "hint: add --label and the reference's column"
        )
    if str(against) == STREAM:
        raise ConfigError("--against -: expected a file; only the stream may be standard input")
    if not Path(against).exists():
        raise DataError(f"{against}: no such file; expected texts to compare the stream with")


def _warn_of_training(
    run: Run, against: Path | str, text: str, encoding: str | None, talk: Callable[[str], None]
) -> None:
    """Say how many texts of the reference the run was trained on, as far as it keeps that."""
    texts = [text_of(record, text) for record in read_records(against, encoding=encoding)]
    if count := count_trained_on(run, texts):
        talk(
            f"warning: {run.name} was trained on {count:,} of the {len(texts):,} texts of {against}: it is "
            "more certain of them than of new texts, which will look like a loss of confidence; "
            "hint: a reference that it was not trained on"
        )


def watched(
    watcher: Watcher, *, run: str, against: str, before: int = 0, skipped: list[str] | None = None
) -> Watched:
    """Return what a watcher has found so far."""
    return Watched(
        run=run, reference=against, reference_rows=len(watcher.reference.measures),
        alarm_rate=watcher.rate, with_truth=watcher.with_truth, texts=watcher.texts,
        new_texts=watcher.texts - before, skipped=tuple(skipped or ()), alarms=tuple(watcher.alarms),
        diagnosis=diagnose(watcher), periods=tuple(watcher.periods),
    )  # fmt: skip


def read_reference(rows: WatchedRows, against: Path | str, *, seed: int) -> Reference:
    """Read a reference.

    Raises:
        DataError: a row is wrong, or there are too few.
        RunError: it was scored by another run.
    """
    import numpy as np

    parts = [texts for texts, _ in rows.batches(against)]
    truths = [part.truth for part in parts if part.truth is not None]
    whole = TextAnswers(
        probabilities=np.concatenate([part.probabilities for part in parts]),
        tokens=[tokens for part in parts for tokens in part.tokens],
        truth=np.concatenate(truths) if truths else None,
    )
    labels = labels_of(rows.classifier.task.family)
    return Reference.of(whole, labels, source=str(against), seed=seed)


def _files(stream: Path | str) -> Mapping[str, Path | str]:
    """Return the files of a stream by name, in the order of their paths."""
    path = Path(stream)
    if str(stream) == STREAM or not path.is_dir():
        return {str(stream): stream if str(stream) == STREAM else path}
    files = data_files(path)
    if not files:
        raise DataError(f"{stream}: holds no data files; expected CSV, TSV, JSON Lines, Parquet or Arrow")
    return {str(file.relative_to(path)): file for file in files}
