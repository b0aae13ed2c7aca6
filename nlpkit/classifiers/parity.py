"""The gate that every export passes or fails: does it answer like its original, on the rows that the run held out?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlpkit.classifiers.exported import Form, Parity
from nlpkit.errors import RunError
from nlpkit.run import Run
from nlpkit.tasks.answers.family import Limits

if TYPE_CHECKING:
    from nlpkit.classifiers.classifier import Classifier

MOST_ROWS = 1000
"""Held-out rows that an export is tried on, spread evenly over all of them."""

SENTENCES = Path(__file__).parent.parent / "evaluation" / "suites"
"""Our own sentences, for a run that came without its held-out rows."""

ODD = ("", " ", "[CLS] [SEP] [MASK] [PAD] </s>", "\u200d\u202e", "שלום 你好 👩‍👩‍👧‍👦", "NaN", "word " * 1500)
"""What else people write. Each must be read alike; the last one in several windows."""


EXACT = Limits(changed=0.0, difference=1e-3, accuracy=0.0, value=1e-3)

LIMITS: Mapping[Form, Limits] = {
    **dict.fromkeys(("onnx", "openvino", "merged"), EXACT),
    "openvino-bf16": Limits(changed=0.01, difference=None, accuracy=0.003, value=0.02),
    "onnx-int8": Limits(changed=0.025, difference=None, accuracy=0.003, value=0.05),
}


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Texts to prove an export on."""

    texts: tuple[str, ...]
    truth: tuple[object, ...]
    """Labels or numbers, one a text; empty where they are not known."""
    source: str


def held_out(run: Run) -> Rows:
    """The rows that a run reported on, at most MOST_ROWS; our own sentences where it came without them."""
    files = sorted(run.evaluation.glob("*.predictions.parquet"))
    if files:
        from pyarrow import parquet

        rows = [
            row for file in files for row in parquet.read_table(file, columns=["text", "truth"]).to_pylist()
        ]
        rows = _spread(rows)
        return Rows(
            texts=tuple(row["text"] for row in rows),
            truth=tuple(row["truth"] for row in rows),
            source="held-out rows",
        )
    lines = [
        json.loads(line)
        for file in sorted(SENTENCES.glob("*.jsonl"))
        for line in file.read_text(encoding="utf-8").splitlines()
    ]
    texts = dict.fromkeys(filled for line in lines if "text" in line for filled in _filled(line))
    return Rows(texts=tuple(_spread(list(texts))), truth=(), source="sentences of nlpkit's own")


def _filled(line: Mapping[str, Any]) -> list[str]:
    """A template with each of its fillings in turn; what has none keeps its place's name."""
    found = [line["text"]]
    for name, values in line.get("fill", {}).items():
        found = [text.replace(f"{{{name}}}", value) for text in found for value in values]
    return found


def _spread(rows: list[Any]) -> list[Any]:
    count = min(len(rows), MOST_ROWS)
    return [rows[place * len(rows) // count] for place in range(count)]


def compare(original: Classifier, exported: Classifier, rows: Rows, limits: Limits) -> Parity:
    """How an export answers beside its original.

    Raises:
        RunError: it cannot answer at all, or does not even write the same ids or labels.
    """
    import numpy as np

    texts = [*rows.texts, *ODD]
    if original.encode(texts) != exported.encode(texts):
        raise RunError(f"{exported.name}: the export's tokenizer writes other ids than the run's")
    if original.columns != exported.columns or original.max_tokens != exported.max_tokens:
        raise RunError(f"{exported.name}: the export has other labels or another window than the run")
    theirs, ours = original.logits(texts), exported.logits(texts)
    drift = float(np.abs(theirs - ours).max())
    found = original.task.family.parity(
        original.predict(rows.texts), exported.predict(rows.texts), rows.truth, limits
    )
    failures = list(found.failures)
    if limits.difference is not None and not drift <= limits.difference:
        failures.append(f"a logit moves by {drift:.2g}, {limits.difference:g} are allowed")
    return Parity(
        rows=len(rows.texts),
        source=rows.source,
        flips=found.changed,
        drift=drift,
        accuracy=found.accuracy,
        exported_accuracy=found.exported_accuracy,
        failures=tuple(failures),
    )


def require(parity: Parity, what: str, *, force: bool) -> None:
    """Nothing, where an export passed, or is wanted all the same.

    Raises:
        RunError: it answers otherwise than its original.
    """
    if parity.failures and not force:
        raise RunError(
            f"{what}: the export does not answer like the run, on {parity.rows:,} {parity.source}: {'; '.join(parity.failures)}; "
            "cure: the runtime torch, or --force to keep it with this on its label"
        )


def words(parity: Parity) -> str:
    """What was found, in one line."""
    found = [f"{parity.rows:,} {parity.source}"]
    if parity.flips is not None:
        found.append(f"{parity.flips:.2%} of labels differ")
    found.append(f"largest difference of a logit {parity.drift:.2g}")
    if parity.accuracy is not None and parity.exported_accuracy is not None:
        found.append(f"accuracy {parity.accuracy:.2%} before, {parity.exported_accuracy:.2%} after")
    return ", ".join(found)
