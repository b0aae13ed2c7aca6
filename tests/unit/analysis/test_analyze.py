"""Analyses of files: the answer, the tables behind it, and files that give little."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet
from typer.testing import CliRunner

from nlpkit.analysis.analyze import Analysis, analyze
from nlpkit.analysis.check import check
from nlpkit.cli.app import app
from nlpkit.errors import ConfigError, DataError
from tests.conftest import sentences

TODAY = date(2026, 11, 29)
LABELS = ("negative", "neutral", "positive")


def scored(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """Write a file as `nlpkit score` does: each row names its label, which has a probability of 0.8 or so."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        extra = [name for name in rows[0] if name not in ("text", "label")]
        writer = csv.writer(stream)
        writer.writerow(("text", *extra, "label", *(f"p_{label}" for label in LABELS)))
        for number, row in enumerate(rows):
            chance = 0.7 + number % 20 / 100
            chances = [chance if label == row["label"] else (1 - chance) / 2 for label in LABELS]
            text = row.get("text", f"row {number} is about thing {number * number} and {number**3}")
            writer.writerow((text, *(row[name] for name in extra), row["label"], *chances))
    return path


def week_of(number: int) -> str:
    """Return the Monday of a week of 2026."""
    return date.fromisocalendar(2026, number, 1).isoformat()


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file of 12 weeks: 20% negative texts, and of the kettle 60% from week 7 on."""
    rows = []
    for week in range(1, 13):
        for number in range(100):
            kettle = number % 2 == 0
            share = 60 if kettle and week >= 7 else 20
            negative = (number * 37 + week * 11) % 100 < share
            rows.append(
                {
                    "product": "kettle" if kettle else "lamp",
                    "date": week_of(week),
                    "label": "negative" if negative else "positive",
                }
            )
    return scored(tmp_path_factory.mktemp("planted") / "reviews.csv", rows)


@pytest.fixture(scope="module")
def found(planted: Path, tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    output = tmp_path_factory.mktemp("found") / "report.html"
    return analyze(
        planted, output, by=["product"], time="date", every="week", unit="reviews", today=TODAY
    )  # fmt: skip


def table(analysis: Analysis, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = parquet.read_table(analysis.tables / f"{name}.parquet").to_pylist()
    return rows


def test_the_first_sentence_is_the_answer(found: Analysis, planted: Path) -> None:
    """Counted by hand: 20% of 12 weeks, and of half the texts 60% in 6 of them, are 30% of 1,200."""
    with planted.open(encoding="utf-8") as stream:
        negative = sum(row["label"] == "negative" for row in csv.DictReader(stream))
    share = f"{negative / 12:.0f}%"
    first = found.sentences[0]
    assert first.startswith(f"{share} of 1,200 reviews are negative (")
    assert "most in kettle" in first
    assert "since 2026-W07 it rose by" in first
    assert "as counted" in first


def test_each_figure_leads_to_its_rows(found: Analysis, planted: Path) -> None:
    rows = table(found, "rows")
    assert len(rows) == 1200
    assert rows[0] == {
        "file": str(planted),
        "row": 1,
        "label": rows[0]["label"],
        "period": "2026-W01",
        "product": "kettle",
    }
    for share in table(found, "shares"):
        inside = [
            row
            for row in rows
            if share["product"] in ("", row["product"]) and share["period"] in ("", row["period"])
        ]
        assert share["texts"] == len(inside)
        assert share["given"] == sum(row["label"] == share["label"] for row in inside)
        assert share["low"] <= share["share"] <= share["high"]


def test_the_change_and_the_difference_are_found_and_no_other(found: Analysis) -> None:
    changes = table(found, "changes")
    assert {(row["product"], row["label"], row["since"]) for row in changes} == {
        ("", "negative", "2026-W07"),
        ("", "positive", "2026-W07"),
        ("kettle", "negative", "2026-W07"),
        ("kettle", "positive", "2026-W07"),
    }
    kettle = next(row for row in changes if row["product"] == "kettle" and row["label"] == "negative")
    assert kettle["low"] < 0.4 < kettle["high"]
    assert kettle["texts"] == 600
    shown = {(row["product"], row["label"]) for row in table(found, "differences") if row["is_shown"]}
    assert shown == {(product, label) for product in ("kettle", "lamp") for label in ("negative", "positive")}


def test_the_page_is_self_contained_and_says_how_it_was_made(found: Analysis) -> None:
    page = found.page.read_text(encoding="utf-8")
    assert "<script" not in page
    assert 'src="http' not in page
    assert len(page) < 3_000_000
    for part in ("Analysis", "Changes over time", "Differences between groups", "Methods, to paste"):
        assert part in page
    assert "the run that scored the file is not named" in page
    report = json.loads((found.tables / "report.json").read_text(encoding="utf-8"))
    assert report["method"].rsplit("Hash: ", 1)[1] in page


def test_texts_are_scored_once_and_shares_corrected(toy_run: Path, tmp_path: Path) -> None:
    rows = sentences(120)
    source = tmp_path / "texts.csv"
    with source.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("text", "label", "shop"))
        writer.writerows(
            (text, "mine", "north" if number % 2 else "south") for number, (text, _) in enumerate(rows)
        )
    output = tmp_path / "report.html"
    first = analyze(source, output, toy_run, by=["shop"], today=TODAY)
    made = (first.tables / "scored.parquet").stat().st_mtime_ns
    assert "nlpkit_label" in parquet.read_schema(first.tables / "scored.parquet").names  # its own label stays
    again = analyze(source, output, toy_run, by=["shop"], today=TODAY)
    assert (again.tables / "scored.parquet").stat().st_mtime_ns == made
    assert again.report.sections == first.report.sections
    shares = next(section for section in first.report.sections if section.id == "shares")
    assert "corrected for the classifier's mistakes by 48 labeled rows" in shares.note
    assert any(
        example.marks for section in first.report.sections for example in getattr(section, "examples", ())
    )


def test_texts_to_read_are_unlike_one_another_and_masked(tmp_path: Path) -> None:
    rows = [
        {"text": f"write to ann{number}@example.org about the kettle please", "label": "negative"}
        for number in range(40)
    ]
    rows += [
        {"text": f"thing {n} was {n * n} times nicer than {n**3}", "label": "positive"} for n in range(40)
    ]
    made = analyze(scored(tmp_path / "a.csv", rows), tmp_path / "report.html", mask=True, today=TODAY)
    shown = table(made, "to_read")
    negative = [row["text"] for row in shown if row["label"] == "negative"]
    assert negative == ["write to [e-mail] about the kettle please"]
    texts = [row["text"] for row in shown]
    assert len(set(texts)) == len(texts)
    assert "@example.org" not in made.page.read_text(encoding="utf-8")


def rows_with(count: int, value: Callable[[int], str], name: str = "product") -> list[dict[str, Any]]:
    return [{name: value(number), "label": LABELS[0] if number % 3 else LABELS[2]} for number in range(count)]


def test_columns_that_make_no_groups_are_named(tmp_path: Path) -> None:
    empty = scored(tmp_path / "empty.csv", rows_with(30, lambda number: ""))
    made = analyze(empty, tmp_path / "empty.html", by=["product"], today=TODAY)
    assert made.notes == ("product: empty in all 30 rows, so that it makes no groups.",)
    one = scored(tmp_path / "one.csv", rows_with(30, lambda number: "kettle"))
    made = analyze(one, tmp_path / "one.html", by=["product"], today=TODAY)
    assert "kettle in all 30 rows, so that there is nothing to compare" in made.notes[0]
    many = scored(tmp_path / "many.csv", rows_with(3000, lambda number: str(number % 100 or number)))
    made = analyze(many, tmp_path / "many.html", by=["product"], today=TODAY)
    assert "product: 129 different values; 50 of them (the 50 largest)" in made.notes[0]


def test_a_group_of_the_name_of_a_column_of_the_tables_stays_apart(tmp_path: Path) -> None:
    path = scored(tmp_path / "a.csv", rows_with(40, lambda number: "ab"[number % 2], "period"))
    made = analyze(path, tmp_path / "report.html", by=["period"], time=None, today=TODAY)
    assert {row["period_"] for row in table(made, "shares")} == {"", "a", "b"}
    assert {row["period"] for row in table(made, "shares")} == {""}


def test_texts_without_a_label_are_said_where_shares_do_not_sum_to_one(tmp_path: Path) -> None:
    rows = [{"label": label} for label in ["positive", "negative", "", "Positive"] * 10]
    made = analyze(scored(tmp_path / "a.csv", rows), tmp_path / "report.html", today=TODAY)
    (note,) = made.notes
    assert note == "20 of 40 texts have none of the labels in the column 'label': the shares sum to 50.0%."
    assert sum(float(row["share"]) for row in table(made, "shares")) == 0.5


def test_the_hint_for_too_many_periods_names_one_that_works(tmp_path: Path) -> None:
    rows = rows_with(1_056, lambda number: f"{1850 + number // 12}-{number % 12 + 1:02d}-01", "date")
    path = scored(tmp_path / "a.csv", rows)
    with pytest.raises(ConfigError, match=r"--every month: 1,056 periods .*hint: --every year"):
        analyze(path, tmp_path / "report.html", time="date", every="month", today=TODAY)
    made = analyze(path, tmp_path / "report.html", time="date", every="year", today=TODAY)
    assert made.notes == ()


def test_dates_are_counted_and_never_dropped_silently(tmp_path: Path) -> None:
    dates = ["2026-11-01", "02/11/2026", "15/11/2026", "", "soon", "2027-01-01", "2026-11-03T23:30:00-08:00"]
    path = scored(tmp_path / "dated.csv", rows_with(70, lambda number: dates[number % 7], "date"))
    made = analyze(path, tmp_path / "report.html", time="date", today=TODAY)
    notes = " ".join(made.notes)
    assert "10 rows without a date" in notes
    assert "10 dates after 2026-11-29" in notes
    assert "10 values not read as a date, such as 'soon'" in notes
    assert "read with the day first" in notes
    assert "10 dates with a time zone" in notes
    assert "None is tested for" in notes
    periods = {row["period"] for row in table(made, "shares")}
    assert periods == {"", "2026-11-01", "2026-11-02", "2026-11-03", "2026-11-15"}


def test_twelve_rows_of_one_label_are_enough_and_nine_are_not(tmp_path: Path) -> None:
    rows = [{"label": "positive", "date": "2026-11-01"} for _ in range(12)]
    made = analyze(scored(tmp_path / "a.csv", rows), tmp_path / "report.html", time="date", today=TODAY)
    assert made.sentences[0].startswith("0% of 12 texts are negative (0% to 19%, as counted)")
    with pytest.raises(DataError, match=r"9 texts; expected at least 10"):
        analyze(scored(tmp_path / "b.csv", rows[:9]), tmp_path / "other.html", today=TODAY)


def test_options_that_do_not_go_together_are_refused(planted: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    with pytest.raises(ConfigError, match=r"--every week: of which dates\? hint: add --time"):
        analyze(planted, page, every="week")
    with pytest.raises(ConfigError, match=r"--date-order day: of which dates\? hint: add --time"):
        analyze(planted, page, date_order="day")
    with pytest.raises(ConfigError, match=r"--about negativ: .*did you mean 'negative'"):
        analyze(planted, page, about="negativ")
    with pytest.raises(ConfigError, match=r"expected a name that ends in .html"):
        analyze(planted, tmp_path / "report.csv")
    with pytest.raises(DataError, match=r"no column 'produkt'.*product"):
        analyze(planted, page, by=["produkt"])
    with pytest.raises(ConfigError, match=r"--held-out: of which run\?"):
        analyze(planted, page, held_out=planted)
    page.write_text("mine")
    with pytest.raises(ConfigError, match=r"exists already; hint: replace it with --overwrite"):
        analyze(planted, page, tables=tmp_path / "none")


def test_the_command_prints_the_answer(planted: Path, tmp_path: Path) -> None:
    asked = [
        "analyze",
        str(planted),
        "-o",
        str(tmp_path / "report.html"),
        "--by",
        "product",
        "--time",
        "date",
    ]
    result = CliRunner().invoke(app, [*asked, "--unit", "reviews"])
    assert result.exit_code == 0, result.output
    assert "of 1,200 reviews are negative" in result.stdout
    assert "report.tables" in result.stderr
    shown = json.loads(CliRunner().invoke(app, [*asked, "--json"]).stdout)
    assert shown["page"] == str(tmp_path / "report.html")


def test_a_check_says_what_the_page_will_hold_and_writes_nothing(tmp_path: Path) -> None:
    """In 90 rows, north and south have 40 each, west has 2 and 8 are empty; 9 dates are missing, and the 81
    others fall into 27 days.
    """
    dates = ["", *(f"2026-11-{day:02}" for day in range(1, 28))]
    places = ["north"] * 40 + ["south"] * 40 + ["west"] * 2 + [""] * 8
    rows = [
        {
            "place": place,
            "date": dates[0] if number % 10 == 0 else dates[1 + number % 27],
            "label": "positive",
        }
        for number, place in enumerate(places)
    ]
    path = scored(tmp_path / "a.csv", rows)
    found = check(path, by=("place",), time="date", every="week", today=TODAY)
    assert found.scoring is None
    assert (found.rows, found.labels) == (90, LABELS)
    assert found.groups == {"place": {"north": 40, "south": 40}}
    assert found.empty == {"place": 8}
    assert (found.every, found.first, found.last) == ("week", "2026-11-01", "2026-11-27")
    assert sum(found.periods.values()) == 81
    assert list(found.periods) == ["2026-W44", "2026-W45", "2026-W46", "2026-W47", "2026-W48"]
    assert any("9 rows without a date" in note for note in found.notes)
    asked = ["analyze", str(path), "--check", "--by", "place", "--time", "date", "--every", "week"]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 0, result.output
    shown = " ".join(result.stdout.split())
    assert "rows 90; they hold answers, so that nothing is scored" in shown
    assert "place 2 groups with shares of their own, of 40 to 40 texts; 8 rows are empty" in shown
    assert "periods (week) 4 of 5 have 10 texts or more; too few to test for changes" in shown
    assert json.loads(CliRunner().invoke(app, [*asked, "--json"]).stdout)["groups"] == found.groups
    assert [each.name for each in tmp_path.iterdir()] == ["a.csv"]
    with pytest.raises(ConfigError, match=r"--about negativ: .*did you mean 'negative'"):
        check(path, about="negativ")


def test_a_check_of_texts_says_what_scoring_takes(toy_run: Path, tmp_path: Path) -> None:
    source = tmp_path / "texts.csv"
    with source.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("text", "shop"), *((text, "north") for text, _ in sentences(60))])
    found = check(source, toy_run, by=("shop",), today=TODAY)
    assert found.scoring is not None
    assert (found.scoring.rows, found.rows) == (60, 60)
    assert found.labels
    assert found.notes == ("shop: north in all 60 rows, so that there is nothing to compare.",)
    assert [each.name for each in tmp_path.iterdir()] == ["texts.csv"]
    with pytest.raises(ConfigError, match="expected a run that finds opinions"):
        check(source, toy_run, aspects=toy_run)


def test_a_folder_of_files_with_several_labels_a_text(tmp_path: Path) -> None:
    """Of 40 texts 30 have anger and 20 joy: each label stands alone."""
    folder = tmp_path / "scored"
    folder.mkdir()
    for name in ("a", "b"):
        with (folder / f"{name}.jsonl").open("w", encoding="utf-8") as stream:
            for number in range(20):
                labels = [label for label, at in (("anger", 15), ("joy", 10)) if (number * 7) % 20 < at]
                row = {
                    "text": f"row {number} of {name}, {number**3}",
                    "shop": name,
                    "labels": ", ".join(labels),
                    "p_anger": 0.9 if "anger" in labels else 0.1,
                    "p_joy": 0.8 if "joy" in labels else 0.2,
                }
                stream.write(json.dumps(row) + "\n")
    made = analyze(folder, tmp_path / "report.html", by=["shop"], about="joy", today=TODAY)
    assert made.sentences[0].startswith("50% of 40 texts are joy (")
    whole = {row["label"]: row["given"] for row in table(made, "shares") if not row["shop"]}
    assert whole == {"anger": 30, "joy": 20}
    rows = table(made, "rows")
    assert [rows[0]["file"], rows[-1]["file"]] == [str(folder / "a.jsonl"), str(folder / "b.jsonl")]
    assert rows[0]["labels"] == "anger, joy"
