"""Labels that a model doubts: rows whose label a classifier on frozen features finds unlikely when it was
trained on the other rows.
"""

from __future__ import annotations

import csv
import io
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlpkit.data.check_findings import Excerpt, Finding, shown
from nlpkit.data.examples import LabeledText, TextExample
from nlpkit.data.near import near_groups
from nlpkit.data.personal import Scan
from nlpkit.data.spreadsheets import inert
from nlpkit.errors import DataError, optional
from nlpkit.models.encoder import Encoder

if TYPE_CHECKING:
    from numpy.typing import NDArray

BASE = "minilm-l6"
FOLDS = 5
STRENGTHS = (0.001, 0.01, 0.1)
"""scikit-learn's C, on standardized features; the one with the least loss on the rows left out is taken."""
DEPTH = 0.75
"""The layer that features come from: a sentence encoder's last ones hold its topic, and less of its tone."""
COLUMNS = ("row", "text", "label", "suggested", "doubt")
SHOWN = 10


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """How much a model doubts the label of a row."""

    example: LabeledText
    suggested: str
    """The label that the model finds likeliest: often, but not always, another one."""
    doubt: float
    """1 where the model is sure of another label, 0 where it is sure of the given one."""
    is_issue: bool
    """Whether the label is likely wrong, by confident learning (Northcutt et al. 2021, arXiv:1911.00068)."""


def doubted_labels(
    examples: Sequence[TextExample],
    *,
    base: str = BASE,
    seed: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Doubt]:
    """Return the rows with their doubts, the most doubted first.

    Each row is judged by a logistic regression on the base's mean token embeddings that was trained without
    it and without its near-duplicates. Rows without a label, and labels with fewer rows than folds, are not
    judged.

    Args:
        examples: texts with one label each.
        base: a folder, a hub's name or a name of the catalog.
        seed: cuts the folds.
        progress: gets how many texts of how many are read.

    Raises:
        ConfigError: cleanlab is not installed.
        DataError: rows have several labels, or fewer than two labels have enough rows.
        SourceError: the base can't be fetched.
    """
    import numpy as np
    from sklearn.metrics import log_loss

    rank = optional("cleanlab.rank", extra="noise")
    issues = optional("cleanlab.filter", extra="noise")
    rows = _judged(examples)
    names = sorted({str(row.label) for row in rows})
    given = np.array([names.index(str(row.label)) for row in rows])
    texts = [row.text for row in rows]
    features = Encoder.load(base).features(texts, progress, depth=DEPTH).astype(np.float64)
    groups = near_groups(texts, threshold=0.8, seed=seed)
    tried = [_out_of_fold(features, given, groups, seed=seed, strength=strength) for strength in STRENGTHS]
    chances = min(tried, key=lambda chances: log_loss(given, chances, labels=range(len(names))))
    quality = rank.get_label_quality_scores(given, chances, method="normalized_margin")
    wrong = issues.find_label_issues(given, chances, n_jobs=1)
    doubts = [
        Doubt(
            example=row,
            suggested=names[int(chances[index].argmax())],
            doubt=float(1 - quality[index]),
            is_issue=bool(wrong[index]),
        )
        for index, row in enumerate(rows)
    ]
    return sorted(doubts, key=lambda doubt: -doubt.doubt)


def _judged(examples: Sequence[TextExample]) -> list[LabeledText]:
    """Return the rows with a label that enough rows have.

    Raises:
        DataError: rows have several labels, or fewer than two labels are left.
    """
    labeled = [example for example in examples if isinstance(example, LabeledText) and example.label]
    if several := next((example for example in examples if not isinstance(example, LabeledText)), None):
        raise DataError(
            f"{several.where}: doubts are about one label a text, and this row holds a list; "
            "hint: leave out --doubts"
        )
    counts = Counter(example.label for example in labeled if example.text.strip())
    rows = [example for example in labeled if counts[example.label] >= FOLDS and example.text.strip()]
    if len({row.label for row in rows}) < 2:
        raise DataError(
            f"doubts need at least two labels with {FOLDS} rows each, found {dict(counts.most_common(5))}; "
            "hint: leave out --doubts, or name the column of labels with --label"
        )
    return rows


def _out_of_fold(
    features: NDArray[Any], labels: NDArray[Any], groups: Sequence[int], *, seed: int, strength: float
) -> NDArray[Any]:
    """Return (rows, labels): each row's probabilities, by a model that never saw the row or its group."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    chances = np.zeros((len(labels), labels.max() + 1))
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a label in few groups
        cuts = list(folds.split(features, labels, groups))
    for train, held in cuts:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1000))
        model.fit(features[train], labels[train])
        chances[np.ix_(held, model.classes_)] = model.predict_proba(features[held])
    return chances


def doubts_csv(doubts: Sequence[Doubt]) -> str:
    """Return the rows with a likely wrong label as CSV, to review and to leave out (`data.leave_out`)."""
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for doubt in doubts:
        if doubt.is_issue:
            row = doubt.example
            cells = (row.where, row.text, str(row.label), doubt.suggested)
            writer.writerow([*map(inert, cells), f"{doubt.doubt:.4f}"])
    return lines.getvalue()


def doubts_finding(part: str, doubts: Sequence[Doubt], path: Path, scan: Scan) -> Finding | None:
    """Return what a check says of likely wrong labels, personal data masked; None where there are none."""
    wrong = [doubt for doubt in doubts if doubt.is_issue]
    if not wrong:
        return None
    return Finding(
        kind="label doubt",
        severity="warning",
        part=part,
        rows=len(wrong),
        message=f"{len(wrong):,} of {len(doubts):,} rows: the label is likely wrong",
        hint=f"Read {path}, delete the lines whose label is right, and train without the other rows: "
        f"nlpkit train CONFIG.yaml data.leave_out={path}",
        examples=tuple(
            Excerpt(
                part=part,
                where=doubt.example.where,
                text=shown(scan(doubt.example.text)[0]),
                note=f"{shown(str(doubt.example.label), 60)}, perhaps {shown(doubt.suggested, 60)} "
                f"({doubt.doubt:.2f})",
            )
            for doubt in wrong[:SHOWN]
        ),
    )
