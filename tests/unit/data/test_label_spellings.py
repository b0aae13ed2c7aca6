"""Spellings of one label."""

from __future__ import annotations

import pytest

from nlpkit.data.label_spellings import spellings


@pytest.mark.parametrize(
    ("counts", "mapping"),
    [
        ({"0": 3, "0.0": 2}, {"0.0": "0"}),
        ({"0": 2, "0.0": 3}, {"0": "0.0"}),  # the commonest is kept
        ({"1.0": 1, "1": 1}, {"1.0": "1"}),  # of equally common the shortest
        ({"5": 1, "\uff15": 2, "5e0": 1}, {"5": "\uff15", "5e0": "\uff15"}),
        ({"positive": 5, "Positive": 4, "POSITIVE": 1}, {"Positive": "positive", "POSITIVE": "positive"}),
        (
            {"very good": 2, "very  good": 1, "Very_Good": 1},
            {"very  good": "very good", "Very_Good": "very good"},
        ),
        ({"1": 1, "-1": 1, "10": 1, "1.5": 1, "nan": 1, "inf": 1}, {}),
        ({":)": 1, ":-)": 1, "a": 1, "b": 1}, {}),
    ],
)
def test_s3_spellings_that_differ_in_form_only_are_found(
    counts: dict[str, int], mapping: dict[str, str]
) -> None:
    assert spellings(counts).mapping == mapping
