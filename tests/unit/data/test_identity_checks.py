"""Labels next to words that name groups: reported where they differ, all comparisons considered."""

from __future__ import annotations

from nlpkit.data.checks import check
from nlpkit.data.examples import LabeledText


def rows(of_women: int, of_men: int) -> list[LabeledText]:
    """40 rows that name women and 40 that name men, so many of each negative; and others."""
    return [
        LabeledText(
            text=f"{who} said {number}", label="negative" if number < negative else "positive", where="a.csv"
        )
        for who, negative in (("she", of_women), ("he", of_men), ("nobody", 20))
        for number in range(40)
    ]


def test_labels_that_differ_with_the_group_are_a_warning() -> None:
    report = check({"data": rows(34, 12)}, tokens=None, window=None, near_duplicates=1.0)
    (finding,) = [finding for finding in report.findings if finding.kind == "labels of groups"]
    assert (finding.severity, finding.rows) == ("warning", 80)
    assert "women: 85% 'negative' of 40 rows, 30% of 40 rows that name others" in finding.message
    assert "data.swaps: true" in finding.hint


def test_labels_that_differ_no_more_than_by_chance_are_none() -> None:
    for counts in ((20, 16), (40, 40)):
        report = check({"data": rows(*counts)}, tokens=None, window=None, near_duplicates=1.0)
        assert not [finding for finding in report.findings if finding.kind == "labels of groups"]
    few = rows(34, 12)[:55]
    report = check({"data": few}, tokens=None, window=None, near_duplicates=1.0)
    assert not [finding for finding in report.findings if finding.kind == "labels of groups"]
