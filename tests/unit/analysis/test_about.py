"""What a file is about, on made files, with an encoder that counts words of known topics."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from pyarrow import parquet
from sklearn.metrics import adjusted_rand_score

from nlpkit.analysis.analyze import Analysis, analyze
from nlpkit.analysis.themes import theme_choice
from nlpkit.errors import ConfigError
from nlpkit.models.encoder import Encoder
from nlpkit.reports.sections import Table

TOPICS = {
    "battery": ("battery", "charge", "power", "drains", "hours"),
    "delivery": ("delivery", "courier", "parcel", "late", "van"),
    "price": ("price", "cheap", "money", "cost", "worth"),
}


class TopicCounter:
    """Stands for an encoder: a text's vector counts the words of each topic, with noise of its own."""

    def features(self, texts: Sequence[str], progress: Callable[[int, int], None], **_: Any) -> Any:
        progress(len(texts), len(texts))
        counts = [
            [sum(word in words for word in text.split()) for words in TOPICS.values()] for text in texts
        ]
        noise = [np.random.default_rng(crc32(text.encode())).normal(scale=0.2, size=20) for text in texts]
        return np.concatenate([counts, noise], axis=1)


def planted(path: Path) -> list[str]:
    """Write 12 weeks of answered texts, and return their topics: from week 7 on, delivery doubles."""
    random = np.random.default_rng(4)
    rows, topics = [], []
    for week in range(1, 13):
        sizes = {"battery": 20, "price": 20, "delivery": 10 if week < 7 else 40}
        for topic, size in sizes.items():
            for number in range(size):
                words = random.choice(TOPICS[topic], 4, replace=False)
                is_negative = number % 10 < (8 if topic == "delivery" else 2)
                rows.append(
                    (" ".join([*words, f"n{len(rows)}"]), week, "negative" if is_negative else "positive")
                )
                topics.append(topic)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("text", "date", "shop", "label", "p_negative", "p_positive"))
        for number, (text, week, label) in enumerate(rows):
            chance = 0.9 if label == "negative" else 0.1
            day = date.fromisocalendar(2026, week, 1).isoformat()
            writer.writerow((text, day, "ab"[number % 2], label, chance, 1 - chance))
    return topics


def analyzed(source: Path, output: Path, themes: int | str) -> Analysis:
    return analyze(
        source, output, by=["shop"], time="date", every="week", themes=themes, words=False,
        today=date(2026, 11, 29),
    )  # fmt: skip


def table(analysis: Analysis, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = parquet.read_table(analysis.tables / f"{name}.parquet").to_pylist()
    return rows


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Analysis, list[str]]:
    folder = tmp_path_factory.mktemp("about")
    topics = planted(folder / "reviews.csv")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Encoder, "load", lambda base: TopicCounter())
        return analyzed(folder / "reviews.csv", folder / "report.html", "auto"), topics


def test_planted_themes_are_found_named_and_given_to_each_row(found: tuple[Analysis, list[str]]) -> None:
    analysis, topics = found
    given = [row["theme"] for row in table(analysis, "theme_rows")]
    assert [row["row"] for row in table(analysis, "theme_rows")] == list(range(1, len(topics) + 1))
    assert adjusted_rand_score(topics, given) > 0.95
    themes = table(analysis, "themes")
    assert len(themes) == 3
    assert all(row["stability"] > 0.8 for row in themes)
    first = {row["terms"].split(", ")[0] for row in themes}
    assert all(len(first & set(words)) == 1 for words in TOPICS.values())


def test_the_shares_of_themes_are_counted(found: tuple[Analysis, list[str]]) -> None:
    analysis, topics = found
    shares = table(analysis, "theme_shares")
    whole = [row for row in shares if not row["period"] and not row["group"]]
    assert sum(row["texts"] for row in whole) == len(topics)
    assert sum(row["share"] for row in whole) == pytest.approx(1)
    assert all(row["low"] <= row["share"] <= row["high"] for row in whole)
    first_week = [row for row in shares if row["period"] == "2026-W01"]
    assert sum(row["texts"] for row in first_week) == 50


def test_the_planted_driver_is_named(found: tuple[Analysis, list[str]]) -> None:
    """Delivery, of which 80% is negative, grows from 20% to 50% of the texts; of the rest 20% is negative:
    (40 * 0.2 + 10 * 0.8) / 50 = 32%, then (40 * 0.2 + 40 * 0.8) / 80 = 50%, all of it from the shares.
    """
    analysis, _ = found
    rows = [
        row
        for row in table(analysis, "drivers")
        if row["by"] == "theme" and row["kind"] in ("change", "halves")
    ]
    rows = [row for row in rows if row["label"] == "negative"]
    whole = {row["effect"]: row for row in rows if row["part"] == "(all)"}
    assert whole["whole"]["value"] == pytest.approx(0.18)
    assert whole["mix"]["value"] == pytest.approx(0.18, abs=0.01)
    assert whole["mix"]["value"] + whole["rate"]["value"] == pytest.approx(whole["whole"]["value"])
    parts = [row for row in rows if row["part"] != "(all)"]
    assert sum(row["value"] for row in parts) == pytest.approx(whole["whole"]["value"])
    strongest = max(parts, key=lambda row: row["value"])
    assert set(strongest["part"].split(", ")) <= set(TOPICS["delivery"])
    assert strongest["effect"] == "mix"
    assert strongest["corrected_p"] < 0.05
    assert any("it is more frequent" in sentence for sentence in analysis.sentences)


def test_the_page_shows_themes_and_drivers(found: tuple[Analysis, list[str]]) -> None:
    analysis, _ = found
    sections = {section.id: section for section in analysis.report.sections}
    assert {"themes", "theme-texts", "themes-time", "drivers-1"} <= set(sections)
    themes = sections["themes"]
    assert isinstance(themes, Table)
    assert themes.rows[-1][0] == "no theme"
    assert "Themes" in analysis.page.read_text(encoding="utf-8")


def test_without_themes_columns_still_drive(tmp_path: Path) -> None:
    planted(tmp_path / "reviews.csv")
    analysis = analyzed(tmp_path / "reviews.csv", tmp_path / "report.html", "none")
    assert {row["by"] for row in table(analysis, "drivers")} == {"shop"}
    assert not (analysis.tables / "themes.csv").exists()


def test_too_few_texts_give_no_themes_and_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Encoder, "load", lambda base: TopicCounter())
    lines = ["text,label,p_negative,p_positive"]
    lines += [f"battery {number},negative,0.9,0.1" for number in range(12)]
    (tmp_path / "few.csv").write_text("\n".join(lines), encoding="utf-8")
    analysis = analyze(tmp_path / "few.csv", tmp_path / "report.html", themes="auto", words=False)
    assert any(note.startswith("No themes: 12 different texts") for note in analysis.notes)


@pytest.mark.parametrize("asked", ["many", "1", "-3", "2.5"])
def test_a_number_of_themes_that_is_none_is_refused(asked: str) -> None:
    with pytest.raises(ConfigError, match="expected auto, none or a whole number"):
        theme_choice(asked)


def test_the_choices_of_themes() -> None:
    assert [theme_choice(each) for each in ("auto", "none", "12", 7)] == ["auto", "none", 12, 7]
