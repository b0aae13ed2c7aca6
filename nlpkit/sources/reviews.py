"""Labeled texts: film reviews and tweets, with damaged characters repaired."""

from __future__ import annotations

import csv
import html
import re
from collections.abc import Iterator
from pathlib import Path

from nlpkit.sources.columns import write
from nlpkit.sources.mojibake import repair

_BREAK = re.compile(r"\s*<br\s*/?>\s*", re.IGNORECASE)
_FIELD_LIMIT = 1 << 20


def movie_reviews(raw: list[Path], folder: Path) -> None:
    """Make one file for each site, with `text` and `label` (negative, positive)."""
    import ftfy
    import pyarrow as pa

    # Curly quotes and letters of other widths are the author's; only damage is repaired.
    config = ftfy.TextFixerConfig(
        uncurl_quotes=False,
        fix_latin_ligatures=False,
        fix_character_width=False,
        unescape_html=False,
        explain=False,
    )
    names = {"0": "negative", "1": "positive"}
    rows: dict[str, list[tuple[str, str]]] = {"imdb": [], "rotten_tomatoes": []}
    for row in _rows(raw[0], "utf-8"):
        text = ftfy.fix_text(html.unescape(_lines(row["text"])), config).strip()
        rows[row["source"]].append((text, names[row["label"]]))
    for source, pairs in rows.items():
        texts, labels = zip(*pairs, strict=True)
        write(folder / f"{source}.parquet", {"text": (pa.string(), texts), "label": (pa.string(), labels)})


def _lines(text: str) -> str:
    """Replace a run of `<br />` by one newline, or two where a paragraph ends."""
    return re.sub(r"\n{3,}", "\n\n", _BREAK.sub("\n", text))


def tweets(raw: list[Path], folder: Path) -> None:
    """Make one file with `text`, `label` (negative, neutral, positive) and the annotators' `confidence`.

    The confidence is null where it is not known.
    """
    import pyarrow as pa

    known = {"negative", "neutral", "positive"}
    texts: list[str] = []
    labels: list[str] = []
    confidence: list[float | None] = []
    for row in _rows(raw[0], "mac_roman"):
        if row["sentiment"] not in known:
            raise ValueError(f"label {row['sentiment']!r}, expected one of {sorted(known)}")
        texts.append(html.unescape(repair(row["text"])).strip())
        labels.append(row["sentiment"])
        confidence.append(float(row["confidence"]) if row["confidence"] else None)
    write(
        folder / "tweets.parquet",
        {
            "text": (pa.string(), texts),
            "label": (pa.string(), labels),
            "confidence": (pa.float64(), confidence),
        },
    )


def _rows(path: Path, encoding: str) -> Iterator[dict[str, str]]:
    limit = csv.field_size_limit(_FIELD_LIMIT)
    try:
        with path.open(encoding=encoding, newline="") as file:
            yield from csv.DictReader(file, strict=True)
    except csv.Error as error:
        raise ValueError(f"{path.name}: {error}") from error
    finally:
        csv.field_size_limit(limit)
