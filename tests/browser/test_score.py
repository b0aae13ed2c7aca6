"""The tabs for scores and for reports."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from nlpkit.run import Run
from nlpkit.run_record import BaseModelIdentity, RunRecord
from tests.browser.conftest import PHONE, Server, Visit


def open_score(visit: Visit) -> None:
    visit.page.get_by_role("tab", name="Score").click()
    visit.page.wait_for_selector("#upload")


def score(visit: Visit, file: Path) -> None:
    """Choose a file and have it scored."""
    open_score(visit)
    visit.page.set_input_files("#upload input[type=file]", str(file))
    visit.until("#about-file", file.name)
    visit.page.click("#score-file")


def test_a_text_is_scored(visit: Visit) -> None:
    open_score(visit)
    visit.page.fill("#score-text textarea", "a lovely <b>film</b>")
    visit.page.click("#score-button")
    visit.until("#text-answer", "positive")
    assert "score +0.600" in visit.page.locator("#text-answer").inner_text()
    assert visit.page.locator("#text-answer table.bars tr").count() == 2


def test_the_words_of_a_text_show_what_they_add_by_sign_line_and_color(browser: Any, server: Server) -> None:
    context = browser.new_context(**PHONE)
    phone = Visit(context.new_page(), server).open()
    open_score(phone)
    phone.page.fill("#score-text textarea", f"a lovely, lovely film <b>but</b> awful {'long' * 60}")
    phone.page.click("#score-button")
    phone.until("#text-answer", "rests on")
    marks = phone.page.locator("#text-answer .words mark")
    assert marks.all_inner_texts() == ["lovely +1.00", "<b>but</b> not read", "awful \u22120.50"]
    lines = {}
    for scheme in ("light", "dark"):
        phone.page.evaluate("dark => document.body.classList.toggle('dark', dark)", scheme == "dark")
        phone.page.wait_for_timeout(400)  # colors change slowly
        lines[scheme] = marks.evaluate_all(
            "marks => marks.map(mark => getComputedStyle(mark)).map(style => "
            "[style.borderBottomStyle, style.borderBottomColor, style.backgroundColor])"
        )
    assert [[line[0] for line in each] for each in lines.values()] == [["solid", "solid", "dashed"]] * 2
    assert all(light[1] != dark[1] for light, dark in zip(lines["light"], lines["dark"], strict=True))
    assert phone.page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()


def test_a_file_is_scored_drawn_and_given_back(visit: Visit, tmp_path: Path) -> None:
    rows = [
        ["text", "note"],
        ["a lovely film", "=HYPERLINK(1)"],
        ["an awful film", "+1"],
        ["a bad film", "@SUM(A1)"],
        ["good <script>alert(1)</script>", "ok"],
    ]
    file = tmp_path / "films.csv"
    with file.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(rows)
    open_score(visit)
    visit.page.set_input_files("#upload input[type=file]", str(file))
    visit.until("#about-file", "columns: text, note")
    visit.page.click("#score-file")
    visit.until("#file-answer", "4 rows scored")
    assert visit.page.locator("#file-answer svg.histogram").is_visible()
    visit.page.wait_for_selector("#score-stop", state="hidden")
    assert [one.split() for one in visit.page.locator("#file-answer table.bars tr").all_inner_texts()] == [
        ["negative", "(50%)", "2"],
        ["positive", "(50%)", "2"],
    ]
    assert visit.page.locator("#column input").input_value() == "text"
    assert visit.page.locator("#file-answer").get_by_text("Most negative").count() == 1
    assert visit.page.locator("#file-answer script").count() == 0
    with visit.page.expect_download() as download:
        visit.page.click("#download")
    assert download.value.suggested_filename == "films.scored.csv"
    with open(download.value.path(), newline="", encoding="utf-8") as stream:
        scored = list(csv.DictReader(stream))
    assert [one["label"] for one in scored] == ["positive", "negative", "negative", "positive"]
    # a spreadsheet must not run what was in a cell; a number is one
    assert [one["note"] for one in scored] == ["'=HYPERLINK(1)", "+1", "'@SUM(A1)", "ok"]


def test_a_file_that_is_none_is_refused(visit: Visit, tmp_path: Path) -> None:
    file = tmp_path / "broken.jsonl"
    file.write_text('{"text": "a"\n{"text": 3}\n', encoding="utf-8")
    score(visit, file)
    visit.page.wait_for_selector(".toast-body")
    assert (
        "broken.jsonl: none of its 2 rows can be scored"
        in visit.page.locator(".toast-body").first.inner_text()
    )


def test_too_many_rows_are_refused(visit: Visit, tmp_path: Path) -> None:
    file = tmp_path / "many.jsonl"
    file.write_text(
        "".join(json.dumps({"text": f"row {number}"}) + "\n" for number in range(600)), encoding="utf-8"
    )
    score(visit, file)
    visit.page.wait_for_selector(".toast-body")
    assert "more than 500 rows" in visit.page.locator(".toast-body").first.inner_text()


def test_a_file_on_its_way_can_be_stopped(visit: Visit, tmp_path: Path) -> None:
    file = tmp_path / "slow.jsonl"
    file.write_text(
        "".join(json.dumps({"text": f"slowly {number}"}) + "\n" for number in range(490)), encoding="utf-8"
    )
    score(visit, file)
    visit.page.click("#score-stop")
    visit.page.wait_for_selector(".toast-body")
    assert "slow.jsonl: you stopped it" in visit.page.locator(".toast-body").first.inner_text()
    visit.page.wait_for_selector("#score-stop", state="hidden")
    assert not visit.page.locator("#download").is_visible()


def a_run(folder: Path, report: str) -> None:
    run = Run(folder)
    folder.mkdir(parents=True)
    record = RunRecord(
        name=folder.name,
        recipe="sentiment",
        created="2026-01-01T00:00:00+00:00",
        task={"kind": "polarity"},
        max_tokens=8,
        seed=1,
        base=BaseModelIdentity(source="x", revision=None, weights_sha256="0", tokenizer_sha256="0"),
        data={},
        cost={},
        versions={},
    )
    run.report.write_text(report, encoding="utf-8")
    run.marker.write_text(record.model_dump_json(), encoding="utf-8")


def test_a_report_is_shown_and_its_scripts_are_not_run(visit: Visit) -> None:
    a_run(
        visit.server.runs / "films",
        "<h1>It gets 93% right</h1><script>parent.ran = 1; alert(1)</script><img src=https://example.com/x.png>",
    )
    a_run(visit.server.runs / "outer" / "inner", "<h1>another</h1>")
    visit.page.get_by_role("tab", name="Reports").click()
    visit.page.wait_for_selector("iframe.report")
    visit.page.locator("#report-run input").click()
    visit.page.get_by_role("option", name="films").click()
    visit.until("#report-about", "sentiment")
    frame = visit.page.frame_locator("iframe.report")
    frame.get_by_role(
        "heading", name="It gets 93% right"
    ).wait_for()  # in place of the report that was shown first
    assert visit.page.evaluate("window.ran === undefined")
    assert visit.page.locator("iframe.report").get_attribute("sandbox") == ""
