"""Train a new run on the labels that people gave, and measure what they were worth."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlpkit.classifiers.classifier import Classifier
from nlpkit.config import read_config, validate
from nlpkit.errors import ConfigError, DataError
from nlpkit.files import write_whole
from nlpkit.labeling.labeled import read_labeled
from nlpkit.labeling.measure_round import measure_round
from nlpkit.labeling.next_texts import SMALL_ENCODER, refuse_other_tasks
from nlpkit.labeling.page import write_page
from nlpkit.labeling.rounds import THRESHOLD, Round, write_rounds
from nlpkit.models.bases import source_of
from nlpkit.reports.keeping import OWN_PARTS
from nlpkit.run import PACKAGE, Run
from nlpkit.scoring.json_values import json_text
from nlpkit.settings.data import LabelSource
from nlpkit.tasks.reading import read_examples
from nlpkit.training.runs import Progress
from nlpkit.training.train import train_seeds
from nlpkit.trust.answer_columns import labels_of

LEARNS = ("sentiment", "few_shot")
"""Recipes whose config takes further rows."""
COLD = ("zero_shot", "engine")
"""Recipes that train on no rows: the first labels train a run of few_shot with their labels."""


@dataclass(frozen=True, kw_only=True)
class LearnedRound:
    """A new run, what was learned for it, and what that was worth."""

    run: Run
    page: str
    """The page with the curve over all rounds."""
    rounds: tuple[Round, ...]

    @property
    def last(self) -> Round:
        """This round."""
        return self.rounds[-1]


def label_learn(
    run: Run | Path | str,
    labeled: Path | str,
    *,
    output: Path | str | None = None,
    held_out: Path | str | None = None,
    threshold: float = THRESHOLD,
    text: str = "text",
    label: str = "label",
    overwrite: bool = False,
    overrides: Mapping[str, Any] | None = None,
    talk: Callable[[str], None] = lambda line: None,
    progress: Callable[[Progress], None] | None = None,
    **fields: Any,
) -> LearnedRound:
    """Train a new run from a run's own config with further labels, and compare the two on held-out rows.

        nlpkit.label_learn("runs/mine", "next.csv")  # -> runs/mine-2, which the next round starts from

    A run without training, such as a zero-shot run, becomes one of the recipe few_shot.

    Args:
        run: the run that the texts were picked by.
        labeled: texts with labels; rows without one are left out.
        output: the new run's folder; default: the run's, with the number of the round behind its name.
        held_out: labeled rows to measure on, which have the same columns; default: the test rows of the run's
            training, or where it has none the validation rows. The new run holds the same rows out.
        threshold: the points of accuracy that 100 labels have to be worth for a further round.
        text: the column of the text.
        label: the column of the label.
        overwrite: delete a run of that name first.
        overrides: settings that win over those of the run's config; keys may be dotted.
        talk: gets lines for people.
        progress: gets each optimizer step.
        fields: further settings of the labels' source: labels, annotators, format, encoding.

    Raises:
        ConfigError: a setting is invalid, or the run's recipe learns from no rows.
        DataError: a row is wrong, a label is not known, or there are no labels or no held-out rows.
        RunError: the run does not give one label a text.
    """
    old = run if isinstance(run, Run) else Run.open(run)
    classifier = Classifier.load(old)
    task = classifier.task
    refuse_other_tasks(old.name, task)
    rows = read_labeled(str(labeled), labels_of(task.family), text=text, label=label, **fields)
    for line in rows.lines:
        talk(line)
    folder = Path(output) if output else next_folder(old)
    if held_out is None:
        part, kept = _own_rows(old)
        source = LabelSource(source=_kept(folder, "held-out", kept))
    else:
        named: dict[str, Any] = {name: fields[name] for name in ("labels", "encoding") if name in fields}
        named = {**named, "source": str(held_out), "text": text, "label": label}
        part, source = "test", validate(named, LabelSource, where=Path(held_out))
    examples = read_examples(task, [source], seed=0).examples
    added = _kept(folder, "labels", rows.rows)
    tree = _config(old, classifier, {"source": added}, part, source)
    settings: dict[str, Any] = {**(overrides or {}), "name": folder.name, "output": str(folder.parent)}
    (new,) = train_seeds(tree, overwrite=overwrite, single=True, talk=talk, progress=progress, **settings)
    rounds = measure_round(old, new, classifier, examples, added=len(rows.rows), threshold=threshold)
    write_rounds(new, rounds)
    return LearnedRound(run=new, page=write_page(new, rounds), rounds=rounds)


def next_folder(run: Run) -> Path:
    """Return the folder of the run that follows: `mine`, `mine-2`, `mine-3`."""
    parent = Path("runs") if run.path.parent == PACKAGE else run.path.parent
    if run.path.name.startswith("seed-"):
        return parent.parent / f"{run.name.replace('/', '-')}-2"
    numbered = re.fullmatch(r"(.+)-(\d{1,3})", run.name)
    return parent / (f"{numbered[1]}-{int(numbered[2]) + 1}" if numbered else f"{run.name}-2")


def _kept(folder: Path, what: str, rows: Sequence[tuple[str, str]]) -> str:
    """Keep rows next to the new run's folder, whose config names them: the run can be trained again."""
    path = folder.with_name(f"{folder.name}.{what}.jsonl")
    write_whole(path, "".join(json_text({"text": text, "label": label}) + "\n" for text, label in rows))
    return str(path)


def _own_rows(run: Run) -> tuple[str, list[tuple[str, str]]]:
    """Return which part of its data a run's training held out, and the rows of that part."""
    for part in OWN_PARTS:
        path = run.evaluation / f"{part}.predictions.parquet"
        if path.is_file():
            from pyarrow import parquet

            rows = parquet.read_table(path, columns=["text", "truth"]).to_pylist()
            return part, [(row["text"], row["truth"]) for row in rows]
    raise DataError(
        f"{run.path}: holds no held-out rows to compare the two runs on; "
        "hint: --held-out FILE with labeled rows that neither is trained on"
    )


def _config(
    run: Run, classifier: Classifier, added: dict[str, str], part: str, held_out: LabelSource
) -> dict[str, Any]:
    """Return the config of the new run: the run's own with the labels added and the held-out rows named."""
    record, task = run.read(), classifier.task
    measured = held_out.model_dump(mode="json", exclude_defaults=True)
    if record.recipe in COLD:
        names, fitted = ("labels", "ordered", "outside"), task.model_dump(mode="json")
        words = {name: fitted[name] for name in names if fitted.get(name) is not None}
        return {
            "recipe": "few_shot",
            "task": {"kind": task.kind, **words},
            "base": {"source": SMALL_ENCODER if record.engine else source_of(record.base)},
            "seeds": [record.seed],
            "data": {"train": [added], "test": [measured]},
        }
    if record.recipe not in LEARNS:
        raise ConfigError(
            f"{run.path}: its recipe {record.recipe} trains on no labeled rows; expected a run of "
            f"{', '.join((*LEARNS, *COLD))}"
        )
    tree, _ = read_config(run.config)
    data = dict(tree["data"])
    if data.get("per_label"):
        raise ConfigError(
            f"{run.config}: data.per_label: {data['per_label']} draws few rows, so that further labels "
            "change little; hint: train it with data.per_label=null first"
        )
    train = data["train"] if isinstance(data["train"], list) else [data["train"]]
    return {**tree, "data": {**data, "train": [*train, added], part: [measured]}}
