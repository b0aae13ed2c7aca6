from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import httpx2
import pytest

from nlpkit.data.records import read_records
from tests.fakes import FakeBot
from tests.outputs import has_shape, output
from tests.served import live


@pytest.fixture
def nlpkit(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def call(*arguments: str) -> SimpleNamespace:
        from nlpkit.cli.app import main

        monkeypatch.setattr(sys, "argv", ["nlpkit", *arguments])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return SimpleNamespace(exit_code=code, stdout=captured.out, stderr=captured.err)

    return call


@pytest.fixture
def write(toy_csv: Path, tmp_path: Path):
    """Write rows of the toy data, so many of each label."""
    by_label: dict[str, list[str]] = {}
    for record in read_records(toy_csv):
        by_label.setdefault(str(record.fields["label"]), []).append(str(record.fields["text"]))

    def write(name: str, positive: int, negative: int) -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        rows = [
            {"date": f"2026-03-{1 + number % 28:02}", "text": texts[number % len(texts)], "truth": label}
            for label, texts, count in (
                ("positive", by_label["positive"], positive),
                ("negative", by_label["negative"], negative),
            )
            for number in range(count)
        ]
        rows = [rows[(number * 7919) % len(rows)] for number in range(len(rows))]
        with path.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, ["date", "text", "truth"])
            writer.writeheader()
            writer.writerows(rows)
        return path

    return write


def test_a_preview_is_shown_and_writes_nothing(nlpkit, toy_run: Path, write, tmp_path: Path) -> None:
    file = write("rows.csv", 30, 20)
    shown = nlpkit("score", str(toy_run), str(file), "--check", "--price-per-million", "0.15")
    assert "50 (exact)" in shown.stdout
    assert "at $0.15 for a million input tokens" in " ".join(shown.stdout.split())
    looked = json.loads(nlpkit("score", str(toy_run), str(file), "--check", "--json").stdout)
    assert looked["rows"] == 50
    assert looked["seconds"]["low"] <= looked["seconds"]["value"]
    with file.open("a", encoding="utf-8") as stream:
        stream.write("2026-03-01,,positive\n")
    for on_error, then in (
        ("stop", "the job stops at the first; hint: --on-error skip"),
        ("skip", "left out"),
    ):
        shown = nlpkit("score", str(toy_run), str(file), "--check", "--on-error", on_error)
        assert f"1 of 51 rows: {then}" in " ".join(shown.stdout.split())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.csv"]


def test_a_preview_refuses_what_it_cannot_do(nlpkit, toy_run: Path, write, tmp_path: Path) -> None:
    file = str(write("rows.csv", 30, 20))
    assert nlpkit("score", str(toy_run), file, "--check", "--price-per-million", "cheap").exit_code == 2
    assert nlpkit("score", str(toy_run), file, "--check", "--price-per-million", "nan").exit_code == 2
    assert nlpkit("score", str(toy_run), "-", "--check").exit_code == 2
    assert nlpkit("score", str(toy_run), file).exit_code == 2
    assert nlpkit("score", str(toy_run), file, "-o", file, "--check").exit_code == 2


def test_a_stream_is_watched_from_call_to_call(nlpkit, toy_run: Path, write, tmp_path: Path) -> None:
    reference, state = str(write("reference.csv", 150, 150)), str(tmp_path / "watch.json")
    same = ("--against", reference, "--state", state, "--label", "truth", "--json")
    quiet = nlpkit("watch", str(toy_run), str(write("monday.csv", 100, 100)), *same)
    assert quiet.exit_code == 0, quiet.stderr
    assert json.loads(quiet.stdout)["alarms"] == []
    assert "was trained on" in quiet.stderr
    again = nlpkit("watch", str(toy_run), str(tmp_path / "monday.csv"), *same)
    assert json.loads(again.stdout)["new_texts"] == 0
    page, figures = tmp_path / "watch.html", tmp_path / "watch.prom"
    changed = nlpkit("watch", str(toy_run), str(write("tuesday.csv", 10, 390)), *same[:-1], "--time", "date",
                     "-o", str(page), "--metrics", str(figures))  # fmt: skip
    assert changed.exit_code == 6, changed.stderr
    assert "label shift" in changed.stdout
    assert "2026-03-" in changed.stdout
    assert "label shift" in page.read_text()
    assert "nlpkit_watch_texts 600\n" in figures.read_text()


