"""What can be promised on a file like the labeled rows: by hand, and why a promise is refused."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nlpkit.reports.report import Report
from nlpkit.reports.sections import Table
from nlpkit.run import Run
from nlpkit.trust.calibration_rows import CalibrationRows
from nlpkit.trust.promise_section import promise_table, promises

ONE_HOT = np.eye(2, dtype=bool)


def rows_of(truth: list[int], given: list[int], certain: list[float]) -> CalibrationRows:
    """Rows of the labels a and b, each with a label that is given with this probability."""
    chances = np.where(ONE_HOT[given], np.array(certain)[:, None], 1 - np.array(certain)[:, None])
    return CalibrationRows(
        source="test rows of mine",
        labels=("a", "b"),
        probabilities=chances,
        given=ONE_HOT[given],
        truth=ONE_HOT[truth],
    )


def outcomes(table: Table) -> list[str]:
    return [str(outcome) for _, outcome in table.rows]


def test_half_of_the_texts_get_a_label_where_the_other_half_is_wrong_every_second_time() -> None:
    """4,000 rows: 2,000 at 0.995 are right, and of 2,000 at 0.6 half are wrong: 25% errors among all."""
    truth = [0, 1] * 2000
    given = [0, 1] * 1000 + [0, 1, 1, 0] * 500
    table = promise_table(rows_of(truth, given, [0.995] * 2000 + [0.6] * 2000))
    assert outcomes(table)[:4] == ["50% of the texts get a label"] * 4
    assert [str(promise) for promise, _ in table.rows][:2] == [
        "At most 1% of the labels given are wrong",
        "At most 2% of the labels given are wrong",
    ]
    # A row of a has its label at 0.995, 0.6 or, where it gets the other one, 0.4: 90% reach 0.4
    assert outcomes(table)[4] == "1.5 labels a set on average; 50% hold one label"
    assert "a file of 4,000 texts like the labeled rows (test rows of mine)" in table.note
    assert "with 95% confidence" in table.note
    assert "Validation rows" not in table.note


def test_a_refusal_names_its_reason() -> None:
    """Of 40 rows that are all right, one more is counted as wrong for each label: 1 in 21."""
    all_right = promise_table(rows_of([0, 1] * 20, [0, 1] * 20, [0.9] * 40))
    for outcome in outcomes(all_right)[:3]:
        assert outcome.startswith("refused: no threshold keeps it; 40 rows bear out no less than 1")
    few = promise_table(rows_of([0] * 20 + [1] * 8, [0] * 20 + [1] * 8, [0.9] * 28))
    assert set(outcomes(few)[:4]) == {
        "refused: test rows of mine: 8 of 28 are 'b'; expected at least 10 with and without it, to know how "
        "often it is confused"
    }
    assert outcomes(few)[4] == (
        "refused: test rows of mine: 8 rows of 'b'; expected at least 9 for sets that hold the truth in 90%"
    )
    assert not [outcome for outcome in outcomes(few) if "hint" in outcome]


def test_the_same_answer_for_every_text_is_no_promise() -> None:
    same = promise_table(rows_of([0, 1] * 50, [0] * 100, [0.7] * 100))
    assert all("do not differ enough" in outcome for outcome in outcomes(same)[:4])


def test_of_several_labels_there_are_no_sets() -> None:
    """1,000 rows with label a right at 0.999 and b false at 0.6: half of the labels given are false."""
    rows = CalibrationRows(
        source="validation rows of mine",
        labels=("a", "b"),
        probabilities=np.tile([0.999, 0.6], (1000, 1)),
        given=np.ones((1000, 2), dtype=bool),
        truth=np.tile([True, False], (1000, 1)),
    )
    table = promise_table(rows, is_set=True)
    assert outcomes(table) == ["100% of the texts get a label"] * 4
    assert str(table.rows[0][0]) == "At most 1% of the labels given are false"
    assert "sets" not in table.note.lower()
    assert "Validation rows chose the checkpoint" in table.note
    none = CalibrationRows(
        source="test rows",
        labels=rows.labels,
        probabilities=rows.probabilities,
        given=~rows.given,
        truth=rows.truth,
    )
    assert set(outcomes(promise_table(none, is_set=True))) == {"refused: none of the rows gets a label"}


@pytest.mark.parametrize(
    "classifier",
    [
        {"columns": {"value": "float", "score": "float"}, "turns": None, "reads_aspects": False},
        {"columns": {"label": "string", "p_a": "float"}, "turns": 3, "reads_aspects": False},
        {"columns": {"label": "string", "p_a": "float"}, "turns": None, "reads_aspects": True},
    ],
)
def test_numbers_turns_and_aspects_have_no_section(classifier: dict[str, Any], tmp_path: Path) -> None:
    assert promises(Run(tmp_path), SimpleNamespace(**classifier)) is None  # type: ignore[arg-type]


def test_a_training_leaves_the_promises_in_report_and_card(toy_run: Path) -> None:
    report = Report.from_json((toy_run / "evaluation" / "test.json").read_text(encoding="utf-8"))
    (table,) = [section for section in report.sections if section.id == "promise"]
    assert isinstance(table, Table)
    assert len(table.rows) == 6
    assert "48 texts like the labeled rows (test rows of toy)" in table.note
    kinds = [section.kind for section in report.sections]
    assert "texts" not in kinds[: report.sections.index(table)]
    card = (toy_run / "README.md").read_text(encoding="utf-8")
    assert f"| At most 5% of the labels given are wrong | {table.rows[2][1]} |" in card
    validation = Report.from_json((toy_run / "evaluation" / "validation.json").read_text(encoding="utf-8"))
    assert "promise" not in {section.id for section in validation.sections}
