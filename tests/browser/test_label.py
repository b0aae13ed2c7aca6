"""The labeling page: keys label, undo and skip, nothing is lost, and raters see how far they agree."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import PHONE, Server
from tests.browser.keys import UNSEEN
from tests.browser.test_page import PAYLOADS, WCAG

TEXTS = ["a good film", PAYLOADS[1], "**a** bad film", PAYLOADS[0], "{{1 + 1}} ${1 + 1}", "the last film"]
TEXT = "#asked .asked"


class LabelServer(Server):
    """`nlpkit label open` for one rater, on a port that stays."""

    def __init__(self, folder: Path, rater: str) -> None:
        super().__init__(folder)
        self.words = ("-m", "tests.browser.fake_label", str(folder / "next.jsonl"), rater, str(self.port))

    def answers(self, rater: str) -> list[tuple[str, str]]:
        lines = (self.folder / f"next.jsonl.labels-{rater}.jsonl").read_text(encoding="utf-8").splitlines()
        return [(line["act"], line.get("label", "")) for line in map(json.loads, lines)]


@pytest.fixture
def raters(tmp_path: Path) -> Iterator[tuple[LabelServer, LabelServer]]:
    rows = [{"text": text, "label": ""} for text in TEXTS]
    (tmp_path / "next.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    anna, ben = LabelServer(tmp_path, "anna"), LabelServer(tmp_path, "ben")
    try:
        yield anna.start(), ben.start()
    finally:
        anna.kill()
        ben.kill()


def press(page: Any, *keys: str) -> None:
    """Press keys, each when the page shows what the last one led to."""
    for key in keys:
        state = page.get_attribute("#asked section", "data-state")
        page.keyboard.press(key)
        page.wait_for_function(
            "state => document.querySelector('#asked section').dataset.state !== state", arg=state
        )


def violations(page: Any) -> list[tuple[str, str]]:
    from axe_playwright_python.sync_playwright import Axe

    found = []
    for scheme in ("dark", "light"):
        page.evaluate("dark => document.body.classList.toggle('dark', dark)", scheme == "dark")
        page.wait_for_timeout(400)
        for violation in Axe().run(page, options=WCAG).response["violations"]:
            found.append((scheme, violation["id"], [node["html"][:160] for node in violation["nodes"][:3]]))
    return found


def test_five_texts_are_labeled_by_keys(browser: Any, raters: tuple[LabelServer, LabelServer]) -> None:
    anna, ben = raters
    context = browser.new_context(viewport={"width": 1280, "height": 860}, reduced_motion="reduce")
    context.set_default_timeout(60_000)
    page, other = context.new_page(), context.new_page()
    page.goto(anna.address)
    page.wait_for_selector(TEXT)
    page.evaluate("() => { window.alert = () => { window.ran = true } }")
    seen = []
    for key in "12123":
        seen.append(page.inner_text(TEXT))
        press(page, key) if key != "3" else press(page, "2", "u", "s")  # there is no third label
    assert seen == TEXTS[:5]  # as typed
    assert page.evaluate("window.ran === undefined")
    assert page.locator("#asked").locator("img, script, strong, em").count() == 0
    expected = [("label", "negative"), ("label", "positive"), ("label", "negative"), ("label", "positive")]
    expected += [("label", "positive"), ("undo", ""), ("skip", "")]
    assert anna.answers("anna") == expected
    # a kill loses nothing, and the page goes on where it stood
    anna.kill()
    anna.start()
    page.goto(anna.address)
    page.wait_for_selector(TEXT)
    assert page.inner_text(TEXT) == TEXTS[5]
    assert page.inner_text("#asked .quiet") == "4 of 6 labeled by anna, 1 skipped"
    assert page.inner_text("#agreed") == ""
    assert violations(page) == []
    # a second rater, at the same time
    other.goto(ben.address)
    other.wait_for_selector(TEXT)
    assert "anna and ben" not in other.inner_text("#agreed")
    press(other, "1", "2", "1", "1")
    assert "Krippendorff's alpha is" in other.inner_text("#agreed")
    assert "on 4 texts with several labels" in other.inner_text("#agreed")
    # by Tab and Enter, the focus seen and kept
    page.bring_to_front()
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset.label === 'positive'"):
            break
    assert page.evaluate(UNSEEN) == ""
    press(page, "Enter")
    assert page.evaluate("document.activeElement.dataset.label") == "positive"
    assert "on 4 texts with several labels" in page.inner_text("#agreed")
    page.click("[data-act=again]")
    page.wait_for_selector(TEXT)
    assert page.inner_text(TEXT) == TEXTS[4]
    page.uncheck("#label-keys")
    page.keyboard.press("1")
    page.wait_for_timeout(500)
    assert page.inner_text(TEXT) == TEXTS[4]
    context.close()
    phone = browser.new_context(**PHONE, reduced_motion="reduce")
    page = phone.new_page()
    page.goto(ben.address)
    page.wait_for_selector(TEXT)
    assert page.evaluate("Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)") <= 390
    assert violations(page) == []
    page.locator("[data-label=positive]").tap()
    page.wait_for_function(
        "words => document.querySelector('#asked .asked').innerText === words", arg=TEXTS[5]
    )
    phone.close()
