"""A watch of a run's texts, and the file that keeps where it stands from one call to the next."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nlpkit.classifiers.classifier import Classifier
from nlpkit.data.dataset_folders import data_files
from nlpkit.data.records import read_records, text_of
from nlpkit.data.text_hashes import count_trained_on
from nlpkit.errors import ConfigError, DataError, RunError
from nlpkit.files import only_writer, sha256_of, write_whole
from nlpkit.run import Run
from nlpkit.tasks.prediction import read_with_texts
from nlpkit.trust.answer_columns import labels_of, refuse_other_answers
from nlpkit.watching.reference import Reference, TextAnswers
from nlpkit.watching.rows import answered
from nlpkit.watching.watcher import Watcher

STREAM = "-"
ALARM_RATE = 0.01
FORMAT = 2


@dataclass(frozen=True, kw_only=True)
class Watch:
    """Where a watch stands, and what it is about."""

    classifier: Classifier
    watcher: Watcher
    state: Path | None
    """The file that keeps it."""
    belongs: Mapping[str, Any]
    """Hashes of the run and the reference, and the settings: with others it cannot go on."""
    seen: dict[str, str]
    """Names of the files that were watched, by their hashes."""

    @classmethod
    def begin(
        cls,
        run: Run | Path | str,
        *,
        against: Path,
        state: Path | None,
        text: str = "text",
        label: str | None = None,
        given: str | None = None,
        alarm_rate: float = ALARM_RATE,
        encoding: str | None = None,
        seed: int = 1,
        talk: Callable[[str], None],
    ) -> Watch:
        """Begin a watch, or go on with the one that the state holds: see `watch` for arguments and errors."""
        _refuse(alarm_rate, label, given, against)
        opened = run if isinstance(run, Run) else Run.open(run)
        classifier = Classifier.load(opened)
        refuse_other_answers(classifier, "nlpkit watch")
        if read_with_texts(classifier):
            raise RunError(
                f"{classifier.name}: reads more than a text; expected a run that reads texts alone"
            )
        settings = {"text": text, "label": label, "given": given, "alarm_rate": alarm_rate, "seed": seed}
        belongs = {
            "run": sha256_of([opened.marker]),
            "reference": sha256_of(data_files(against) if against.is_dir() else [against]),
            "settings": settings,
        }
        if state and state.exists():
            watcher, seen = _load(state, belongs)
        else:
            parts = [
                each for each, _ in answered(classifier, against, text=text, truth=label, encoding=encoding)
            ]
            whole = TextAnswers(
                probabilities=np.concatenate([part.probabilities for part in parts]),
                tokens=[tokens for part in parts for tokens in part.tokens],
                truth=np.concatenate([part.truth for part in parts]) if label else None,
            )
            labels = labels_of(classifier.task.family)
            reference = Reference.of(whole, labels, source=str(against), seed=seed)
            texts = (text_of(record, text) for record in read_records(against, encoding=encoding))
            if count := count_trained_on(opened, texts):
                talk(
                    f"warning: {opened.name} was trained on {count:,} of the {len(reference):,} texts of "
                    f"{against}: it is more certain of them than of new texts, which will look like a loss "
                    "of confidence; hint: a reference that it was not trained on"
                )
            watcher, seen = Watcher(reference, rate=alarm_rate, with_truth=bool(given), seed=seed), {}
        return cls(classifier=classifier, watcher=watcher, state=state, belongs=belongs, seen=seen)

    @staticmethod
    def only_one(state: Path | None) -> AbstractContextManager[None]:
        """Keep other processes from the state meanwhile: each would write over what the other watched.

        Raises:
            ConfigError: the folder can't be written.
            NlpkitError: another process watches.
        """
        return only_writer(state, state.with_name(f".{state.name}.lock")) if state else nullcontext()

    def save(self) -> None:
        """Keep where it stands, if there is a file for it; the file is written whole or not at all.

        Raises:
            DataError: the file can't be written.
        """
        if not self.state:
            return
        tree = {
            "nlpkit watch": FORMAT, **self.belongs, "seen": self.seen,
            "watcher": self.watcher.as_dict(), "against": vars(self.watcher.reference),
        }  # fmt: skip
        try:
            write_whole(self.state, json.dumps(tree, default=lambda array: array.tolist()) + "\n")
        except OSError as error:
            raise DataError(
                f"{self.state}: cannot be written: {error.strerror}; it holds what was watched before; "
                "hint: make its folder writable, and free space on the disk"
            ) from None


def _refuse(alarm_rate: float, label: str | None, given: str | None, against: Path) -> None:
    if not 0 < alarm_rate < 1:
        raise ConfigError(f"an alarm rate of {alarm_rate}: expected a probability such as 0.01")
    if given and not label:
        raise ConfigError(
            f"--given {given}: true labels of the stream are compared with those of the reference; "
            "hint: add --label and the reference's column"
        )
    if str(against) == STREAM:
        raise ConfigError("--against -: expected a file; only the stream may be standard input")
    if not against.exists():
        raise DataError(f"{against}: no such file; expected texts to compare the stream with")


def _load(path: Path, belongs: Mapping[str, Any]) -> tuple[Watcher, dict[str, str]]:
    """Return the watcher that a file holds, and the files that it has seen."""
    try:
        tree: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if tree["nlpkit watch"] != FORMAT:
            raise ValueError(f"format {tree['nlpkit watch']}")
        for name, now in belongs.items():
            if tree[name] != now:
                raise RunError(
                    f"{path}: the earlier calls had {_other(name, tree[name], now)}: their evidence does not "
                    "count here; hint: begin anew with another --state FILE"
                )
        return Watcher.from_dict(Reference.from_dict(tree["against"]), tree["watcher"]), tree["seen"]
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise DataError(
            f"{path}: is no state of nlpkit watch ({error}); hint: name another file, which will be written"
        ) from None


def _other(name: str, then: Any, now: Any) -> str:
    """Return in words what is not as it was in earlier calls."""
    if not isinstance(now, Mapping):
        return f"another {name}"
    return "other settings, " + ", ".join(
        f"{key} {then.get(key)!r} instead of {value!r}"
        for key, value in now.items()
        if then.get(key) != value
    )
