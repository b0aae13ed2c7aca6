"""The data check of whatever path it is given."""

from __future__ import annotations

from pathlib import Path

import nlpkit
from tests.conftest import sentences, write_csv


def test_a_path_several_paths_and_examples_are_checked_alike(tmp_path: Path) -> None:
    rows = sentences(30, seed=8)
    whole = write_csv(tmp_path / "whole.csv", rows)
    first, second = write_csv(tmp_path / "a.csv", rows[:10]), write_csv(tmp_path / "b.csv", rows[10:])
    report = nlpkit.check(whole)
    assert report.parts["data"].rows == 30
    assert nlpkit.check(str(whole)) == report
    several = nlpkit.check([first, str(second)])
    assert several.parts == report.parts
    examples = [nlpkit.LabeledText(text=text, label=label) for text, label in rows]
    assert nlpkit.check({"data": examples}, tokens=None, window=None).parts == report.parts


def test_columns_and_held_out_rows_are_named(tmp_path: Path) -> None:
    rows = sentences(30, seed=8)
    data = write_csv(tmp_path / "data.csv", rows, ("body", "stars"))
    test = write_csv(tmp_path / "test.csv", rows[:5], ("body", "stars"))
    report = nlpkit.check(data, text="body", label="stars", test=test)
    assert {name: part.rows for name, part in report.parts.items()} == {"data": 30, "test": 5}
    assert any(finding.part == "data, test" for finding in report.findings)


def test_unreadable_rows_are_findings_of_their_part(tmp_path: Path) -> None:
    broken = tmp_path / "broken.csv"
    broken.write_text("text,label\ngood,positive\nragged\nbad,negative\n")
    report = nlpkit.check(broken)
    finding = report.findings[0]
    assert (report.worst, finding.kind, finding.part, finding.rows) == ("error", "unreadable", "data", 1)
    assert finding.examples[0].where.endswith("broken.csv, row 2")
    assert "row 2" not in finding.examples[0].note


def test_s20_a_row_without_a_label_is_an_error_as_in_training(tmp_path: Path) -> None:
    report = nlpkit.check(write_csv(tmp_path / "a.csv", [*sentences(20, seed=1), ("a film", " ")]))
    (finding,) = [finding for finding in report.findings if finding.kind == "unreadable"]
    assert (finding.severity, finding.message) == ("error", "1 row can't be read")
    assert finding.examples[0].note == "column 'label' holds no label"


def test_r4_unreadable_rows_that_are_to_be_skipped_are_a_warning_and_hide_no_error(tmp_path: Path) -> None:
    rows = "".join(f"a film of the year {n},{label}\n" for n in range(20) for label in ("good", "bad"))
    broken = tmp_path / "broken.csv"
    broken.write_text(f"text,label\n{rows}ragged\n")
    assert nlpkit.check(broken).worst == "error"
    report = nlpkit.check(broken, on_error="skip")
    finding = next(finding for finding in report.findings if finding.kind == "unreadable")
    assert (finding.severity, finding.rows) == ("warning", 1)
    broken.write_text("text,label\ngood,good\nragged\n")  # one label only
    assert nlpkit.check(broken, on_error="skip").worst == "error"


def test_s3_two_spellings_of_a_label_are_an_error_until_they_are_mapped(tmp_path: Path) -> None:
    rows = [("a fine film", "positive"), ("a good film", "positive"), ("a great film", "Positive ")]
    data = write_csv(tmp_path / "data.csv", [*rows, ("a dull film", "negative")])
    finding = nlpkit.check(data).findings[0]
    assert (finding.kind, finding.severity, finding.rows) == ("label spelling", "error", 1)
    assert '`labels: {"Positive": "positive"}`' in finding.hint
    assert '--labels \'{"Positive": "positive"}\'' in finding.hint
    mapped = nlpkit.check(data, labels={"Positive": "positive"})
    assert mapped.parts["data"].labels == {"positive": 3, "negative": 1}
    assert not [found for found in mapped.findings if found.kind == "label spelling"]
