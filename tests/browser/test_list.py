"""The list of conversations and the page's layout: groups, pins, rename, search, keys, phone, first load."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import httpx2
import pytest

from nlpkit.chat.store import Store
from tests.browser.conftest import PHONE, Server, Visit


def write(server: Server, *conversations: Sequence[str], days: float = 0.0) -> list[str]:
    """Write conversations into the server's store, the last one newest; return their ids."""
    ids = []
    with Store.open(server.store) as store, store.together():
        for texts in conversations:
            ids.append(store.create("").id)
            for number, text in enumerate(texts):
                role = "assistant" if number % 2 else "user"
                store.append(ids[-1], "", role, text, finish="stop" if number % 2 else "")
            if days:
                store._database.rows(
                    "UPDATE chats SET updated = ? WHERE id = ?", time.time() - 86400 * days, ids[-1]
                )
    return ids


def empty(server: Server) -> None:
    with Store.open(server.store) as store:
        store.forget("")


def focused(visit: Visit) -> str:
    """The title of the row that has the focus, or the id around what has it."""
    return str(
        visit.page.evaluate(
            "() => { const at = document.activeElement; return at.matches('#chats .pick') "
            "? at.querySelector('.title').innerText : at.closest('[id]')?.id || at.tagName }"
        )
    )


def until_focused(visit: Visit, title: str) -> None:
    visit.page.wait_for_function(
        "title => document.activeElement.matches('#chats .pick') "
        "&& document.activeElement.querySelector('.title').innerText == title",
        arg=title,
    )


def test_d10_groups_lines_pins_and_a_title_typed_in_place(visit: Visit, server: Server) -> None:
    empty(server)
    write(server, ["a tram", "Which  tram?"], days=40)
    write(server, ["a lamp", "Blue or green?"], ["a chair", "A red one."])
    page = visit.open().page
    page.wait_for_function("() => document.querySelectorAll('#chats li').length == 3")
    groups = page.locator("#chats h2").all_inner_texts()
    assert groups[0] == "Today"
    assert len(groups) == 2
    assert visit.chats() == ["a chair", "a lamp", "a tram"]
    assert page.locator("#chats .line").all_inner_texts() == ["A red one.", "Blue or green?", "Which tram?"]
    # a pin
    page.locator("#chats li").nth(2).hover()
    page.locator("#chats li").nth(2).locator("[data-do=pin]").click()
    page.wait_for_function("() => document.querySelector('#chats h2').innerText == 'Pinned'")
    until_focused(visit, "a tram")
    assert visit.chats() == ["a tram", "a chair", "a lamp"]
    # a title: of a conversation that is not open, and without opening it
    page.locator("#chats li").nth(1).hover()
    page.locator("#chats li").nth(1).locator("[data-do=rename]").click()
    page.locator("#chats .naming").fill("the <b>red</b> chair")
    page.keyboard.press("Enter")
    until_focused(visit, "the <b>red</b> chair")
    assert "chat=" not in page.url
    page.keyboard.press("F2")
    page.locator("#chats .naming").fill("never mind")
    page.keyboard.press("Escape")
    until_focused(visit, "the <b>red</b> chair")
    page.wait_for_timeout(500)
    with Store.open(server.store) as store:
        summaries = store.summaries("")
    assert [(summary.title, summary.is_pinned) for summary in summaries] == [
        ("a tram", True), ("the <b>red</b> chair", False), ("a lamp", False),
    ]  # fmt: skip


def test_d10_a_search_lands_on_the_message(visit: Visit, server: Server) -> None:
    empty(server)
    texts = [f"words of message {number} that fill a line" for number in range(60)]
    texts[7] = "the needle in the hay"
    texts[21] = "no needles here, only hay"
    (id,) = write(server, texts)
    write(server, ["something else", "Yes."])
    page = visit.open().page
    page.fill("#search textarea, #search input", "needle")
    page.wait_for_function("() => document.querySelectorAll('#chats li').length == 1")
    assert page.locator("#chats .line mark").all_inner_texts() == ["needles"]
    page.click("#chats .pick")
    page.wait_for_selector("#chatbot .found")
    assert page.locator("#chatbot .found").inner_text() == texts[21]  # the newest of the two
    page.wait_for_timeout(1200)  # the chatbot scrolls to its end when messages come
    box, view = page.locator("#chatbot .found").bounding_box(), page.locator("#chatbot").bounding_box()
    assert view["y"] < box["y"] < view["y"] + view["height"]
    # the search stays, and what is only in an earlier version is said
    assert page.input_value("#search textarea, #search input") == "needle"
    with Store.open(server.store) as store:
        store.edit(id, "", store.read(id, "").messages[0].id, "all new")
    page.click("#chats .pick")
    page.wait_for_selector(".toast-body")
    assert "earlier version" in page.locator(".toast-body").inner_text()
    page.wait_for_selector("#chatbot .found", state="detached")


