"""The report of a run and of a data check: for everyone, at a desk and on a phone, light and dark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

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
    for name, page in made.items():
        (folder / f"{name}.html").write_text(page, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in made}


@pytest.fixture(params=[(1280, 800), (390, 844)])
def page(request: pytest.FixtureRequest, browser: Any) -> Iterator[Any]:
    width, height = request.param
    context = browser.new_context(viewport={"width": width, "height": height}, bypass_csp=True)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("name", ["report", "check"])
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
