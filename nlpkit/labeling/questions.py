"""The texts of a file, one after the other, for one rater to label."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

from nlpkit.data.codebook import LabelWords
from nlpkit.data.near import normalized
from nlpkit.data.records import read_records, text_of
from nlpkit.errors import DataError
from nlpkit.labeling.agreement import agreement, agreement_line
from nlpkit.labeling.journal import Act, Journal, journal_of, journals_of, merged
from nlpkit.labeling.next_texts import refuse_other_tasks
from nlpkit.labeling.pool import is_filled
from nlpkit.run import Run
from nlpkit.tasks.task import task_from
from nlpkit.training.codebooks import find_codebook, with_codebook
from nlpkit.trust.answer_columns import labels_of


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where a rater stands."""

    key: str
    """The normalized words of the next text; empty where none is left."""
    text: str
    labeled: int
    skipped: int
    total: int
    agreement: str
    """In a sentence; empty where nobody else labeled the file."""


@dataclass(frozen=True, kw_only=True)
class Questions:
    """The texts of a file without a label, the labels to choose from, and the journal of one rater."""

    file: Path
    labels: tuple[LabelWords, ...]
    texts: dict[str, str]
    """By their normalized words, in the order of the file."""
    journal: Journal

    def progress(self) -> Progress:
        """Return where the rater stands, read from the journals as they are now.

        Raises:
            DataError: a journal is damaged.
        """
        answers = {key: label for key, label in self.journal.answers().items() if key in self.texts}
        labeled = sum(label is not None for label in answers.values())
        key = next((key for key in self.texts if key not in answers), "")
        journals = journals_of(self.file)
        shared = agreement(labels for key, labels in merged(journals).items() if key in self.texts)
        return Progress(
            key=key,
            text=self.texts.get(key, ""),
            labeled=labeled,
            skipped=len(answers) - labeled,
            total=len(self.texts),
            agreement=agreement_line(shared, [journal.rater for journal in journals]),
        )

    def answer(self, act: str, key: str = "", label: str = "") -> None:
        """Write an answer to the journal; `key` is the normalized words of the text that it is about.

        Raises:
            DataError: the text or the label is not among those that are asked about, or the disk is full.
        """
        is_about_text = act in ("label", "skip")
        if is_about_text and key not in self.texts:
            raise DataError(f"{self.file.name}: has no such text to label; hint: reload the page")
        if act == "undo" and next(reversed(self.journal.answers()), None) not in self.texts:
            raise DataError(f"{self.file.name}: has no answer to take back")
        if act not in get_args(Act):
            raise DataError(f"{act!r:.80}: is no answer; expected one of {', '.join(get_args(Act))}")
        if act == "label" and label not in [entry.label for entry in self.labels]:
            raise DataError(f"the label {label!r:.80}: is not one of the run's; hint: reload the page")
        text = self.texts[key] if is_about_text else ""
        self.journal.write(cast("Act", act), text, label if act == "label" else "")


def open_questions(
    run: Run | Path | str,
    file: Path | str,
    rater: str,
    *,
    codebook: Path | str | None = None,
    text: str = "text",
    label: str = "label",
    format: str | None = None,
    encoding: str | None = None,
) -> Questions:
    """Return the texts of a file that have no label yet, each once.

    `codebook` gives the order and the descriptions of the labels, as a run's own codebook does; a run without
    one gives its labels alone. `label` is the column of the label, where there is one.

    Raises:
        ConfigError: the rater's name is invalid, or the codebook has other labels.
        DataError: a row is wrong, or all have a label.
        RunError: the run does not give one label a text.
    """
    opened = run if isinstance(run, Run) else Run.open(run)
    task: Any = task_from(opened.read().task)
    refuse_other_tasks(opened.name, task)
    with_codebook(task, codebook)
    if codebook or opened.codebook.is_file():
        labels = find_codebook(codebook or opened.path).labels
    else:
        labels = tuple(LabelWords(label=name) for name in labels_of(task.family))
    texts: dict[str, str] = {}
    for record in read_records(file, format=format, encoding=encoding, columns={text: "--text"}):
        if not is_filled(record.fields.get(label)):
            words = text_of(record, text)
            texts.setdefault(normalized(words), words)
    if not texts:
        raise DataError(f"{file}: all rows have a label; hint: name another column with --label")
    return Questions(file=Path(file), labels=labels, texts=texts, journal=journal_of(file, rater))
