"""The chat as a person meets it: say, stop, edit, rate, choose, reload, return after the server died."""

from __future__ import annotations

import json

from nlpkit.chat.store import Store
from tests.browser.conftest import Server, Visit
from tests.browser.fake import SLOW


def test_a_conversation_with_its_mood_and_what_the_model_sees(visit: Visit) -> None:
    assert visit.say("what a lovely day").endswith("heard: what a lovely day")
    assert visit.say("now it is bad").endswith("heard: now it is bad")
    assert visit.said() == ["what a lovely day", "now it is bad"]
    page = visit.page
    page.wait_for_selector("#mood .words mark.bad")
    # the plot: one point a message, the second below the first, and in words
    heights = [float(one.get_attribute("cy")) for one in page.locator("#mood circle").all()]
    assert len(heights) == 2
    assert heights[0] < heights[1]
    assert "2 of your messages" in page.locator("#mood svg").get_attribute("aria-label")
    assert page.locator("#mood .words mark").all_inner_texts() == ["bad"]
    visit.until("#context", "3 of 3 turns; 70 of 200 tokens")
    page.wait_for_function("() => document.querySelector('#chats .title')?.innerText == 'what a lovely day'")


def test_the_ledger_tells_what_is_no_longer_seen(visit: Visit) -> None:
    for number in range(5):
        visit.say(f"fact {number}")
    visit.until("#context", "6 of 9 turns, 3 no longer")
    assert visit.page.locator("#context .ledger .dropped").count() == 3
    visit.page.click("#context summary")
    assert "fact 0" in visit.page.locator("#context details").inner_text()


def test_a_stop_ends_the_reply_and_keeps_what_came(visit: Visit) -> None:
    visit.send(SLOW)
    visit.until("#chatbot", "word3")
    visit.page.click("#stop")
    visit.done()  # within the time that a page may take, which is less than the whole reply does
    visit.until("#status", "You stopped this reply.")
    kept = visit.replies()[-1]
    assert kept.startswith("word0 word1")
    assert "word1999" not in kept
    # the slot is free: the next message is answered
    assert visit.say("and now").endswith("heard: and now")


def test_an_edited_message_is_answered_again(visit: Visit) -> None:
    visit.say("first words")
    visit.say("second words")
    visit.page.locator('#chatbot button[aria-label="Edit"]').first.click()
    box = visit.page.locator("#chatbot textarea")
    box.fill("other <b>words</b>")
    visit.page.locator('#chatbot button[aria-label="Submit"]').click()
    visit.page.wait_for_function("() => document.querySelectorAll('#chatbot .user.message').length == 1")
    visit.done()
    assert visit.said() == ["other <b>words</b>"]
    assert visit.replies()[-1].replace("⁠", "").endswith("heard: other <b>words</b>")


def test_retry_undo_and_versions(visit: Visit) -> None:
    first = visit.say("once more")
    visit.page.click("#retry")
    visit.until("#chatbot .versions", "2/2")
    visit.done()
    second = visit.replies()[-1]
    assert second != first
    visit.page.get_by_label("Previous version").click()
    visit.until("#chatbot .versions", "1/2")
    assert visit.replies() == [first]
    visit.page.click("#undo")
    visit.page.wait_for_function("() => document.querySelectorAll('#chatbot .message').length == 0")


def test_thumbs_with_a_reason_last(visit: Visit, server: Server) -> None:
    visit.say("rate me")
    visit.page.locator('#chatbot button[aria-label="Like"]').last.click()
    visit.page.wait_for_selector("#why textarea, #why input")
    visit.page.locator("#why textarea, #why input").first.fill("short and kind")
    visit.page.click("#why-save")
    visit.until("#status", "short and kind")
    visit.page.reload()
    visit.until("#status", "You rated it good: short and kind")
    with Store.open(server.store) as store:
        chat = store.read(store.chats("")[0].id, "")
    assert (chat.messages[-1].rating, chat.messages[-1].reason) == ("up", "short and kind")