def test_a_state_of_another_reference_or_settings_is_refused(
    nlpkit, toy_run: Path, write, tmp_path: Path
) -> None:
    reference, state = str(write("reference.csv", 150, 150)), str(tmp_path / "watch.json")
    stream = str(write("monday.csv", 20, 20))
    assert nlpkit("watch", str(toy_run), stream, "--against", reference, "--state", state).exit_code == 0
    other = str(write("other.csv", 151, 150))
    refused = nlpkit("watch", str(toy_run), stream, "--against", other, "--state", state)
    assert refused.exit_code == 4
    assert "the earlier calls had another reference" in " ".join(refused.stderr.split())
    rate = nlpkit(
        "watch", str(toy_run), stream, "--against", reference, "--state", state, "--alarm-rate", "0.5"
    )
    assert rate.exit_code == 4
    assert "other settings, alarm_rate 0.01 instead of 0.5:" in " ".join(rate.stderr.split())
    Path(state).write_text("{}")
    damaged = nlpkit("watch", str(toy_run), stream, "--against", reference, "--state", state)
    assert damaged.exit_code == 3


def test_streams_and_references_that_cannot_be_compared_are_refused(
    nlpkit, toy_run: Path, write, tmp_path: Path
) -> None:
    reference = write("reference.csv", 150, 150)
    few, empty = write("few.csv", 60, 60), tmp_path / "empty.csv"
    empty.write_text("text\n")
    for stream, against, code, words in (
        (str(few), str(few), 3, "120 rows; expected at least 200"),
        (str(empty), str(reference), 3, "empty.csv"),
        (str(few), str(tmp_path / "missing.csv"), 3, "no such file"),
        (str(few), "-", 2, "only the stream may be standard input"),
    ):
        refused = nlpkit("watch", str(toy_run), stream, "--against", against)
        assert refused.exit_code == code
        assert words in " ".join(refused.stderr.split())


def test_a_file_that_another_run_scored_is_refused(nlpkit, toy_run: Path, write, tmp_path: Path) -> None:
    reference, scored = write("reference.csv", 150, 150), tmp_path / "scored.csv"
    nlpkit("score", str(toy_run), str(reference), "-o", str(scored))
    stream = str(write("monday.csv", 20, 20))
    rows = [dict(record.fields) for record in read_records(scored)]
    assert nlpkit("watch", str(toy_run), stream, "--against", str(scored)).exit_code == 0
    for row in rows:
        row["p_negative"], row["p_positive"] = row["p_positive"], row["p_negative"]
    with scored.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    refused = nlpkit("watch", str(toy_run), stream, "--against", str(scored))
    assert refused.exit_code == 4
    assert "was scored by another run" in " ".join(refused.stderr.split())


def test_a_server_watches_the_texts_that_it_answers(toy_run: Path, write, tmp_path: Path) -> None:
    from nlpkit.chat.server import create_app
    from nlpkit.watching.served import WatchedClassifier
    from nlpkit.watching.state import Watch

    def begin() -> Watch:
        return Watch.begin(toy_run, against=reference, state=tmp_path / "watch.json", talk=print)

    reference = write("reference.csv", 150, 150)
    negative = [str(record.fields["text"]) for record in read_records(write("negative.csv", 0, 200))]
    watch = begin()
    classifier = WatchedClassifier(watch)
    with live(create_app(FakeBot(), classifier, more_metrics=classifier.metrics)) as url:
        assert "nlpkit_watch_texts 0\n" in httpx2.get(f"{url}/metrics").text
        question = {"state": negative[0], "questions": {"positive": {"type": "noul"}}}
        assert httpx2.post(f"{url}/v1/systemone", json=question).status_code == 200
        for _ in range(2):
            scored = httpx2.post(f"{url}/v1/score", json={"texts": negative}).json()
        page = httpx2.get(f"{url}/metrics").text
    assert [row["label"] for row in scored["results"]] == [
        prediction.label for prediction in watch.classifier.predict(negative)
    ]
    assert "nlpkit_watch_texts 401\n" in page
    assert has_shape(page, output("docs/watch.md", 1)), page
    assert 'nlpkit_watch_alarm{detector="labels"} 1\n' in page
    assert 'nlpkit_watch_evidence_log10{detector="confidence"}' in page
    assert 'nlpkit_requests_total{path="/v1/systemone",status="200"} 1.0' in page
    watch.save()
    assert begin().watcher.as_dict()["alarms"] == watch.watcher.as_dict()["alarms"]


def test_a_server_that_cannot_watch_is_refused(nlpkit) -> None:
    assert nlpkit("serve", "--watch-state", "watch.json").exit_code == 2
    assert nlpkit("serve", "--watch", "spring.csv", "--classifier", "none").exit_code == 2
