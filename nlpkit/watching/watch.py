"""Watch a stream of texts: whether it still is like a reference, what changed, when and how much."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nlpkit.data.dataset_folders import data_files
from nlpkit.errors import DataError
from nlpkit.files import sha256_of
from nlpkit.run import Run
from nlpkit.watching.naming import Diagnosis, diagnose
from nlpkit.watching.rows import answered
from nlpkit.watching.state import ALARM_RATE, STREAM, Watch
from nlpkit.watching.watcher import Alarm, Period, Watcher


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
    """The earliest first."""
    diagnosis: Diagnosis
    periods: tuple[Period, ...]


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
        NlpkitError: another process writes the state.
    """
    with Watch.only_one(state):
        watch = Watch.begin(
            run, against=Path(against), state=state, text=text, label=label, given=given,
            alarm_rate=alarm_rate, encoding=encoding, seed=seed, talk=talk,
        )  # fmt: skip
        before, skipped = watch.watcher.texts, []
        for name, file in _files(stream).items():
            key = sha256_of([file]) if state and isinstance(file, Path) and file.is_file() else None
            if key in watch.seen:
                skipped.append(name)
                continue
            rows = answered(
                watch.classifier, file, text=text, truth=given, time=time, format=format, encoding=encoding
            )
            for texts, dates in rows:
                watch.watcher.see(texts, dates)
                progress(watch.watcher.texts - before)
            if key:
                watch.seen[key] = name
        watch.save()
    name = watch.classifier.name
    return watched(watch.watcher, run=name, against=str(against), before=before, skipped=skipped)


def watched(
    watcher: Watcher, *, run: str, against: str, before: int = 0, skipped: Sequence[str] = ()
) -> Watched:
    """Return what a watcher has found so far."""
    return Watched(
        run=run, reference=against, reference_rows=len(watcher.reference),
        alarm_rate=watcher.rate, with_truth=watcher.with_truth, texts=watcher.texts,
        new_texts=watcher.texts - before, skipped=tuple(skipped), alarms=tuple(watcher.alarms),
        diagnosis=diagnose(watcher), periods=tuple(watcher.periods),
    )  # fmt: skip


def _files(stream: Path | str) -> Mapping[str, Path | str]:
    """Return the files of a stream by name, in the order of their paths."""
    path = Path(stream)
    if str(stream) == STREAM or not path.is_dir():
        return {str(stream): stream if str(stream) == STREAM else path}
    files = data_files(path)
    if not files:
        raise DataError(f"{stream}: holds no data files; expected CSV, TSV, JSON Lines, Parquet or Arrow")
    return {str(file.relative_to(path)): file for file in files}
