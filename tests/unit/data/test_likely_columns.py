"""Columns that are not found, and files without a header: what the message proposes."""

from __future__ import annotations

from pathlib import Path

import pytest

from nlpkit.data.records import read_records
from nlpkit.errors import DataError

ROLES = {"text": "text", "label": "label"}


def refusal(path: Path, data: str, columns: dict[str, str]) -> str:
    path.write_text(data)
    with pytest.raises(DataError) as refused:
        list(read_records(path, columns=columns))
    return str(refused.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    ("name", "data", "columns", "message"),
    [
        (
            "a.csv",
            "Ticket,Customer comment\nT-100,The parcel never came\nT-101,Great help\n",
            {"text": "text"},
            "no column 'text'; known: Ticket, Customer comment; "
            "hint: --text 'Customer comment' (in a config, text: \"Customer comment\")",
        ),
        (  # no name says it: the longest values are the text, the fewest different ones the label
            "a.csv",
            "nr,was,urteil\n1,Sehr gut,gut\n2,Sehr schlecht,mies\n3,Ganz gut,gut\n4,So so,mies\n",
            ROLES,
            "no column 'text'; known: nr, was, urteil; hint: --text was (in a config, text: \"was\")",
        ),
        (
            "a.csv",
            "nr,was,urteil\n1,Sehr gut,gut\n2,Sehr schlecht,mies\n3,Ganz gut,gut\n4,So so,mies\n",
            {"was": "text", "label": "label"},
            "no column 'label'; known: nr, was, urteil; "
            'hint: --label urteil (in a config, label: "urteil")',
        ),
        (  # the label's values are longer than the texts, and its column is there
            "a.csv",
            "wort,label\ngut,positive\nmies,negative\n",
            ROLES,
            "no column 'text'; known: wort, label; hint: --text wort (in a config, text: \"wort\")",
        ),
        (
            "a.jsonl",
            '{"id": 1, "reviewBody": "good"}\n',
            {"text": "text"},
            "no column 'text'; known: id, reviewBody; "
            'hint: --text reviewBody (in a config, text: "reviewBody")',
        ),
        (
            "a.csv",
            "id,txet\n1,a\n",
            {"text": "text"},
            "no column 'text'; did you mean 'txet'; hint: --text txet (in a config, text: \"txet\")",
        ),
        (
            "a.json",
            '[{"text": "good", "stars": 5}, {"text": "bad", "stars": 1}]',
            ROLES,
            "no column 'label'; known: text, stars; hint: --label stars (in a config, label: \"stars\")",
        ),
        (
            "a.csv",
            "id,text\n1,a\n2,b\n",
            ROLES,
            "no column 'label'; known: id, text; hint: name it with --label (in a config, label:)",
        ),
    ],
)
def test_r5_the_likely_column_is_proposed_with_its_option(
    tmp_path: Path, name: str, data: str, columns: dict[str, str], message: str
) -> None:
    assert refusal(tmp_path / name, data, columns) == message


@pytest.mark.parametrize(
    ("data", "columns"),
    [
        ('4,"I love it"\n0,"I hate it"\n4,"So good"\n', {"I love it": "text", "4": "label"}),
        ('4,"I love it"\n0,"I hate it"\n4,"So good"\n', ROLES),
        ("pos,I love it\nneg,I hate it\npos,So good\n", ROLES),
        ("4.5,I love it\n1,I hate it\n1,So bad\n1,So dull\n", ROLES),
    ],
)
def test_s8_a_first_row_that_looks_like_data_is_refused_with_the_options(
    tmp_path: Path, data: str, columns: dict[str, str]
) -> None:
    message = refusal(tmp_path / "a.csv", data, columns)
    assert message.startswith("the first row looks like data, not like column names: ")
    assert "; hint: --format csv-no-header --text 2 --label 1 (in a config, " in message


@pytest.mark.parametrize(
    "data",
    [
        "text,2019\na,1\nb,2019\n",  # a usual name
        "ort,2019,2020\na,1,5\nb,2,6\n",  # years
        "0,1\na,x\nb,y\n",  # numbers of columns
        "ort,wie\nort,wie\na,b\n",  # a header that stands there twice
    ],
)
def test_s8_a_header_is_no_data(tmp_path: Path, data: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(data)
    first = data.split(",")[0]
    assert list(read_records(path, columns={first: "text"}))
