"""A run that is made without training: labels in words read by a base, calibrated on labeled rows if there
are any.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator

from nlpkit.classifiers.zero_shot import zero_shot_classifier
from nlpkit.data.splits import hold_out, split
from nlpkit.errors import ConfigError
from nlpkit.metrics.calibration import fit_bias
from nlpkit.models.label_readers import ReaderSettings, save_reader
from nlpkit.settings import Settings
from nlpkit.settings.data import DataSource, Share, as_sources
from nlpkit.tasks.encoding import Encoded
from nlpkit.tasks.reading import read_examples
from nlpkit.tasks.task import TextTask
from nlpkit.training.codebooks import find_codebook
from nlpkit.training.loaded_base import LoadedBase, record_of
from nlpkit.training.rows import described
from nlpkit.training.runs import RunInProgress

NEAR = 0.8
"""Rows that share this much (Jaccard similarity of word pairs) stay on one side."""


class ReaderBase(Settings):
    """The pretrained model that reads the labels."""

    source: str | None = None
    """A folder, `hub:org/name@revision`, or a catalog name; default: the reader's own."""


class LabeledRows(Settings):
    """Labeled rows, if there are any; nothing is trained on them."""

    calibration: Annotated[tuple[DataSource, ...], BeforeValidator(as_sources)] = ()
    """Rows by which temperature and biases are fitted."""
    test: Annotated[tuple[DataSource, ...] | Share, BeforeValidator(as_sources)] = 0.5
    """Sources, or the share of the calibration rows that is held out to report on."""


@dataclass(frozen=True, kw_only=True)
class ZeroShotRows:
    """What a zero-shot run is calibrated and reported on."""

    task: TextTask
    calibration: tuple[Any, ...]
    test: tuple[Any, ...]
    sources: tuple[str, ...]
    dropped: int
    left_out: int

    def describe(self) -> dict[str, Any]:
        """Return counts, label balance and fingerprints, for run.json."""
        parts = {"calibration": self.calibration, "test": self.test}
        return described(self.task, parts, self.sources, dropped=self.dropped, left_out=self.left_out)


def base_of(base: ReaderBase, reader: ReaderSettings) -> str:
    """Return the source of the base.

    Raises:
        ConfigError: neither the config nor the reader names one.
    """
    source = base.source or reader.row.base
    if source is None:
        raise ConfigError(
            f"base.source: missing; the reader {reader.name!r} has no base of its own; "
            "hint: name one, such as base.source=hub:ORG/NAME"
        )
    return source


def load_labeled_rows(task: TextTask, data: LabeledRows, *, seed: int) -> ZeroShotRows:
    """Read and split what the config names; without rows, both parts are empty.

    Raises:
        ConfigError: the task gives a text several labels, or a number.
        DataError: a file or a row is wrong.
    """
    if task.head.problem != "single_label_classification" or task.reads_aspects:
        raise ConfigError(f"task: {task.kind} gives a text no single label; hint: task.kind=polarity")
    reading = read_examples(task, data.calibration, seed=seed)
    calibration, left_out, dropped = tuple(reading.examples), reading.left_out, 0
    test: tuple[Any, ...] = ()
    if isinstance(data.test, tuple):
        held = read_examples(task, data.test, seed=seed)
        test, left_out = tuple(held.examples), left_out + held.left_out
        if calibration:
            kept = hold_out(calibration, test, task.family, near_duplicates=NEAR)
            calibration, dropped = kept.train, len(kept.dropped)
    elif calibration and data.test:
        parts = split(
            calibration, task.family, validation=0.0, test=data.test, seed=seed, near_duplicates=NEAR
        )
        calibration, test = parts.train, parts.test
    sources = tuple(source.source for source in data.calibration)
    return ZeroShotRows(
        task=task, calibration=calibration, test=test, sources=sources, dropped=dropped, left_out=left_out
    )


def make_run(
    job: RunInProgress, rows: ZeroShotRows, base: LoadedBase, reader: ReaderSettings, codebook: Any
) -> None:
    """Read the codebook, calibrate, and complete the run.

    Raises:
        ConfigError: the codebook holds more words than the base can read.
        RunError: the base is none for this reader.
    """
    book, talk = find_codebook(codebook), job.options.talk
    lines = [
        f"labels     {len(book.labels):,} in words",
        f"reader     {reader.name} by {base.identity.source}",
    ]
    warnings = [] if rows.calibration else ["no labeled rows: the probabilities are not calibrated"]
    if not job.begin(lines, warnings):
        return
    classifier = zero_shot_classifier(book, base=base.identity.source, reader=reader, task=rows.task)
    module = classifier.model.runtime.model  # type: ignore[attr-defined]  # torch is its only runtime
    for first, second, cosine in getattr(module, "alike", list)():
        names = book.names[first], book.names[second]
        talk(f"warning: {names[0]!r} and {names[1]!r} mean nearly the same to the base (cosine {cosine:.2f})")
    task = rows.task
    if rows.calibration:
        encoded = classifier.encode([task.input(row) for row in rows.calibration])
        logits = classifier.model.logits_of(encoded)
        bias = _bias(logits, task, rows.calibration, encoded)
        module.label_bias += module.label_bias.new_tensor(bias)
        padded = logits[:, : len(bias)] + bias
        task = task.calibrate(padded, rows.calibration, encoded)
        talk(f"calibrated: {task.family.calibration}, and a bias for each label")
    save_reader(module, job.run.reader)
    base.tokenizer.save_pretrained(job.run.tokenizer)
    record = record_of(
        job, module, base, task.model_dump(mode="json"),
        data=rows.describe(), outputs=task.head.outputs, max_tokens=classifier.max_tokens,
    )  # fmt: skip
    record = record.model_copy(update={"reader": reader.model_dump(mode="json")})
    job.complete(record, [row.text for row in rows.calibration])


def _bias(logits: Any, task: TextTask, examples: Sequence[Any], encoded: Sequence[Encoded]) -> Any:
    """Fit the biases on the rows that have a label: those outside the labels have none."""
    import numpy as np

    targets = (task.family.target(example, read) for example, read in zip(examples, encoded, strict=True))
    truth = np.array([int(target[0]) for target in targets])
    known = truth >= 0
    return fit_bias(logits[known], truth[known])