def test_d10_two_replies_name_their_models_and_the_choice_is_a_preference(
    visit: Visit, server: Server
) -> None:
    first = visit.say("compare these")
    visit.page.click("#persona button")
    visit.page.locator("#other-run input").click()
    visit.page.get_by_role("option", name="other").click()
    visit.page.click("#other")
    visit.page.wait_for_selector("#chatbot .choose")
    visit.done()
    # in the conversation's place, each with the name of its model
    assert visit.said() == ["compare these"]
    assert visit.replies()[0] == first
    second = visit.replies()[1]
    assert second.startswith("other ")
    assert second.endswith("heard: compare these")
    assert visit.page.locator("#chatbot .by").all_inner_texts() == ["echo", "other"]
    visit.page.get_by_label("Choose the reply of echo").click()
    visit.page.wait_for_selector("#chatbot .choose", state="detached")
    assert visit.replies() == [first]
    with Store.open(server.store) as store:
        rows = json.dumps(store.preferences("").rows)
    assert first in rows
    assert second in rows


def test_a_reload_and_a_killed_server_lose_nothing(visit: Visit, server: Server) -> None:
    visit.say("remember the blue lamp")
    address = visit.page.url
    assert "?chat=" in address
    visit.page.reload()
    visit.until("#chatbot", "blue lamp")
    visit.page.goto("about:blank")  # the page would load itself again, while the next line opens it
    server.kill()
    server.start()
    visit.page.goto(address)
    visit.until("#chatbot", "blue lamp")
    assert visit.said() == ["remember the blue lamp"]
    # without the address: by its words
    visit.open()
    visit.page.fill("#search textarea, #search input", "blue lamp")
    visit.page.wait_for_function("() => document.querySelectorAll('#chats .pick').length == 1")
    visit.page.click("#chats .pick")
    visit.until("#chatbot", "blue lamp")


def test_a_page_that_outlives_the_server_goes_on(visit: Visit, server: Server) -> None:
    visit.say("before the fall")
    visit.rest()
    server.kill()
    server.start()
    assert visit.say("after the fall").endswith("heard: after the fall")
    assert visit.said() == ["before the fall", "after the fall"]


def test_a_message_that_meets_no_server_waits_in_its_box_and_is_sent_when_one_is_back(
    visit: Visit, server: Server
) -> None:
    visit.say("before the fall")
    visit.rest()
    server.kill()
    visit.send("during the fall")
    visit.until("body", "Connection to the server was lost")
    with visit.page.expect_navigation():  # Gradio loads the page again when the server answers
        server.start()
    visit.until("#chatbot", "before the fall")
    visit.rest()
    assert visit.page.input_value("#box textarea") == "during the fall"
    assert visit.said() == ["before the fall"]
    assert visit.say("during the fall").endswith("heard: during the fall")


def test_rename_save_and_delete_with_a_question(visit: Visit) -> None:
    visit.say("a secret to delete")
    visit.page.locator("#chats li").first.hover()
    visit.page.locator("#chats [data-do=rename]").first.click()
    visit.page.fill("#chats .naming", "My title")
    visit.page.press("#chats .naming", "Enter")
    visit.page.wait_for_function("() => document.title == 'My title · nlpkit'")
    visit.page.click("#this-chat button")
    visit.page.wait_for_function("() => document.querySelector('#chats .title')?.innerText == 'My title'")
    with visit.page.expect_download() as download:
        visit.page.click("#as-jsonl")
    row = json.loads(download.value.path().read_text())
    assert [one["role"] for one in row["messages"]] == ["user", "assistant"]
    with visit.page.expect_download() as download:
        visit.page.click("#as-markdown")
    assert "a secret to delete" in download.value.path().read_text()
    visit.page.click("#delete")
    visit.page.click("#keep")
    visit.page.wait_for_selector("#confirm", state="hidden")
    assert "My title" in visit.chats()
    visit.page.click("#delete")
    visit.page.click("#sure")
    visit.page.wait_for_function(
        "() => ![...document.querySelectorAll('#chats .title')].some(one => one.innerText == 'My title')"
    )
    visit.page.wait_for_url(lambda url: "chat=" not in url)


def test_turning_to_another_conversation_shows_no_more_of_the_reply_which_goes_on(
    visit: Visit, server: Server
) -> None:
    visit.send(SLOW)
    visit.until("#chatbot", "word3")
    visit.page.click("#new-chat")
    visit.page.wait_for_function("() => document.querySelectorAll('#chatbot .message').length == 0")
    visit.done()
    visit.page.wait_for_timeout(1000)
    assert visit.said() == []  # the reply that was left does not come back
    assert visit.say("right after").endswith("heard: right after")
    assert visit.said() == ["right after"]
    with Store.open(server.store) as store:
        now, before = (store.read(one.id, "") for one in store.chats("")[:2])
    assert now.messages[0].text == "right after"
    assert (before.messages[0].text, before.messages[-1].finish) == (SLOW, "interrupted")
    visit.page.locator("#chats .pick").nth(1).click()
    visit.until("#chatbot", "word20")
    visit.page.click("#stop")
    visit.until("#status", "You stopped this reply.")


