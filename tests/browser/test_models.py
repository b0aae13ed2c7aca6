"""Which model speaks: your own server, connected in the page, its key shown nowhere, and its faults."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from nlpkit.chat.server import create_app
from nlpkit.chat.store import Store
from tests.browser.conftest import Server, Visit
from tests.fakes import FakeBot
from tests.served import live

KEY = "sk-a-secret-of-this-test"
PAGE = "<!DOCTYPE html><html><body><h1>It works!</h1><script>alert(1)</script></body></html>"


class Faulty(ThreadingHTTPServer):
    """A server that answers as a test wants."""

    daemon_threads = True
    mode = "fine"

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(BaseHTTPRequestHandler):
    server: Faulty

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self._answer(200, "application/json", json.dumps({"data": [{"id": "small"}, {"id": "large"}]}))

    def do_POST(self) -> None:
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.server.mode == "page":
            self._answer(200, "text/html", PAGE)
        elif self.server.mode == "deleted":
            self._answer(404, "application/json", '{"error": {"message": "model large not found"}}')
        else:
            text = f"{said['model']} heard {said['messages'][-1]['content']}"
            reason = None if self.server.mode == "dies" else "stop"
            event = {"choices": [{"delta": {"content": text}, "finish_reason": reason}]}
            self._answer(200, "text/event-stream", f"data: {json.dumps(event)}\n\n")

    def _answer(self, status: int, kind: str, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(text.encode())


@pytest.fixture
def faulty() -> Iterator[Faulty]:
    with Faulty() as made:
        threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield made
        made.shutdown()


def connect(visit: Visit, address: str, key: str = "") -> None:
    if not visit.page.locator("#connect-address").is_visible():
        visit.page.click("#connect > button")
    visit.page.fill("#connect-address input, #connect-address textarea", address)
    visit.page.fill("#connect-key input", key)
    visit.page.click("#connect-button")


def stored(server: Server, at: str) -> Any:
    with Store.open(server.store) as store:
        return store.read(at.split("chat=")[1], "")


def test_i7_your_own_server_answers_in_this_chat_and_its_key_is_shown_nowhere(
    visit: Visit, server: Server
) -> None:
    sent: list[str] = []
    assert visit.say("hello") == "echo 1 heard: hello"
    visit.page.on("response", lambda response: sent.append(response.text() if _is_text(response) else ""))
    with live(create_app(FakeBot("parrot"), keys=[KEY])) as url:
        connect(visit, f"{url}/v1", "a-wrong-key")
        visit.until("#connect-about", "answered 401")
        connect(visit, f"{url}/v1", KEY)
        name = f"parrot at {url}/v1"
        visit.until("#connect-about", f"Connected. {name} answers from now on.")
        assert visit.page.input_value("#connect-key input") == ""
        visit.until("#context", name)
        # the chat goes on, with all that was said before
        assert visit.say("and now?") == "3: and now?"
        visit.open(f"/?chat={visit.page.url.split('chat=')[1]}")
        visit.until("#context", f"The last reply is by {name}.")
        chat = stored(server, visit.page.url)
        assert (chat.run, [message.chat_model for message in chat.messages[1::2]]) == (name, ["echo", name])
        assert sent
        assert KEY not in visit.page.content() + "".join(sent) + server.log()
        for file in server.folder.rglob("*"):
            if file.is_file() and KEY.encode() in file.read_bytes():
                assert file.name == "servers.json"
                assert file.stat().st_mode & 0o077 == 0
        # two models side by side, and then it is forgotten
        visit.page.click("#persona > button")
        visit.page.click("#other-run input")
        visit.page.get_by_role("option", name="other", exact=True).click()
        visit.page.click("#other")
        visit.page.wait_for_selector("#chatbot .choose")
        assert visit.page.locator("#chatbot .by").all_inner_texts() == [name, "other"]
        assert visit.replies()[-2] == "3: and now?"
        visit.page.get_by_label("Choose the reply of other").click()
        visit.page.wait_for_selector("#chatbot .choose", state="detached")
        visit.page.click("#connect > button")
        visit.page.click("#disconnect")
        visit.until("#connect-about", "is disconnected.")
        assert KEY not in Path(server.folder / "servers.json").read_text(encoding="utf-8")


def _is_text(response: Any) -> bool:
    return response.status == 200 and "json" in response.headers.get("content-type", "")


def test_i7_of_several_models_one_is_chosen(visit: Visit, faulty: Faulty) -> None:
    connect(visit, "localhost:8000")
    visit.until("#connect-about", "Begin with http://")
    connect(visit, faulty.address)
    visit.until("#connect-about", "It has 2 models: choose one, or type its name.")
    visit.page.click("#connect-model input")
    visit.page.get_by_role("option", name="large").click()
    visit.until("#connect-about", f"Connected. large at {faulty.address} answers")
    assert visit.say("hello") == "large heard hello"


FAULTS = {
    "page": "answered with a web page instead of a reply. Check the address",
    "dies": "the connection ended in the middle of a reply. Retry.",
    "deleted": "the server answered 404: model large not found. Check the name of the model",
}


def test_d4_a_server_that_fails_leaves_one_message_and_one_note_and_retry_works(
    visit: Visit, server: Server, faulty: Faulty
) -> None:
    connect(visit, f"{faulty.address}#large")
    visit.until("#connect-about", "Connected.")
    said, replied = [], []
    for mode, words in FAULTS.items():
        faulty.mode, said = mode, [*said, mode]
        visit.send(mode)
        visit.until("#status", words)
        visit.done()
        assert faulty.address in visit.page.locator("#status").inner_text()
        assert visit.said() == said
        assert visit.page.input_value("#box textarea") == ""
        assert visit.page.locator(".toast-body").count() == 0
        assert visit.replies() == [*replied, *([f"large heard {mode}"] if mode == "dies" else [])]
        faulty.mode, replied = "fine", [*replied, f"large heard {mode}"]
        visit.page.locator("#status .press", has_text="Retry").click()
        visit.page.wait_for_function(
            "words => !document.querySelector('#status').innerText.includes(words)", arg=words
        )
        visit.done()
        assert visit.replies() == replied
    both = [text for pair in zip(said, replied, strict=True) for text in pair]
    assert [message.text for message in stored(server, visit.page.url).messages] == both
