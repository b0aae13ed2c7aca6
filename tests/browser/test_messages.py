"""Messages: how they look, their versions, comparing, files, drafts, and two pages at once."""

from __future__ import annotations

from pathlib import Path

from nlpkit.chat.store import Store
from tests.browser.conftest import Server, Visit

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
    box(visit, "another one")
    page.go_back()
    visit.until("#chatbot", "half a thought")
    box(visit, "")  # what was sent is no draft