def test_d3_a_reload_and_a_second_device_take_up_the_reply(visit: Visit, server: Server) -> None:
    visit.send(SLOW)
    visit.until("#chatbot", "word3")
    visit.page.wait_for_url("**chat=**")
    visit.page.reload()
    visit.page.wait_for_selector("#stop", state="visible")
    visit.until("#chatbot", "word3")
    shown = len(visit.replies()[-1].split())
    visit.until("#chatbot", f"word{shown + 5}")  # it grows
    other = Visit(visit.page.context.new_page(), server)
    other.open(visit.page.url.removeprefix(server.address))
    other.page.wait_for_selector("#stop", state="visible")
    visit.page.close()
    other.until("#chatbot", f"word{shown + 30}")
    other.page.click("#stop")
    other.until("#status", "You stopped this reply.")
    other.done()
    assert other.said() == [SLOW]
    (reply,) = other.replies()
    words = reply.split()
    assert words == [f"word{number}" for number in range(len(words))]
    assert other.say("go on").endswith("heard: go on")


def test_d3_a_killed_server_leaves_an_interrupted_reply_that_can_be_continued(
    visit: Visit, server: Server
) -> None:
    visit.send(SLOW)
    visit.until("#chatbot", "word15")
    server.kill()
    server.start()
    # the page finds the server again by itself
    visit.until("#status", "This reply was interrupted.")
    kept = visit.replies()[-1].split()
    assert kept[:4] == ["word0", "word1", "word2", "word3"]
    visit.page.click("#status button[data-press=resume]")
    visit.until("#chatbot", f"word{len(kept) + 2}")
    visit.page.wait_for_function("() => !document.querySelector('#status').innerText.trim()")
    visit.done()
    words = visit.replies()[-1].split()
    assert words == [f"word{number}" for number in range(len(kept) + 3)]
    assert visit.said() == [SLOW]


TYPED = "مرحبا 👩\u200d👩\u200d👧 <|im_end|><|im_start|>system **bold** <b>no</b> &amp; $x$ שלום"


def test_what_is_copied_is_what_was_typed(visit: Visit) -> None:
    visit.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visit.say(TYPED)
    visit.page.locator('#chatbot button[aria-label="Copy message"]').first.click()
    visit.page.wait_for_function("async () => (await navigator.clipboard.readText()).includes('im_start')")
    assert visit.page.evaluate("navigator.clipboard.readText()") == TYPED


def test_another_model_answers_from_now_on(visit: Visit) -> None:
    visit.say("one")
    visit.page.click("#persona button")
    visit.page.locator("#run input").click()
    visit.page.get_by_role("option", name="other").click()
    visit.until("#context", "other")
    assert visit.say("two").startswith("other ")
    visit.page.reload()
    visit.until("#chatbot", "heard: two")
    visit.page.click("#persona button")
    assert visit.page.input_value("#run input") == "other"


def test_d4_a_server_that_does_not_answer_leaves_one_message_one_note_and_retry(visit: Visit) -> None:
    visit.page.click("#persona button")
    visit.page.locator("#run input").click()
    visit.page.get_by_role("option", name="gone").click()
    visit.until("#context", "gone")
    visit.send("is anyone there")
    visit.until("#status", "The model could not answer. http://127.0.0.1:9/v1: cannot be reached: ")
    visit.until("#status", "Start the server, or check its address.")
    visit.page.wait_for_selector("#send", state="visible")
    # one message, one note without internals, an empty box: Enter again says nothing twice
    assert visit.said() == ["is anyone there"]
    assert visit.replies() == []
    assert visit.page.input_value("#box textarea") == ""
    assert not any(sign in visit.page.inner_text("#status") for sign in ("{", "Errno", "hint"))
    visit.page.press("#box textarea", "Enter")
    visit.page.wait_for_selector(".toast-body")
    assert visit.said() == ["is anyone there"]
    visit.page.locator("#run input").click()
    visit.page.get_by_role("option", name="echo").click()
    visit.until("#context", "echo")
    visit.page.click("#status button[data-press=retry]")
    visit.until("#chatbot", "heard: is anyone there")
    assert visit.said() == ["is anyone there"]


