"""One text a line, with or without its label."""

from __future__ import annotations

from pathlib import Path

import pytest

from nlpkit.data.records import BadRow, count_rows, read_records
from nlpkit.errors import DataError

LINES = {
    "fasttext": (
        "__label__positive a lovely film, @all\n\n__label__negative dull\n",
        ["positive", "negative"],
    ),
    "text-at-label": ("a lovely film, @all@positive\n\ndull@ negative\n", ["positive", "negative"]),
    "label-text": ("positive\ta lovely film, @all\n\nnegative dull\n", ["positive", "negative"]),
    "lines": ("a lovely film, @all\n\ndull\n", [None, None]),
}


@pytest.mark.parametrize("format", LINES)
def test_r2_lines_are_read_by_their_format(tmp_path: Path, format: str) -> None:
    text, labels = LINES[format]
    path = tmp_path / "a.txt"
    path.write_text(text)
    records = list(read_records(path, format=format))
    assert [record.fields["text"] for record in records] == ["a lovely film, @all", "dull"]
    assert [record.fields.get("label") for record in records] == labels
    assert [record.row for record in records] == [1, 3]
    assert count_rows(path, format=format) == 3  # estimated by line ends


@pytest.mark.parametrize(
    ("format", "line", "reason"),
    [
        ("fasttext", "dull", "no label; expected __label__NAME"),
        ("fasttext", "__label__a __label__b dull", "several labels"),
        ("text-at-label", "dull", "no label; expected TEXT@LABEL"),
        ("text-at-label", "dull@ ", "no label"),
        ("label-text", "dull", "no label; expected LABEL, a tab or a space"),
        ("lines", "du\0ll", "NUL"),
    ],
)
def test_r2_a_line_without_one_label_is_a_bad_row(
    tmp_path: Path, format: str, line: str, reason: str
) -> None:
    path = tmp_path / "a.txt"
    path.write_text(f"{LINES[format][0]}{line}\n")
    bad: list[BadRow] = []
    assert len(list(read_records(path, format=format, on_bad=bad.append))) == 2
    assert [(row.row, row.raw) for row in bad] == [(4, line.replace("\0", "\0"))]
    assert reason in bad[0].reason


@pytest.mark.parametrize("format", LINES)
def test_r2_the_format_that_a_first_line_seems_to_be_of_is_proposed(tmp_path: Path, format: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text(LINES[format][0])
    with pytest.raises(DataError, match=rf"hint: say it, as with --format {format}$"):
        read_records(path)


def test_aste_data_is_known_by_its_first_line(tmp_path: Path) -> None:
    path = tmp_path / "train_triplets.txt"
    path.write_text("The pizza is great####[([1], [3], 'POS')]\n\nFine .####[]\nNo triplets\n")
    bad: list[BadRow] = []
    first, second = read_records(path, on_bad=bad.append)
    assert first.fields == {"text": "The pizza is great", "triplets": [([1], [3], "positive")]}
    assert second.fields["triplets"] == []
    assert [(row.row, row.reason) for row in bad] == [
        (4, "no triplets; expected TEXT####[([1], [3], 'POS'), ...]")
    ]
