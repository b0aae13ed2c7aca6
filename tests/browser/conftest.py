"""A browser, and the demo with a bot that knows its lines, each test with a store of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.forked import Forked, preload

ROOT = Path(__file__).parents[2]
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def chromium() -> str | None:
    return next(
        (
            found
            for name in ("chromium", "chromium-browser", "google-chrome")
            if (found := shutil.which(name))
        ),
        None,
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.browser)
            if chromium() is None:
                item.add_marker(pytest.mark.skip(reason="no Chromium: apt-get install chromium"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Show, below a failure, what the pages and the server's log say."""
    report = yield
    visit = getattr(item, "funcargs", {}).get("visit")
    if report.when == "call" and report.failed and visit:
        for page in visit.page.context.pages:
            with contextlib.suppress(Exception):
                report.sections.append((f"page {page.url}", page.inner_text("body", timeout=5000)))
        report.sections.append(("server", visit.server.log()[-5000:]))
    return report


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """The demo as a process that can be killed and started again on the same port."""

    def __init__(self, folder: Path, *words: str) -> None:
        """`words`: what the interpreter runs, instead of the demo with its scripted bot."""
        self.folder = folder
        self.store = folder / "chat.sqlite"
        self.runs = folder / "runs"
        self.runs.mkdir(exist_ok=True)
        self.port = free_port()
        own = ("--store", str(self.store), "--runs", str(self.runs), "--port", str(self.port))
        self.words = (
            (*words, *own)
            if words
            else ("-m", "tests.browser.fake", str(self.store), str(self.runs), str(self.port))
        )
        self.process: Forked | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Server:
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        preload("gradio")  # the scripted demo needs no other slow library
        self.process = Forked(*self.words, environment=environment, output=self.folder / "server.log")
        deadline = time.monotonic() + 300
        while True:
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            try:
                httpx2.get(self.address, timeout=5)
                return self
            except httpx2.TransportError:
                time.sleep(0.2)

    def kill(self) -> None:
        assert self.process
        self.process.kill()
        self.process.wait(30)

    def log(self) -> str:
        return (self.folder / "server.log").read_text(errors="replace")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("demo"))
    try:
        yield made.start()
    finally:
        made.kill()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Playwright holds this thread's event loop until it ends: other modules may need it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield opened
        opened.close()


class Visit:
    """A page, what it asked for outside, and what ran that must not."""

    def __init__(self, page: Any, server: Server) -> None:
        self.page, self.server = page, server
        self.outside: list[str] = []
        self.alerts: list[str] = []
        self.waiting: set[Any] = set()
        page.on("request", self._asked)
        page.on("requestfinished", lambda request: self.waiting.discard(request))
        page.on("requestfailed", self._failed)
        page.on("dialog", lambda dialog: (self.alerts.append(dialog.message), dialog.dismiss()))

    def _asked(self, request: Any) -> None:
        self.waiting.add(request)
        url = request.url
        if not url.startswith((self.server.address, "data:", "blob:", "about:")):
            self.outside.append(url)

    def _failed(self, request: Any) -> None:
        self.waiting.discard(request)
        # What the page's policy forbids is announced, refused, and never leaves the browser
        if request.url in self.outside and request.failure == "csp":
            self.outside.remove(request.url)

    def open(self, path: str = "/") -> Visit:
        self.page.goto(self.server.address + path)
        self.page.wait_for_selector("#box textarea")
        self.page.wait_for_selector("#context h2", state="attached")  # a phone hides the panel
        return self

    def say(self, text: str) -> str:
        """What was answered."""
        before = self.replies()
        self.send(text)
        self.page.wait_for_function(
            "count => document.querySelectorAll('#chatbot .bot.message').length > count", arg=len(before)
        )
        self.done()
        return self.replies()[-1]

    def send(self, text: str) -> None:
        self.page.fill("#box textarea", text)
        self.page.press("#box textarea", "Enter")

    def done(self) -> None:
        """Wait until no reply is coming."""
        self.page.wait_for_selector("#stop", state="hidden")
        self.page.wait_for_selector("#send", state="visible")
        self.page.wait_for_function(
            "() => ![...document.querySelectorAll('#chatbot .bot.message')]"
            ".some(message => message.innerText.trim() == '…')"
        )

    def rest(self) -> None:
        """Wait until the page has asked the server for nothing for a second."""
        quiet, deadline = 0, time.monotonic() + 60
        while quiet < 10:
            assert time.monotonic() < deadline, [request.url for request in self.waiting]
            self.page.wait_for_timeout(100)
            quiet = 0 if self.waiting else quiet + 1

    def until(self, selector: str, words: str) -> None:
        """Wait until these words are seen there."""
        self.page.wait_for_function(
            "([at, words]) => document.querySelector(at)?.innerText.includes(words)", arg=[selector, words]
        )  # fmt: skip

    def replies(self) -> list[str]:
        return [one.strip() for one in self.page.locator("#chatbot .bot.message").all_inner_texts()]

    def said(self) -> list[str]:
        return [one.strip() for one in self.page.locator("#chatbot .user.message").all_inner_texts()]

    def chats(self) -> list[str]:
        return list(self.page.locator("#chats .title").all_inner_texts())


@pytest.fixture(scope="module")
def context(browser: Any) -> Iterator[Any]:
    """Keep what pages load, so that only a module's first one loads all of it."""
    opened = browser.new_context(
        viewport={"width": 1280, "height": 860}, color_scheme="light", accept_downloads=True
    )
    opened.set_default_timeout(60_000)
    yield opened
    opened.close()


@pytest.fixture
def visit(context: Any, server: Server) -> Iterator[Visit]:
    """Open a page in which no former one has left anything."""
    page = context.new_page()
    kept = {"origin": server.address, "storageTypes": "local_storage"}
    context.new_cdp_session(page).send("Storage.clearDataForOrigin", kept)
    made = Visit(page, server)
    made.open()
    yield made
    context.clear_permissions()
    for opened in context.pages:
        opened.close()
    assert made.outside == []
    assert made.alerts == []
