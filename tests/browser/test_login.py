"""With a login, nobody comes in without a password, and each sees only what is theirs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from demo.login import add_user
from tests.browser.conftest import Server, Visit

WORDS = {"ann": "correct horse", "bob": "battery staple"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("login")
    for name, password in WORDS.items():
        add_user(folder / "users", name, password)
    made = Server(folder)
    made.words = (*made.words, str(folder / "users"))
    try:
        yield made.start()
    finally:
        made.kill()


def enter(page: Any, name: str, password: str) -> None:
    page.locator("input").first.fill(name)
    page.locator("input[type=password]").fill(password)
    page.get_by_role("button", name="Login").click()


def visitor(browser: Any, server: Server, name: str) -> Visit:
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    context.set_default_timeout(60_000)
    made = Visit(context.new_page(), server)
    made.page.goto(server.address)
    enter(made.page, name, WORDS[name])
    made.page.wait_for_selector("#context h2")
    assert made.page.locator("#connect").count() == 0  # nobody makes this machine send requests anywhere
    return made


def test_each_sees_only_what_is_theirs(browser: Any, server: Server) -> None:
    ann = visitor(browser, server, "ann")
    ann.say("the plan of ann")
    bob = visitor(browser, server, "bob")
    bob.until("#chats", "None yet")
    assert bob.chats() == []
    bob.page.goto(ann.page.url)
    bob.page.wait_for_selector("#context h2")
    assert bob.said() == []
    bob.say("words of bob")
    ann.page.reload()
    ann.until("#chatbot", "the plan of ann")
    ann.page.wait_for_selector("#chats .title")
    assert ann.chats() == ["the plan of ann"]
    assert ann.outside == bob.outside == []
    for one in (ann, bob):
        one.page.context.close()


def test_a_wrong_password_opens_nothing(browser: Any, server: Server) -> None:
    context = browser.new_context()
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.goto(server.address)
    enter(page, "ann", "wrong horse")
    page.get_by_text("Incorrect").first.wait_for()
    assert page.locator("#box").count() == 0
    context.close()


@pytest.mark.parametrize(
    "path", ["config", "gradio_api/info", "gradio_api/mcp/", "gradio_api/queue/data?session_hash=x"]
)
def test_without_a_login_nothing_is_answered(server: Server, path: str) -> None:
    assert httpx2.get(f"{server.address}/{path}", timeout=20).status_code in (401, 403, 404)
    body = {"fn_index": 0, "data": [], "session_hash": "x"}
    assert httpx2.post(f"{server.address}/gradio_api/queue/join", json=body, timeout=20).status_code == 401
    assert (
        httpx2.post(
            f"{server.address}/gradio_api/call/v2/chat", json={"text": "hello"}, timeout=20
        ).status_code
        == 401
    )