def test_d6_the_arrow_keys_move_through_the_list_and_the_focus_is_kept(visit: Visit, server: Server) -> None:
    empty(server)
    write(server, *([f"conversation {number}", "Yes."] for number in range(5)))
    page = visit.open().page
    page.wait_for_function("() => document.querySelectorAll('#chats li').length == 5")
    page.focus("#search textarea, #search input")
    page.keyboard.press("ArrowDown")
    assert focused(visit) == "conversation 4"
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Tab")
    assert focused(visit) == "conversation 4"
    page.keyboard.press("Tab")
    assert focused(visit) == "this-chat"  # one stop for the whole list
    page.keyboard.press("Shift+Tab")
    for key, title in (
        ("ArrowDown", "conversation 3"),
        ("End", "conversation 0"),
        ("ArrowDown", "conversation 0"),
        ("ArrowUp", "conversation 1"),
        ("Home", "conversation 4"),
    ):
        page.keyboard.press(key)
        assert focused(visit) == title
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.do") == "rename"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    visit.until("#chatbot", "conversation 3")
    page.wait_for_function("() => document.activeElement.closest('#box')")
    # deleting leaves the focus in the list, on the next one
    page.click("#this-chat button")
    page.click("#delete")
    page.click("#keep")
    page.wait_for_function("() => document.activeElement.id == 'delete'")
    page.click("#delete")
    page.click("#sure")
    until_focused(visit, "conversation 2")
    assert visit.chats() == ["conversation 4", "conversation 2", "conversation 1", "conversation 0"]


def test_d10_fifty_are_listed_and_show_more_lists_others(visit: Visit, server: Server) -> None:
    empty(server)
    write(server, *([f"conversation {number}"] for number in range(120)))
    page = visit.open().page
    for count in (50, 100, 120):
        page.wait_for_function("count => document.querySelectorAll('#chats li').length == count", arg=count)
        assert page.locator("#chats .more").count() == (count < 120)
        if count < 120:
            page.click("#chats .more")
    # a reply does not fold the list again, and the list does not jump
    page.locator("#chats .pick").nth(110).scroll_into_view_if_needed()
    before = page.evaluate("document.querySelector('#chats').scrollTop")
    assert before > 1000
    visit.say("hello")
    page.wait_for_function("() => document.querySelectorAll('#chats li').length == 121")
    assert abs(page.evaluate("document.querySelector('#chats').scrollTop") - before) < 100


def test_d7_a_narrow_window_shows_the_chat_and_not_the_list(visit: Visit) -> None:
    page = visit.page
    page.wait_for_selector("#sidebar.open")
    page.set_viewport_size({"width": 700, "height": 800})
    page.wait_for_selector("#sidebar:not(.open)", state="attached")
    page.click("#box textarea")  # nothing lies over it
    assert page.evaluate("document.activeElement.closest('#box') !== null")
    page.set_viewport_size({"width": 1280, "height": 800})
    page.wait_for_selector("#sidebar.open")


@pytest.mark.parametrize("size", ["phone", "desktop"])
def test_d7_the_message_box_stays_at_the_bottom(browser: Any, server: Server, size: str) -> None:
    context = browser.new_context(
        **(PHONE if size == "phone" else {"viewport": {"width": 1280, "height": 800}})
    )
    here = Visit(context.new_page(), server).open()
    page = here.page
    for _ in range(3):
        here.say("a long message " * 30)
    height = page.evaluate("innerHeight")
    assert page.evaluate("document.documentElement.scrollHeight") <= height
    box, buttons = page.locator("#box").bounding_box(), page.locator("#again").bounding_box()
    assert height - 130 < box["y"] < buttons["y"] < buttons["y"] + buttons["height"] <= height
    assert page.evaluate("getComputedStyle(document.querySelector('#box textarea')).fontSize") == "16px"
    context.close()


def test_d7_a_phone_has_large_targets_and_the_mood_with_its_plot(browser: Any, server: Server) -> None:
    context = browser.new_context(**PHONE)
    phone = Visit(context.new_page(), server).open()
    page = phone.page
    phone.say("what a lovely day")
    for _ in range(4):
        phone.say("nothing " * 40)
    phone.say("an awful, sad night")
    strip, box = page.locator("#mood-strip").bounding_box(), page.locator("#box").bounding_box()
    assert strip["height"] > 15
    assert strip["y"] + strip["height"] <= box["y"]
    page.click("#details")
    small = page.evaluate(
        "() => [...document.querySelectorAll('button')].map(one => [one, one.getBoundingClientRect()])"
        ".filter(([one, at]) => at.width && (at.height < 44 || at.width < 44)"
        " && getComputedStyle(one).visibility == 'visible' && !one.closest('[aria-hidden=true]'))"
        ".map(([one, at]) => `${one.id || one.className} ${one.innerText} ${at.width}x${at.height}`)"
    )
    assert small == []
    # a tap on a point of the plot shows its message
    page.locator("#mood circle").first.click()
    page.wait_for_selector("#panel", state="hidden")
    page.wait_for_timeout(300)
    message, view = page.locator("#chatbot .user.message").first, page.locator("#chatbot").bounding_box()
    assert view["y"] <= message.bounding_box()["y"] < view["y"] + view["height"]
    # the list covers the page until one is chosen
    page.click("#sidebar .toggle-button")
    page.locator("#chats .pick").first.click()
    page.wait_for_selector("#sidebar:not(.open)", state="attached")
    context.close()


def test_the_first_load_is_below_600_kb_and_can_be_installed(browser: Any, server: Server) -> None:
    context = browser.new_context()
    page = context.new_page()
    sizes: list[int] = []
    network = context.new_cdp_session(page)
    network.send("Network.enable")
    network.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    Visit(page, server).open()
    count = -1
    while len(sizes) > count:  # the page has loaded all when nothing has come for a second
        count = len(sizes)
        page.wait_for_timeout(1000)
    manifest = network.send("Page.getAppManifest")
    context.close()
    assert 100_000 < sum(sizes) < 600_000
    assert manifest["errors"] == []
    assert manifest["url"] == f"{server.address}/manifest.json"
    assert httpx2.get(f"{server.address}/icons/512.png").status_code == 200
