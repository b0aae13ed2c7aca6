"""A walk through every function with keys alone: the focus is always seen, and never lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nlpkit.chat.store import Store
from tests.browser.conftest import PHONE, Server, Visit
from tests.browser.fake import SLOW
from tests.browser.keys import Keys
from tests.browser.test_list import empty, until_focused, write
from tests.browser.test_score import a_run

BOX = "#box textarea"
SEARCH = "#search :is(textarea, input)"


@pytest.fixture
def keys(visit: Visit) -> Keys:
    return Keys(visit)


def heard(visit: Visit, text: str) -> None:
    """Wait for the reply to a message."""
    visit.until("#chatbot", f"heard: {text}")
    visit.done()


def test_the_stops_are_in_the_order_of_the_page(visit: Visit, keys: Keys) -> None:
    keys.at(BOX)
    keys.type("a lovely day", then="Enter")
    heard(visit, "a lovely day")
    keys.press("Tab")
    keys.back(".skip")
    parts: list[str] = []
    for _ in range(40):
        part = visit.page.evaluate(
            "() => { const at = document.activeElement.closest('.skip, #masthead, #sidebar, .tab-container, "
            "#chatbot, #suggestions, #write, #again, #panel'); return at?.id || at?.className || ''; }"
        )
        if part not in parts:
            parts.append(part)
        assert part == parts[-1]  # none is left and come back to
        if visit.page.evaluate("document.activeElement.closest('#sampling') !== null"):
            break
        keys.press("Tab")
        keys.seen()
    assert [part.split()[0] for part in parts] == [
        "skip", "masthead", "sidebar", "tab-container", "chatbot", "suggestions", "write", "again", "panel"
    ]  # fmt: skip


def test_a_message_is_said_stopped_edited_and_answered_again(visit: Visit, keys: Keys) -> None:
    keys.at(BOX)
    keys.back("[data-say]")
    keys.press("Enter")
    heard(visit, "Give me three names for a cat.")
    keys.at(BOX)
    keys.type("by the button")
    keys.to("#send")
    keys.press("Enter")
    heard(visit, "by the button")
    keys.at(BOX)
    keys.type(SLOW, then="Enter")
    visit.until("#chatbot", "word3")
    keys.press("Escape")
    visit.until("#status", "You stopped this reply.")
    visit.done()
    keys.at(BOX)
    keys.back('#chatbot [aria-label="Edit"]')
    keys.press("Enter")
    keys.at("#chatbot textarea")
    keys.type("no")
    keys.press("Escape")
    keys.at('#chatbot [aria-label="Edit"]')
    assert visit.said()[-1] == SLOW
    keys.press("Enter")
    keys.at("#chatbot textarea")
    keys.type("tell me a tale", then="Enter")
    heard(visit, "tell me a tale")
    keys.at(BOX)
    keys.to("#retry")
    keys.press("Enter")
    visit.until("#chatbot .bot-row:nth-last-child(2) + .message-buttons .versions", "2/2")
    visit.done()
    keys.at(f"{BOX}, #retry")  # a reply that comes at once hides no button
    keys.back('[aria-label="Previous version"]')
    keys.press("Enter")
    visit.until("#chatbot .bot-row:nth-last-child(2) + .message-buttons .versions", "1/2")
    keys.at('[aria-label="Next version"]')
    keys.to("#undo")
    for left in (2, 1, 0):
        keys.to("#undo")
        keys.press("Enter")
        visit.page.wait_for_function(
            "left => document.querySelectorAll('#chatbot .user.message').length === left", arg=left
        )
    keys.at(BOX)


def test_a_reply_is_copied_rated_and_compared_and_a_file_attached(
    visit: Visit, keys: Keys, server: Server, tmp_path: Path
) -> None:
    page = visit.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    keys.at(BOX)
    keys.type("a lovely film", then="Enter")
    heard(visit, "a lovely film")
    keys.back('#chatbot .bot-row + .message-buttons [aria-label="Copy message"]')
    keys.press("Enter")
    page.wait_for_function("async () => (await navigator.clipboard.readText()).includes('heard: a lovely')")
    keys.to('#chatbot [aria-label="Like"]')
    keys.press("Enter")
    page.wait_for_selector("#why-row", state="visible")
    keys.at('#chatbot [aria-label="Liked"]')
    keys.to("#why :is(textarea, input)")
    keys.type("kind", then="Enter")
    visit.until("#status", "You rated it good: kind")
    keys.at(BOX)
    keys.to("#other")
    keys.press("Enter")
    page.wait_for_selector("#chatbot .choose")
    visit.done()
    keys.at(f"{BOX}, #other")  # replies that come at once take the focus from no button
    keys.back(".choose")
    keys.press("Enter")
    page.wait_for_selector("#chatbot .choose", state="detached")
    keys.at(BOX)
    with Store.open(server.store) as store:
        assert len(store.preferences("").rows) == 1
    file = tmp_path / "hours.txt"
    file.write_text("open 10 to 14")
    keys.to("#attach")
    keys.give(file)
    page.wait_for_selector("#file-strip .file")
    keys.at("#attach")
    keys.back("#file-strip button")
    keys.press("Enter")
    page.wait_for_selector("#file-strip .file", state="detached")
    keys.at(BOX)
    # a point of the mood shows its message
    for number in range(8):
        keys.type(f"more {number}", then="Enter")
        heard(visit, f"more {number}")
    in_view = "document.querySelector('#chatbot .user.message').getBoundingClientRect().bottom > 100"
    assert not page.evaluate(in_view)
    keys.to("#mood a")
    keys.press("Enter")
    page.wait_for_function(f"() => {in_view}")
    keys.seen()


@pytest.fixture
def three(server: Server) -> None:
    """Leave three conversations in the store, before the page is opened."""
    empty(server)
    write(server, ["a lamp", "Blue?"], ["a chair", "A red one."], ["a tram", "Which?"])


def test_conversations_are_found_opened_pinned_renamed_saved_and_deleted(
    three: None, visit: Visit, keys: Keys
) -> None:
    page = visit.page
    page.wait_for_function("() => document.querySelectorAll('#chats li').length == 3")
    keys.at(BOX)
    keys.back(SEARCH)
    keys.type("lamp")
    page.wait_for_function("() => document.querySelectorAll('#chats li').length == 1")
    keys.press("Escape")
    page.wait_for_function("() => document.querySelectorAll('#chats li').length == 3")
    keys.at(SEARCH)
    for title in ("a tram", "a chair"):
        keys.press("ArrowDown")
        until_focused(visit, title)
    keys.press("Enter")
    visit.until("#chatbot", "a chair")
    keys.at(BOX)
    keys.back("#chats .pick")
    keys.to("[data-do=pin]", "ArrowRight")
    keys.press("Enter")
    page.wait_for_function("() => document.querySelector('#chats h2').innerText == 'Pinned'")
    keys.at("#chats .pick")
    keys.press("F2")
    keys.at("#chats .naming")
    keys.type("my chair", then="Enter")
    keys.at("#chats .pick")
    page.wait_for_function("() => document.title == 'my chair · nlpkit'")
    keys.to("#this-chat > button")
    keys.unfold("#this-chat")
    keys.to("#as-markdown")
    with page.expect_download() as download:
        keys.press("Enter")
    assert "A red one" in download.value.path().read_text()
    keys.to("#as-jsonl")
    with page.expect_download() as download:
        keys.press("Enter")
    row = json.loads(download.value.path().read_text())
    assert [message["content"] for message in row["messages"]] == ["a chair", "A red one."]
    keys.to("#delete")
    keys.press("Enter")
    page.wait_for_selector("#confirm", state="visible")
    keys.to("#keep")
    keys.press("Enter")
    page.wait_for_selector("#confirm", state="hidden")
    keys.at("#delete")
    keys.press("Enter")
    page.wait_for_selector("#confirm", state="visible")
    keys.to("#sure")
    keys.press("Escape")
    page.wait_for_selector("#confirm", state="hidden")
    keys.at("#delete")
    keys.press("Enter")
    page.wait_for_selector("#confirm", state="visible")
    keys.to("#sure")
    keys.press("Enter")
    page.wait_for_function("() => document.querySelectorAll('#chats li').length == 2")
    keys.at("#chats .pick")
    assert visit.chats() == ["a tram", "a lamp"]
    keys.back("#new-chat")
    keys.press("Enter")
    keys.at(BOX)
    # closed, the list is passed over
    keys.back("#sidebar .toggle-button")
    keys.press("Enter")
    keys.press("Tab")
    keys.at("#tab-chat-button")
    keys.back("#sidebar .toggle-button")
    keys.press("Enter", "Tab")
    keys.at("#new-chat")


def test_the_model_the_persona_and_the_settings_are_chosen(visit: Visit, keys: Keys) -> None:
    page = visit.page
    keys.at(BOX)
    keys.to("#persona > button")
    keys.unfold("#persona")
    keys.to("#run input")
    keys.choose("other")
    visit.until("#context", "other")
    keys.to("#system textarea")
    keys.type("You are a pirate")
    keys.to("#mood-on input")
    keys.press("Space")
    assert page.is_checked("#mood-on input")
    keys.to("#sampling > button")
    keys.unfold("#sampling")
    keys.to('[aria-label="number input for Temperature"]')
    keys.type("0.3", then="Tab")
    keys.to('[aria-label="range slider for Temperature"]')
    keys.press("ArrowRight")
    assert page.get_by_label("number input for Temperature").input_value() == "0.35"
    keys.back("#connect > button")
    keys.unfold("#connect")
    keys.to("#connect-address :is(textarea, input)")
    keys.type("localhost:8000", then="Enter")
    visit.until("#connect-about", "Begin with http://")
    keys.to("#connect-button")
    keys.back(".skip")
    keys.press("Enter")
    keys.at(BOX)
    keys.type("hello", then="Enter")
    heard(visit, "hello")
    assert visit.replies()[-1].startswith("[You are a pirate")


def test_the_colors_and_the_list_of_keys(visit: Visit, keys: Keys) -> None:
    page = visit.page
    keys.at(BOX)
    keys.back("#toggle")
    keys.press("Enter")
    page.wait_for_function("() => document.body.classList.contains('dark')")
    keys.seen()
    keys.back("#keys")
    keys.press("Enter")
    keys.at("#key-list button")
    assert "Rename the conversation" in page.inner_text("#key-list")
    keys.press("Escape")
    page.wait_for_selector("#key-list", state="hidden")
    keys.at("#keys")


def test_texts_and_files_are_scored_and_reports_read(
    visit: Visit, keys: Keys, server: Server, tmp_path: Path
) -> None:
    page = visit.page
    a_run(server.runs / "books", "<h1>It gets 93% right</h1>" + "<p>words</p>" * 100)
    a_run(server.runs / "films", "<h1>It gets 94% right</h1>")
    keys.at(BOX)
    keys.back("#tab-score-button")
    keys.press("Enter")
    keys.to("#score-text textarea")
    keys.type("a lovely film", then="Control+Enter")
    visit.until("#text-answer", "positive")
    keys.at("#score-text textarea")
    slow, films = tmp_path / "slow.jsonl", tmp_path / "films.jsonl"
    slow.write_text("".join(f'{{"text": "slowly {number}"}}\n' for number in range(490)))
    films.write_text('{"text": "a lovely film", "year": 1999}\n')
    keys.to("#upload button")
    keys.give(slow)
    visit.until("#about-file", "slow.jsonl")
    page.wait_for_selector("#score-file:enabled")
    keys.to("#score-file")
    keys.press("Enter")
    page.wait_for_selector("#score-stop")
    keys.to("#score-stop")
    keys.press("Enter")
    page.wait_for_selector("#score-stop", state="hidden")
    keys.at("#score-file")
    keys.back('#upload button[aria-label="Clear"]')
    keys.press("Enter")
    keys.at("#score-file")
    keys.back("#upload button")
    keys.give(films)
    visit.until("#about-file", "films.jsonl")
    page.wait_for_selector("#score-file:enabled")
    keys.back("#column input")
    keys.to("#score-file")
    keys.press("Enter")
    visit.until("#file-answer", "1 row")
    page.wait_for_selector("#download")
    keys.to("#download")
    with page.expect_download() as download:
        keys.press("Enter")
    assert download.value.suggested_filename == "films.scored.jsonl"
    keys.back("#tab-reports-button")
    keys.press("Enter")
    visit.until("#report-about", "sentiment")
    keys.to("#report-run input")
    keys.choose("books")
    page.frame_locator("iframe.report").get_by_text("93%").wait_for()
    keys.to("#look-again")
    keys.press("Enter")
    keys.at("#look-again")


def test_on_a_phone_what_covers_the_page_is_left_by_escape(browser: Any, server: Server) -> None:
    context = browser.new_context(**PHONE)
    context.set_default_timeout(60_000)
    visit = Visit(context.new_page(), server).open()
    keys = Keys(visit)
    keys.at(BOX)
    keys.type("a lovely day", then="Enter")
    heard(visit, "a lovely day")
    keys.to("#other")
    keys.back("#sidebar .toggle-button")
    keys.press("Enter")
    for _ in range(2):  # there and back again, over the whole of the list
        keys.to("#this-chat > button")
        keys.back("#sidebar .toggle-button")
    keys.press("Escape")
    keys.at("#sidebar .toggle-button")
    visit.page.wait_for_selector("#sidebar:not(.open)", state="attached")
    keys.back("#details")
    keys.press("Enter")
    keys.to("#sampling > button")
    keys.press("Escape")
    keys.at("#details")
    visit.page.wait_for_selector("#panel", state="hidden")
    keys.to(BOX)
    context.close()
