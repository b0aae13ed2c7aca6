"""Human ratings of sentiment: mean, standard deviation and all ratings of a text (Hutto & Gilbert, 2014)."""

from __future__ import annotations

import html
import json
import re
import statistics
from dataclasses import dataclass
from pathlib import Path

from nlpkit.sources.columns import write

_DOMAINS = {
    "tweets": "tweets",
    "movieReviewSnippets": "movies",
    "amazonReviewSnippets": "amazon",
    "nytEditorialSnippets": "editorials",
}
# For these rows the published mean is not the mean of the published ratings; more would mean that the files
# do not match row by row.
_KNOWN_DISAGREEMENTS = {"tweets": 199, "movies": 0, "amazon": 0, "editorials": 0}
_LINE = re.compile("\r\n|\n")


@dataclass(frozen=True, kw_only=True)
class _Rated:
    id: str
    text: str
    mean: float
    ratings: list[int]

    @property
    def disagrees(self) -> bool:
        return abs(self.mean - statistics.fmean(self.ratings)) > 1e-3


def sentiment_ratings(raw: list[Path], folder: Path) -> None:
    """Make a file for each domain: `text`, `mean`, `spread`, `ratings` (-4 to 4), `domain` and `id`."""
    paths = {path.stem: path for path in raw}
    for stem, domain in _DOMAINS.items():
        rows = _join(paths[f"{stem}_GroundTruth"], paths[f"{stem}_anonDataRatings"])
        disagreements = sum(row.disagrees for row in rows)
        if disagreements != _KNOWN_DISAGREEMENTS[domain]:
            raise ValueError(
                f"{domain}: in {disagreements} rows the mean is not that of the ratings, "
                f"expected {_KNOWN_DISAGREEMENTS[domain]}"
            )
        _write(rows, domain, folder / f"{domain}.parquet")


def _join(truth: Path, ratings: Path) -> list[_Rated]:
    """Return the texts and their ratings, joined by id: the two files are not always in the same order."""
    by_id = {fields[0]: fields for fields in _fields(ratings, 4)}
    texts = _fields(truth, 3)[1:]
    ids = {fields[0] for fields in texts}
    if ids != set(by_id) or len(ids) != len(texts):
        raise ValueError(
            f"{truth.name} and {ratings.name} do not hold the same ids: {sorted(ids ^ set(by_id))[:3]}"
        )
    return [
        _Rated(
            id=key, text=html.unescape(text).strip(), mean=float(mean), ratings=_numbers(by_id[key][3], key)
        )
        for key, mean, text in texts
    ]


def _fields(path: Path, width: int) -> list[list[str]]:
    # Some of the files begin with a byte order mark or an empty line.
    lines = [line for line in _LINE.split(path.read_bytes().decode("utf-8-sig")) if line.strip()]
    rows = [line.split("\t") for line in lines]
    if odd := [line for line, row in zip(lines, rows, strict=True) if len(row) != width]:
        raise ValueError(f"{path.name}: {odd[0][:60]!r} does not have {width} fields")
    return rows


def _numbers(written: str, key: str) -> list[int]:
    numbers = json.loads(written)
    if not numbers or not all(isinstance(number, int) and -4 <= number <= 4 for number in numbers):
        raise ValueError(f"id {key}: ratings {written[:60]!r}, expected whole numbers from -4 to 4")
    return [int(number) for number in numbers]


def _write(rows: list[_Rated], domain: str, path: Path) -> None:
    import pyarrow as pa

    write(
        path,
        {
            "text": (pa.string(), [row.text for row in rows]),
            "mean": (pa.float64(), [row.mean for row in rows]),
            "spread": (pa.float64(), [statistics.pstdev(row.ratings) for row in rows]),
            "ratings": (pa.list_(pa.int8()), [row.ratings for row in rows]),
            "domain": (pa.string(), [domain] * len(rows)),
            "id": (pa.string(), [row.id for row in rows]),
        },
    )
