from __future__ import annotations

from dataclasses import replace

import numpy as np

from nlpkit.metrics.outcomes import LabelOutcomes
from nlpkit.reports import label_sections, label_tables
from nlpkit.reports.label_sections import LABEL_SECTIONS, Rows
from nlpkit.reports.sections import Plot, Table, Tag, Texts

ROWS = Rows(texts=["one", "two", "three", "four"], where=["f, row 1", "f, row 2", "f, row 3", "f, row 4"])


def labeled() -> LabelOutcomes:
    """Truth a a b b; predicted a b b a, of which the last is the mistake with the highest confidence."""
    second = np.array([0.32, 0.62, 0.8, 0.1])
    return LabelOutcomes(
        labels=("a", "b"), truth=np.array([0, 0, 1, 1]), probabilities=np.c_[1 - second, second]
    )


def worst(rows: Rows) -> Texts:
    section = label_sections.worst_mistakes(labeled(), rows)
    assert isinstance(section, Texts)
    return section


def test_every_section_has_an_id_of_its_own() -> None:
    made = [section for make in LABEL_SECTIONS if (section := make(labeled(), ROWS))]
    assert [section.id for section in made] == ["confusion", "labels", "reliable", "spread", "worst"]


def test_calibration_is_shown_where_it_changed_the_answers() -> None:
    """Before it, each answer is as right or wrong, at 0.9: gaps of 0.1, 0.9, 0.1 and 0.9."""
    second = np.array([0.1, 0.9, 0.9, 0.1])
    before = LabelOutcomes(
        labels=("a", "b"), truth=np.array([0, 0, 1, 1]), probabilities=np.c_[1 - second, second]
    )
    assert label_sections.calibration_table(labeled(), ROWS) is None
    assert label_sections.calibration_table(before, replace(ROWS, before=before)) is None
    table = label_sections.calibration_table(labeled(), replace(ROWS, before=before))
    assert isinstance(table, Table)
    first, second_row = table.rows
    assert str(first[1]).startswith("50.0% (")
    assert str(second_row[1]).startswith("51.0% (")  # 0.32, 0.62, 0.2 and 0.9
    assert str(first[2]).startswith("1.204")  # half of -ln 0.9 and -ln 0.1 each
    plot = label_sections.reliability_diagram(labeled(), replace(ROWS, before=before))
    assert isinstance(plot, Plot)
    assert [series.name for series in plot.panels[0].series] == ["", "this run", "before calibration"]


def test_the_surest_answers_have_the_errors_that_they_have() -> None:
    """Of 100 answers the 40 at 0.9 are right, and half of those at 0.6 are wrong."""
    sure = np.repeat([0.9, 0.6], [40, 60])
    outcomes = LabelOutcomes(
        labels=("a", "b"),
        truth=np.where(np.arange(100) < 40, 0, np.arange(100) % 2),
        probabilities=np.c_[sure, 1 - sure],
    )
    plot = label_sections.risk_and_coverage(outcomes, Rows())
    assert isinstance(plot, Plot)
    (line,) = plot.panels[0].series
    at = dict(zip(np.round(line.x, 2).tolist(), line.y, strict=True))
    assert (at[0.2], at[1.0]) == (0, 0.3)
    assert "of the surest 50% 10.0%" in plot.words


def test_the_confusion_matrix_and_each_label_hold_numbers() -> None:
    confusion = label_sections.confusion(labeled(), ROWS)
    assert isinstance(confusion, Table)
    assert confusion.rows == (("a", 1, 1), ("b", 1, 1))
    assert [column.name for column in confusion.columns][1:] == ["a", "b"]
    each = label_sections.each_label(labeled(), ROWS)
    assert isinstance(each, Table)
    assert each.rows == (("a", 0.5, 0.5, 0.5, 2), ("b", 0.5, 0.5, 0.5, 2))


def test_the_mistakes_stand_by_their_confidence() -> None:
    section = worst(ROWS)
    assert section.note.startswith("2 of 4 texts are wrong.")
    assert [(example.text, example.where) for example in section.examples] == [
        ("four", "f, row 4"),
        ("two", "f, row 2"),
    ]
    assert section.examples[0].tags == (
        Tag(text="true: b", good=True),
        Tag(text="predicted: a, confidence 90.0%", good=False),
    )


def test_the_plots_hold_what_they_draw() -> None:
    reliability = label_sections.reliability_diagram(labeled(), ROWS)
    assert isinstance(reliability, Plot)
    assert sum(reliability.panels[1].series[0].y) == 4
    spread = label_sections.probabilities(labeled(), ROWS)
    assert isinstance(spread, Plot)
    # The probability of "b" among the rows that truly are "a": 0.32 and 0.62.
    assert [bin_ for bin_, count in enumerate(spread.panels[0].series[0].y) if count] == [6, 12]


def test_without_texts_no_mistakes_are_held() -> None:
    assert label_sections.worst_mistakes(labeled(), Rows()) is None


def test_long_texts_are_cut_visibly() -> None:
    section = worst(Rows(texts=["x" * 1000] * 4))
    assert section.examples[0].text == "x" * 600 + " …"


def test_a_lone_surrogate_does_not_stop_the_report_from_being_written() -> None:
    assert worst(Rows(texts=["\ud800 text"] * 4)).examples[0].text == "? text"


def test_labels_with_few_texts_are_warned_of() -> None:
    assert len(label_sections.label_limits(labeled())) == 2
    assert "Only 12 of the texts it was measured on are good" in label_tables.few_texts([("good", 12)])[0]
    assert label_tables.few_texts([("good", 50)]) == ()
