"""The report of a run and of a data check: for everyone, at a desk and on a phone, light and dark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nlpkit.models.encoder import Encoder
from tests.unit.analysis.test_about import TopicCounter, analyzed, planted
from tests.unit.data.test_checks import hostile
from tests.unit.reports.test_html import full

ALL = "document.querySelectorAll(\"a[href], summary, [tabindex='0']\")"
REACHED = f"[...{ALL}].filter(one => one.checkVisibility())"
OUTLINE = "getComputedStyle(document.activeElement).outlineStyle"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    made = {
        "report": full(("negative", "neutral", "positive"), "averylongname" * 6).to_html(),
        "check": hostile().model_copy(update={"files": ("mine.csv",)}).to_html(),
    }
    planted(folder / "reviews.csv")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Encoder, "load", lambda base: TopicCounter())
        analysis = analyzed(folder / "reviews.csv", folder / "analysis.html", "auto")
    made["analysis"] = analysis.report.to_html()
    for name, page in made.items():
        (folder / f"{name}.html").write_text(page, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in made}


@pytest.fixture(params=[(1280, 800), (390, 844)])
def page(request: pytest.FixtureRequest, browser: Any) -> Iterator[Any]:
    width, height = request.param
    context = browser.new_context(viewport={"width": width, "height": height}, bypass_csp=True)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("name", ["report", "check", "analysis"])
def test_d9_axe_finds_nothing_and_every_part_is_reached_by_the_keyboard(
    page: Any, pages: dict[str, Path], name: str
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page.goto(pages[name].as_uri())
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        found = [
            (violation["id"], violation["impact"], [node["html"][:120] for node in violation["nodes"][:3]])
            for violation in Axe().run(page).response["violations"]
        ]
        assert found == [], scheme
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    number = 0
    while number < page.evaluate(f"{REACHED}.length"):
        page.keyboard.press("Tab")
        assert page.evaluate(f"{REACHED}.indexOf(document.activeElement)") == number
        assert page.evaluate(OUTLINE) == "solid"
        if page.evaluate("document.activeElement.tagName") == "SUMMARY":
            page.keyboard.press("Enter")  # what it opens is reached next
        number += 1
    assert number > 3
    assert page.locator("details:not([open])").count() == 0


def test_a_printed_analysis_holds_all_of_its_tables_and_texts(browser: Any, pages: dict[str, Path]) -> None:
    context = browser.new_context(viewport={"width": 718, "height": 1047}, bypass_csp=True)  # A4 less margins
    page = context.new_page()
    page.goto(pages["analysis"].as_uri())
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    boxes = "[...document.querySelectorAll('.scroll')].map(one => getComputedStyle(one).overflowX)"
    assert set(page.evaluate(boxes)) == {"visible"}
    hidden = "[...document.querySelectorAll('details *')].filter(one => !one.checkVisibility())"
    assert page.evaluate(f"{hidden}.length") == 0
    assert not page.locator("nav").is_visible()
    context.close()