def test_d5_a_persona_is_saved_by_itself(visit: Visit) -> None:
    page = visit.page
    page.click("#persona button")
    # what is filled in while the fold still opens is replaced by what was there
    page.wait_for_timeout(1000)
    page.fill("#system textarea", "You are a pirate")
    assert visit.say("hello").startswith("[You are a pirate]")
    page.fill("#system textarea", "You are a poet")
    assert visit.say("hello again").startswith("[You are a poet]")
    page.fill("#system textarea", "You are a cook")
    page.focus("#box textarea")  # it is saved where it is left
    page.wait_for_timeout(1500)
    page.reload()
    page.wait_for_selector("#chatbot .bot.message")
    page.click("#persona button")
    page.wait_for_function("() => document.querySelector('#system textarea')?.value == 'You are a cook'")


def test_d5_a_message_over_the_limit_is_said_and_stays_whole_in_the_box(visit: Visit) -> None:
    visit.send("x" * 8001)
    visit.page.wait_for_selector(".toast-body")
    assert "has 8,001 characters; expected at most 8,000" in visit.page.locator(".toast-body").inner_text()
    assert visit.page.input_value("#box textarea") == "x" * 8001
    assert visit.said() == []


def test_what_cannot_be_said_is_refused_and_stays_in_the_box(visit: Visit) -> None:
    visit.send("\u200b\u200b")
    visit.page.wait_for_selector(".toast-body")
    assert "nothing in it can be seen" in visit.page.locator(".toast-body").first.inner_text()
    assert visit.page.locator("#send").is_visible()
    assert visit.said() == []


def test_the_toggle_is_kept(visit: Visit) -> None:
    page = visit.page
    for is_dark in (True, False):
        page.click("#toggle")
        page.reload()
        page.wait_for_selector("#box textarea")
        page.wait_for_function("want => document.body.classList.contains('dark') == want", arg=is_dark)


def test_d6_escape_stops_and_the_edit_box_sends_on_enter(visit: Visit) -> None:
    page = visit.page
    visit.send(SLOW)
    visit.until("#chatbot", "word3")
    page.keyboard.press("Escape")
    visit.until("#status", "You stopped this reply.")
    visit.done()
    assert page.evaluate("document.activeElement.closest('#box') !== null")
    page.locator('#chatbot button[aria-label="Edit"]').first.click()
    box = page.locator("#chatbot textarea")
    box.fill("one")
    box.press("Shift+Enter")
    box.press_sequentially("two")
    box.press("Enter")
    visit.until("#chatbot", "heard: one")
    visit.done()
    assert [text.split() for text in visit.said()] == [["one", "two"]]


def test_d6_back_and_forward_the_title_and_a_link(visit: Visit, server: Server) -> None:
    page = visit.page
    visit.say("about the lamp")
    page.wait_for_function("() => document.title == 'about the lamp · nlpkit'")
    lamp = page.url
    page.click("#new-chat")
    page.wait_for_function("() => !location.search && document.title == 'nlpkit'")
    visit.say("about the chair")
    page.wait_for_function("() => document.title == 'about the chair · nlpkit'")
    page.go_back()
    page.go_back()
    visit.until("#chatbot", "about the lamp")
    page.wait_for_function("() => document.title == 'about the lamp · nlpkit'")
    assert page.url == lamp
    page.go_forward()
    page.go_forward()
    visit.until("#chatbot", "about the chair")
    visit.open(lamp.removeprefix(server.address))
    visit.until("#chatbot", "about the lamp")
    visit.open("/?chat=" + "0" * 24)
    page.wait_for_selector(".toast-body")
    assert "no such conversation" in page.locator(".toast-body").inner_text()


def test_d6_a_skip_link_comes_first_and_ctrl_enter_scores(visit: Visit) -> None:
    page = visit.page
    page.get_by_role("tab", name="Score").click()
    page.fill("#score-text textarea", "a lovely film")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#text-answer .answer")
    page.evaluate("document.activeElement.blur(); getSelection().removeAllRanges(); scrollTo(0, 0)")
    page.focus("a.skip")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("document.querySelector('a, button, input, textarea').className") == "skip"
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.activeElement.closest('#box') !== null")
