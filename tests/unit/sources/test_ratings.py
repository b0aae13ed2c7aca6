from __future__ import annotations

import math
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from nlpkit.sources import ratings

DOMAINS = {
    "tweets": "tweets",
    "movieReviewSnippets": "movies",
    "amazonReviewSnippets": "amazon",
    "nytEditorialSnippets": "editorials",
}
TRUTH = "id\tsentiment\ttext\r\na_1\t0.5\tone &amp; two\r\nb_2\t-1\tcafé "
RATED = "a_1\t0.5\t0.5\t[0, 1]\r\nb_2\t-1\t2\t[-3, 1, -1]"


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The eight files, each with two rows; the counts of known disagreements are set to none."""
    monkeypatch.setattr(ratings, "_KNOWN_DISAGREEMENTS", dict.fromkeys(DOMAINS.values(), 0))
    paths = []
    for stem in DOMAINS:
        for what, content in (("GroundTruth", TRUTH), ("anonDataRatings", RATED)):
            paths.append(tmp_path / f"{stem}_{what}.txt")
            paths[-1].write_bytes(content.encode())
    return paths


def rewrite(raw: list[Path], name: str, content: bytes) -> None:
    next(path for path in raw if path.stem == name).write_bytes(content)


def test_each_text_gets_its_mean_its_spread_and_its_ratings(raw: list[Path], tmp_path: Path) -> None:
    ratings.sentiment_ratings(raw, tmp_path)
    rows = pq.read_table(tmp_path / "movies.parquet").to_pylist()
    assert rows[0] == {
        "text": "one & two",
        "mean": 0.5,
        "spread": 0.5,
        "ratings": [0, 1],
        "domain": "movies",
        "id": "a_1",
    }
    # (-3, 1, -1) has mean -1 and variance (4 + 4 + 0) / 3.
    assert rows[1]["spread"] == pytest.approx(math.sqrt(8 / 3))
    assert rows[1]["text"] == "café"
    assert sorted(path.name for path in tmp_path.glob("*.parquet")) == [
        "amazon.parquet",
        "editorials.parquet",
        "movies.parquet",
        "tweets.parquet",
    ]


def test_rows_are_joined_by_id_and_marks_and_empty_lines_are_passed_over(
    raw: list[Path], tmp_path: Path
) -> None:
    first, second = RATED.encode().split(b"\r\n")
    rewrite(raw, "tweets_anonDataRatings", b"\xef\xbb\xbf" + second + b"\r\n" + first)
    rewrite(raw, "nytEditorialSnippets_anonDataRatings", b"\r\n" + RATED.encode() + b"\r\n")
    ratings.sentiment_ratings(raw, tmp_path)
    for name in ("tweets", "editorials"):
        assert pq.read_table(tmp_path / f"{name}.parquet").column("ratings").to_pylist() == [
            [0, 1],
            [-3, 1, -1],
        ]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("tweets_anonDataRatings", RATED.replace("b_2", "c_3"), "the same ids"),
        ("tweets_GroundTruth", TRUTH.replace("b_2", "a_1"), "the same ids"),
        ("tweets_anonDataRatings", RATED.replace("[0, 1]", "[0, 5]"), "whole numbers from -4 to 4"),
        ("tweets_anonDataRatings", RATED.replace("[0, 1]", "[]"), "whole numbers from -4 to 4"),
        ("tweets_GroundTruth", TRUTH.replace("\t0.5", " 0.5"), "does not have 3 fields"),
        (
            "tweets_GroundTruth",
            TRUTH.replace("0.5", "0.9"),
            "in 1 rows the mean is not that of the ratings, expected 0",
        ),
    ],
)
def test_files_that_are_out_of_step_are_refused(
    raw: list[Path], tmp_path: Path, name: str, content: str, words: str
) -> None:
    rewrite(raw, name, content.encode())
    with pytest.raises(ValueError, match=words):
        ratings.sentiment_ratings(raw, tmp_path)
