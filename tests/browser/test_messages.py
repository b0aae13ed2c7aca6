"""Messages: how they look, their versions, comparing, files, drafts, and two pages at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nlpkit.chat.store import Store
from tests.browser.conftest import Server, Visit
from tests.browser.fake import SLOW
from tests.browser.test_page import WCAG

WRITTEN = "# no heading\n  two  spaces, **stars**, `ticks`, $x$ and <b>tags</b>\n\n- no item"
REPLY = """**bold**, $E = mc^2$, $5 and $6

```python
cost = "<b>$$"  # \\( stays
```

$$\\frac{1}{2} < 1$$

![x](http://127.0.0.2:9/x.png) <img src="http://127.0.0.2:9/y.png"> [link](javascript:alert(1))"""


def test_d10_a_reply_is_markdown_and_a_message_is_shown_as_it_was_typed(visit: Visit) -> None:
    page = visit.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visit.say(WRITTEN)
    # each line and space, and no markup
    assert page.locator("#chatbot .user .prose").first.inner_text().strip("\n") == WRITTEN
    assert page.locator("#chatbot .user .prose :is(h1, li, code, strong, b, .katex)").count() == 0
    page.locator('#chatbot button[aria-label="Edit"]').click()
    page.wait_for_function("text => document.querySelector('#chatbot textarea')?.value == text", arg=WRITTEN)
    page.locator("#chatbot button[aria-label=Cancel]").click()
    visit.say(REPLY)
    reply = page.locator("#chatbot .bot .prose").last
    assert reply.locator("strong").inner_text() == "bold"
    page.wait_for_function("() => document.querySelectorAll('#chatbot .bot .katex-display').length == 1")
    assert reply.locator("annotation").all_text_contents() == ["E = mc^2", "\\frac{1}{2} < 1"]
    assert "$5 and $6" in reply.inner_text()
    # nothing of it is a picture or code that runs; the fixture checks that nothing was asked outside
    assert reply.locator("img, [href^=javascript]").count() == 0
    assert '<img src="http://127.0.0.2:9/y.png">' in reply.inner_text().replace("\u2060", "")
    reply.locator(".copy_code_button").click()
    page.wait_for_function("async () => (await navigator.clipboard.readText()).includes('cost')")
    assert page.evaluate("navigator.clipboard.readText()") == 'cost = "<b>$$"  # \\( stays'


def test_d10_versions_of_a_reply_and_of_a_message_are_leafed_through(visit: Visit, server: Server) -> None:
    page = visit.page
    first = visit.say("once")
    visit.page.click("#retry")
    visit.until("#chatbot .bot-row + .message-buttons .versions", "2/2")
    page.get_by_label("Previous version").click()
    visit.until("#chatbot .bot-row + .message-buttons .versions", "1/2")
    assert visit.replies() == [first]
    # the other arrow has the focus, since this one leads no further
    page.wait_for_function("() => document.activeElement.getAttribute('aria-label') == 'Next version'")
    visit.say("twice")
    with Store.open(server.store) as store:
        seen = store.read(store.chats("")[0].id, "").messages
    assert [message.text for message in seen[:3]] == ["once", first, "twice"]
    page.locator('#chatbot button[aria-label="Edit"]').first.click()
    page.locator("#chatbot textarea").fill("at first")
    page.locator("#chatbot textarea").press("Enter")
    visit.until("#chatbot .user-row + .message-buttons .versions", "2/2")
    visit.done()
    assert visit.said() == ["at first"]
    page.get_by_label("Previous version").click()
    visit.until("#chatbot", "twice")
    assert visit.said() == ["once", "twice"]
    visit.page.reload()
    visit.until("#chatbot .versions", "1/2")
    assert visit.said() == ["once", "twice"]


def test_d10_a_text_file_is_read_counted_kept_and_removed(visit: Visit, tmp_path: Path) -> None:
    page = visit.page
    picture, long = tmp_path / "picture.txt", tmp_path / "long.txt"
    picture.write_bytes(b"\x89PNG\r\n" + bytes(2000))
    long.write_text("x" * 5_000_001)
    for file, reason in ((picture, "it is a picture"), (long, "5,000,001 bytes; expected at most")):
        page.set_input_files("input[type=file] >> nth=0", file)
        page.wait_for_function(
            "words => document.querySelector('.toast-body')?.innerText.includes(words)", arg=reason
        )
    assert visit.page.locator("#file-strip .file").count() == 0
    hours = tmp_path / "<b>hours.txt"
    hours.write_text("open 10 to 14 <img src=x onerror=alert(1)> " + "more " * 300)
    page.set_input_files("input[type=file] >> nth=0", hours)
    page.wait_for_selector("#file-strip .file")
    assert "open 10 to 14 <img src=x onerror=alert(1)>" in visit.say("when?").replace("\u2060", "")
    # 200 of the 500 tokens of the window
    visit.until("#file-entry", "200 tokens")
    visit.page.reload()
    visit.until("#file-strip", "hours.txt")
    page.locator("#file-strip button").click()
    page.wait_for_selector("#file-strip .file", state="detached")
    assert "open 10" not in visit.say("and now?")
    visit.page.reload()
    visit.until("#chatbot", "and now?")
    assert visit.page.locator("#file-strip .file").count() == 0


def box(visit: Visit, text: str) -> None:
    """Wait until the message box holds a text."""
    visit.page.wait_for_function("text => document.querySelector('#box textarea')?.value == text", arg=text)


def test_d10_drafts_are_kept_for_each_conversation(visit: Visit) -> None:
    page = visit.page
    page.fill("#box textarea", "half a thought")
    page.get_by_role("button", name="I had a long day at work.").click()
    visit.until("#chatbot .bot", "heard: I had a long day at work.")
    visit.done()
    box(visit, "half a thought")  # which a suggestion does not touch
    page.reload()
    box(visit, "half a thought")
    page.click("#new-chat")
    box(visit, "")
    page.fill("#box textarea", "another one")
    page.wait_for_timeout(300)
    page.go_back()
    box(visit, "half a thought")
    page.press("#box textarea", "Enter")
    visit.until("#chatbot", "heard: half a thought")
    visit.done()
    page.get_by_role("button", name="Explain more.").click()
    visit.until("#chatbot", "heard: Explain more.")
    visit.done()
    assert visit.said() == ["I had a long day at work.", "half a thought", "Explain more."]
    page.click("#new-chat")
    page.wait_for_function("() => document.querySelectorAll('#chatbot .message').length == 0")
    box(visit, "another one")
    page.go_back()
    visit.until("#chatbot", "half a thought")
    box(visit, "")  # what was sent is no draft


def choose(visit: Visit, name: str) -> None:
    """Choose the chat model that answers."""
    visit.page.click("#persona button")
    visit.page.locator("#run input").click()
    visit.page.get_by_role("option", name=name).click()
    visit.until("#context", name)


def test_d3_a_reload_in_any_phase_of_a_reply_loses_and_doubles_nothing(visit: Visit) -> None:
    page = visit.page
    visit.say("begin")
    choose(visit, "late")
    # accepted after 0.6 s, then some 0.7 s of words: queued, first word, half, and about its end
    for phase in (0.2, 0.7, 1.0, 1.3):
        visit.send(f"phase {phase}")
        visit.until("#chatbot", f"phase {phase}")
        page.wait_for_timeout(int(1000 * phase))
        page.reload()
        visit.until("#chatbot", f"heard: phase {phase}")
        visit.done()
        box(visit, "")
    phases = [f"phase {phase}" for phase in (0.2, 0.7, 1.0, 1.3)]
    assert visit.said() == ["begin", *phases]
    assert [reply.partition("heard: ")[2] for reply in visit.replies()] == ["begin", *phases]


def test_a_reply_that_ends_while_a_page_opens_is_shown_to_its_end(visit: Visit, server: Server) -> None:
    page, held = visit.page, []
    visit.send(SLOW)
    visit.until("#chatbot", "word3")
    chat = page.url.partition("chat=")[2]

    def follows(request: Any) -> bool:
        """Is it the request for more of the reply, which the page sends when it shows what there is?"""
        return "/queue/join" in request.url and f'"data":["{chat} ' in request.post_data

    page.route(
        "**/queue/join*", lambda each: held.append(each) if follows(each.request) else each.continue_()
    )
    with page.expect_request(follows):
        page.reload()
    visit.until("#chatbot", "word3")
    other = Visit(page.context.new_page(), server)
    other.open(page.url.removeprefix(server.address))
    other.page.click("#stop")
    other.done()
    (whole,) = other.replies()
    assert whole not in visit.replies()
    for route in held:
        route.continue_()
    visit.done()
    assert visit.replies() == [whole]


def test_d3_two_pages_change_a_conversation_and_neither_loses_a_message(visit: Visit, server: Server) -> None:
    visit.say("first")
    other = Visit(visit.page.context.new_page(), server)
    other.open(visit.page.url.removeprefix(server.address))
    other.until("#chatbot", "heard: first")
    other.say("second, from elsewhere")
    # what this page does not show is neither removed nor rated
    visit.page.click("#undo")
    visit.until(".toast-body", "this conversation has changed meanwhile")
    visit.until("#chatbot", "heard: second, from elsewhere")
    assert visit.said() == ["first", "second, from elsewhere"]
    visit.page.locator(".toast-close").first.click()
    other.page.click("#retry")
    other.until("#chatbot .versions", "2/2")
    visit.page.locator("#chatbot button[aria-label=Like]").last.click()
    visit.until(".toast-body", "this conversation has changed meanwhile")
    visit.until("#chatbot .versions", "2/2")
    with Store.open(server.store) as store:
        chat = store.read(store.chats("")[0].id, "")
    assert [message.rating for message in chat.messages] == [None] * 4
    # a message of a page that is behind comes after all that was said
    assert visit.say("third").endswith("heard: third")
    assert visit.said() == ["first", "second, from elsewhere", "third"]


def test_d3_two_pages_that_write_at_once_both_say_so_and_show_the_reply(visit: Visit, server: Server) -> None:
    visit.say("first")
    other = Visit(visit.page.context.new_page(), server)
    other.open(visit.page.url.removeprefix(server.address))
    other.send(SLOW)
    other.until("#chatbot", "word3")
    visit.send("meanwhile")
    visit.until(".toast-body", "a reply is being written")
    # it is kept in the box, and the reply of the other page is shown as it grows
    box(visit, "meanwhile")
    visit.until("#chatbot", "word15")
    visit.page.click("#stop")
    other.until("#status", "You stopped this reply.")
    visit.done()
    visit.page.press("#box textarea", "Enter")
    visit.until("#chatbot", "heard: meanwhile")
    visit.done()
    assert visit.said() == ["first", SLOW, "meanwhile"]


def test_d10_axe_finds_nothing_in_code_versions_and_two_replies(visit: Visit) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = visit.page
    visit.say(REPLY)
    page.click("#retry")
    visit.until("#chatbot .versions", "2/2")
    page.click("#other")
    page.wait_for_selector("#chatbot .choose")
    visit.done()
    for scheme in ("light", "dark"):
        page.evaluate("dark => document.body.classList.toggle('dark', dark)", scheme == "dark")
        page.wait_for_timeout(500)
        violations = Axe().run(page, options=WCAG).response["violations"]
        serious = [found["id"] for found in violations if found["impact"] in ("critical", "serious")]
        assert serious == []
