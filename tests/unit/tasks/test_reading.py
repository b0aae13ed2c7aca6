"""Labeled rows that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from nlpkit.errors import DataError
from nlpkit.settings.data import DataSource
from nlpkit.tasks.polarity import Polarity
from nlpkit.tasks.reading import read_examples

TASK = Polarity(labels=("negative", "positive"))
ROWS = "text,label\nfine,positive\n,positive\nragged\nmeh,neutrl\ndull,negative\n"


def source(tmp_path: Path, text: str = ROWS, **settings: object) -> DataSource:
    path = tmp_path / "a.csv"
    path.write_text(text, encoding="latin-1")
    return DataSource.model_validate({"source": str(path), **settings})


def test_r4_all_rows_that_cannot_be_used_are_listed_at_once(tmp_path: Path) -> None:
    given = source(tmp_path)
    with pytest.raises(DataError) as refused:
        read_examples(TASK, [given], seed=1)
    start, end = str(refused.value).split("row 3: ")
    assert start == (f"{given.source}: 3 rows cannot be used; row 2: column 'text': the text is empty; ")
    assert "row 4: column 'label' holds the label 'neutrl'" in end
    assert end.endswith(
        "; hint: correct them, or leave them out with --on-error skip "
        "(in a config, `on_bad: skip` below the source)"
    )


def test_r4_they_are_skipped_and_counted_where_the_source_says_so(tmp_path: Path) -> None:
    reading = read_examples(TASK, [source(tmp_path, on_bad="skip")], seed=1)
    assert [example.text for example in reading.examples] == ["fine", "dull"]
    assert (len(reading.skipped), reading.left_out) == (1, 3)
    assert "3 rows left out; row 2: column 'text': the text is empty; row 3: " in reading.skipped[0]


def test_r4_a_single_bad_row_keeps_its_hint_and_others_are_only_the_first_ten(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a.csv, row 1: column 'text': the text is empty; hint: fill it"):
        read_examples(TASK, [source(tmp_path, "text,label\n,positive\n")], seed=1)
    with pytest.raises(DataError, match=r"12 rows cannot be used; .*row 10: .*; and 2 more; hint:"):
        read_examples(TASK, [source(tmp_path, "text,label\nfine,positive\n" + "x,y\n" * 12)], seed=1)


def test_r4_the_encoding_is_proposed_and_rows_that_are_all_bad_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"does not fit the encoding .*--encoding cp1252"):
        read_examples(TASK, [source(tmp_path, "text,label\nsch\xf6n,positive\nf\xfcr,positive\n")], seed=1)
    with pytest.raises(DataError, match="2 rows cannot be used"):
        read_examples(TASK, [source(tmp_path, "text,label\n,positive\n,negative\n", on_bad="skip")], seed=1)


def test_r4_an_error_of_the_config_is_not_skipped(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="2 cut points"):
        read_examples(TASK, [source(tmp_path, on_bad="skip", bins=[1, 2])], seed=1)
