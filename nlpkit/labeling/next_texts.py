"""Pick the texts of a file whose labels are worth most, and write them for people to label."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from nlpkit.classifiers.classifier import Classifier
from nlpkit.data.records import read_records, text_of
from nlpkit.data.text_hashes import KnownTexts
from nlpkit.errors import DataError, RunError
from nlpkit.labeling.choice import CANDIDATES, first_of_each, uncertain
from nlpkit.labeling.label_shares import OF, STRATUM
from nlpkit.labeling.pool import Candidate, Passed, Smallest, by_gap, by_hash, unlabeled
from nlpkit.labeling.strata import StrataSampler
from nlpkit.labeling.written import plan, write
from nlpkit.models.bases import source_of
from nlpkit.models.encoder import Encoder
from nlpkit.run import Run
from nlpkit.tasks.prediction import read_with_texts

if TYPE_CHECKING:
    from numpy.typing import NDArray

Aim: TypeAlias = Literal["uncertain", "shares", "random"]

PROBABILITY = "inclusion_probability"
"""The column of how probable it was that a text is drawn."""
SLACK = 4
"""How many times as many texts are kept as are needed: nearly equal ones are left out at the end."""
SMALL_ENCODER = "minilm-l6"
"""Compares texts where a run has no encoder of its own."""


@dataclass(frozen=True, kw_only=True)
class NextTexts:
    """What was picked, and from what."""

    output: str
    aim: Aim
    count: int
    rows: int
    """Rows that were read."""
    labeled: int
    """Of them, those that have a label already."""
    bad: int
    """Of them, those that could not be used."""
    knows_training: bool
    """Whether the run says which texts it was trained on, so that none of them is asked about."""


def label_next(
    run: Run | Path | str,
    file: Path | str,
    output: Path | str,
    *,
    count: int = 50,
    aim: Aim = "uncertain",
    labeled: Path | str | None = None,
    blind: bool = False,
    text: str = "text",
    label: str = "label",
    format: str | None = None,
    output_format: str | None = None,
    encoding: str | None = None,
    on_error: Literal["stop", "skip"] = "stop",
    overwrite: bool = False,
    seed: int = 1,
    progress: Callable[[int], None] = lambda rows: None,
) -> NextTexts:
    """Pick the texts of a file to label next, and write them with an empty column for the label.

        nlpkit.label_next("runs/mine", "reviews.csv", "next.csv", count=50)

    Args:
        run: a run that gives one label a text; it may be a zero-shot run.
        file: texts, read once in constant memory.
        output: csv, tsv, jsonl, or the tasks of a labeling tool, as its name or `output_format` says.
        count: how many texts.
        aim: `uncertain`: texts that the run is uncertain of, unlike one another, to train on; `shares`: a
            random draw by strata, for `label_shares`; `random`.
        labeled: a file of texts that are not asked about, as they have a label. Nor are rows of `file` that
            have a label, or texts that the run was trained on.
        blind: leave out what the run makes of each text, so that it does not sway people.
        text: the column of the text.
        label: the column for the label.
        format: as the name shows, by default.
        output_format: likewise for the output; label-studio, doccano, argilla and prodigy too.
        encoding: of a text file that is not UTF-8.
        on_error: "skip" passes over rows that cannot be used, and counts them.
        overwrite: replace an output that is there.
        seed: of all random choices.
        progress: gets how many rows are read.

    Raises:
        ConfigError: the output cannot be written.
        DataError: a file or a row is wrong, or all texts have labels.
        RunError: the run does not give one label a text.
    """
    import numpy as np

    target = Path(output)
    name = plan(target, str(file), output_format, overwrite=overwrite)
    opened = run if isinstance(run, Run) else Run.open(run)
    classifier = Classifier.load(opened)
    refuse_other_tasks(opened.name, classifier.task)
    trained = KnownTexts.of_run(opened)
    rows = read_records(labeled, columns={text: "--text"}) if labeled else ()
    theirs = [text_of(record, text) for record in rows]
    known = [texts for texts in (trained, KnownTexts.of(theirs)) if texts is not None]
    passed = Passed()
    records = read_records(
        file, format=format, encoding=encoding, columns={text: "--text"},
        on_bad=passed.skip if on_error == "skip" else None,
    )  # fmt: skip
    batches = unlabeled(
        records, classifier, passed,
        text=text, label=label, known=known, skip=on_error == "skip", progress=progress,
    )  # fmt: skip
    if aim == "shares":
        sampler = StrataSampler[Candidate](count, seed=seed)
        for batch in batches:
            sampler.add(np.stack([each.probabilities for each in batch]), batch)
        drawn, chosen = sampler.draw(), []
        for number in np.random.default_rng(seed).permutation(len(drawn)).tolist():
            each = drawn[number]
            columns = {STRATUM: each.stratum, OF: each.texts, PROBABILITY: each.probability}
            chosen.append(replace(each.item, fields={**columns, **each.item.fields}))
    else:
        most = SLACK * count * (CANDIDATES if aim == "uncertain" else 1)
        pool = Smallest(most, by_gap if aim == "uncertain" else by_hash(seed))
        pool.add(chain.from_iterable(batches))
        kept = pool.sorted()
        kept = [kept[number] for number in first_of_each([each.text for each in kept], theirs, seed=seed)]
        chosen = _uncertain(kept, count, opened, seed) if aim == "uncertain" else kept[:count]
    if not chosen:
        raise DataError(
            f"{file}: all {passed.rows:,} rows have a label or cannot be used; there is none to ask about"
        )
    write(target, name, chosen, text=text, label=label, blind=blind)
    knows = trained is not None
    return NextTexts(output=str(target), aim=aim, count=len(chosen), knows_training=knows, **vars(passed))


def refuse_other_tasks(name: str, task: Any) -> None:
    """Refuse a run that does not give one label to a text by itself.

    Raises:
        RunError: naming the run and what it does.
    """
    if getattr(task, "head", None) is None:
        what = "writes replies"
    elif read_with_texts(task):
        what = "reads more than a text alone"
    elif task.head.level != "text" or task.head.problem != "single_label_classification":
        what = f"answers with {', '.join(task.family.columns)}"
    else:
        return
    raise RunError(f"{name}: its task {task.kind} {what}; expected a run of one label a text")


def _uncertain(kept: Sequence[Candidate], count: int, run: Run, seed: int) -> list[Candidate]:
    """Choose among the texts with the smallest gaps those that are unlike one another."""
    import numpy as np

    if len(kept) <= count:
        return list(kept)
    record = run.read()
    source = SMALL_ENCODER if record.engine or record.cascade else source_of(record.base)

    def vectors(numbers: Sequence[int]) -> NDArray[Any]:
        features = Encoder.load(source).features([kept[number].text for number in numbers])
        units: NDArray[Any] = features / np.linalg.norm(features, axis=1, keepdims=True).clip(min=1e-12)
        return units

    chosen = uncertain(np.stack([each.probabilities for each in kept]), vectors, count, seed=seed)
    return [kept[number] for number in chosen]
