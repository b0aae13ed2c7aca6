"""The parity check of an export: does it answer like its run, on the rows that the run held out?"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, TypeVar

from nlpkit.classifiers.export_record import Parity
from nlpkit.classifiers.text_model import TextModel
from nlpkit.data.examples import ABOUT, TURN, TextInput, input_in
from nlpkit.errors import RunError
from nlpkit.run import Run
from nlpkit.tasks.answers.differences import Limits
from nlpkit.tasks.task import TextTask

MOST_ROWS = 1000
"""Held-out rows that an export is tried on, spread evenly over all of them."""

ODD = ("", " ", "[CLS] [SEP] [MASK] [PAD] </s>", "\u200d\u202e", "שלום 你好 👩‍👩‍👧‍👦", "NaN", "word " * 1500)
"""What else people write. Each must be read alike; the last one in several windows."""

Element = TypeVar("Element")


@dataclass(frozen=True, kw_only=True)
class ParityRows:
    """Texts to compare an export with its run on."""

    texts: tuple[str | TextInput, ...]
    truth: tuple[object, ...]
    """Labels or numbers, one a text; empty where they are not known."""
    source: str


def held_out(run: Run) -> ParityRows:
    """Return the rows that a run reported on, at most MOST_ROWS; without any, nlpkit's own sentences."""
    files = sorted(run.evaluation.glob("*.predictions.parquet"))
    if files:
        from pyarrow import parquet

        wanted = ("text", "truth", TURN, ABOUT)
        tables = [
            parquet.read_table(
                file, columns=[name for name in wanted if name in parquet.read_schema(file).names]
            )
            for file in files
        ]
        rows = _spread([row for table in tables for row in table.to_pylist()])
        return ParityRows(
            texts=tuple(map(input_in, rows)),
            truth=tuple(row["truth"] for row in rows),
            source="held-out rows",
        )
    suites = (resources.files("nlpkit.data") / "suites").iterdir()
    lines = [
        json.loads(line)
        for suite in sorted(suites, key=lambda suite: suite.name)
        if suite.name.endswith(".jsonl")
        for line in suite.read_text(encoding="utf-8").splitlines()
    ]
    texts = dict.fromkeys(filled for line in lines if "text" in line for filled in _filled(line))
    return ParityRows(texts=tuple(_spread(list(texts))), truth=(), source="sentences of nlpkit's own")


def _filled(line: Mapping[str, Any]) -> list[str]:
    """Fill a template with each of its words in turn; a slot without words keeps its name."""
    texts = [line["text"]]
    for name, words in line.get("fill", {}).items():
        texts = [text.replace(f"{{{name}}}", word) for text in texts for word in words]
    return texts


def _spread(rows: Sequence[Element]) -> list[Element]:
    count = min(len(rows), MOST_ROWS)
    return [rows[index * len(rows) // count] for index in range(count)]


def _inputs(task: TextTask, texts: Sequence[str | TextInput]) -> list[str | TextInput]:
    """Return texts as a task reads them: one that is asked about an aspect gets the first word of each."""
    if not task.reads_aspects:
        return list(texts)
    return [
        TextInput(text=text, about=(text.split() or ["it"])[0]) if isinstance(text, str) else text
        for text in texts
    ]


def compare(original: TextModel, exported: TextModel, rows: ParityRows, limits: Limits) -> Parity:
    """Compare the answers of an export with those of its run.

    Raises:
        RunError: its tokenizer, labels or window differ from the run's.
    """
    import numpy as np

    texts = _inputs(original.task, (*rows.texts, *ODD))
    encoded = original.encode(texts)
    if encoded != exported.encode(texts):
        raise RunError(f"{exported.name}: the export's tokenizer gives other ids than the run's")
    if (
        list(original.task.family.columns) != list(exported.task.family.columns)
        or original.max_tokens != exported.max_tokens
    ):
        raise RunError(f"{exported.name}: the export has other labels or another window than the run")
    before, after = original.logits(texts), exported.logits(texts)
    max_difference = float(np.abs(before - after).max())
    count = len(rows.texts)
    # The run's task decodes both: the export has the same columns
    answers, new_answers = (original.task.decode(logits, encoded)[:count] for logits in (before, after))
    differences = original.task.family.parity(answers, new_answers, rows.truth, limits)
    failures = differences.failures
    if limits.difference is not None and not max_difference <= limits.difference:
        failures += (f"a logit differs by {max_difference:.2g}, {limits.difference:g} is allowed",)
    return Parity(
        rows=count,
        source=rows.source,
        changed_labels=differences.changed,
        max_difference=max_difference,
        accuracy=differences.accuracy,
        exported_accuracy=differences.exported_accuracy,
        failures=failures,
    )


def require(parity: Parity, name: str, *, force: bool) -> None:
    """Refuse an export that failed, unless it is wanted all the same.

    Raises:
        RunError: it failed.
    """
    if parity.failures and not force:
        raise RunError(
            f"{name}: the export does not answer like the run, on {parity.rows:,} {parity.source}: "
            f"{'; '.join(parity.failures)}; "
            "hint: --runtime torch, or nlpkit export --force -o FOLDER to keep it all the same"
        )


def describe(parity: Parity) -> str:
    """Return the result in one line."""
    parts = [f"{parity.rows:,} {parity.source}"]
    if parity.changed_labels is not None:
        parts.append(f"{parity.changed_labels:.2%} of labels changed")
    parts.append(f"max difference of a logit {parity.max_difference:.2g}")
    if parity.accuracy is not None and parity.exported_accuracy is not None:
        parts.append(f"accuracy {parity.accuracy:.2%} before, {parity.exported_accuracy:.2%} after")
    return ", ".join(parts)
