"""Look at the documentation site in a browser, after `make docs`: `python -m tests.site [FOLDER]`.

Takes pictures of three pages at two widths in both themes into FOLDER, runs axe on each, counts what is asked
of other machines, and asks the search twenty questions. Exits with 1 if anything is wrong.
"""

from __future__ import annotations

import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.browser.conftest import ARGUMENTS, chromium

SITE = Path(__file__).parents[1] / "build" / "docs"
PAGES = ("index", "which", "settings/lora")
WIDTHS = ((1280, 800), (390, 844))
PATIENCE = 600_000
"""Milliseconds to wait for a page on a busy machine."""
QUESTIONS = {
    "score a csv file": "scoring",
    "training.lr": "settings/training",
    "macro f1": "metrics",
    "calibration": "evaluation",
    "vader": "migrate",
    "exit codes": "command-line",
    "duplicates in my data": "data",
    "whatsapp": "data",
    "openai compatible server": "serving",
    "differential privacy": "private",
    "export onnx": "runtimes",
    "which words": "explain",
    "bias groups": "audit",
    "ray cluster": "ray",
    "few examples": "training",
    "false alarm stream": "watch",
    "distillation teacher": "distillation",
    "no such file, and no shipped config": "errors/training",
    "firewall index hub": "sources",
    "setfit": "migrate",
}
"""What is typed -> the page that answers it, which must be among the first three."""


class Quiet(SimpleHTTPRequestHandler):
    """Serves files without a word."""

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing."""


def main(folder: Path) -> int:
    """Print what was seen, and return how much of it is wrong."""
    from playwright.sync_api import sync_playwright

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(SITE)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    folder.mkdir(parents=True, exist_ok=True)
    asked: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        wrong = sum(
            look(browser, address, name, folder, scheme, size, asked)
            for name in PAGES
            for scheme in ("light", "dark")
            for size in WIDTHS
        )
        page = visit(browser, asked)
        wrong += ask(page, address)
        page.goto((SITE / "index.html").as_uri())
        found = answers(page, "exit codes")
        print(f"opened as a file, the search finds {found[:3]}")
        wrong += not found
        browser.close()
    server.shutdown()
    elsewhere = [url for url in asked if not url.startswith((address, "file:", "data:", "blob:"))]
    print(f"{len(asked)} requests, {len(elsewhere)} to other machines {elsewhere[:5]}")
    return wrong + len(elsewhere)


def visit(browser: Any, asked: list[str], **context: Any) -> Any:
    """Return an empty page of a browser that keeps nothing, such as the theme of an earlier visit."""
    page = browser.new_context(**context).new_page()
    page.set_default_timeout(PATIENCE)
    page.on("request", lambda request: asked.append(request.url))
    return page


def look(
    browser: Any,
    address: str,
    name: str,
    folder: Path,
    scheme: str,
    size: tuple[int, int],
    asked: list[str],
) -> int:
    """Take a picture of a page, and return how much axe finds; a page that is too wide counts too."""
    from axe_playwright_python.sync_playwright import Axe

    viewport = dict(zip(("width", "height"), size, strict=True))
    page = visit(browser, asked, viewport=viewport, color_scheme=scheme, reduced_motion="reduce")
    page.goto(f"{address}/{name}.html")
    page.screenshot(path=folder / f"{name.replace('/', '-')}-{size[0]}-{scheme}.png")
    found = [
        (violation["id"], violation["impact"], [node["html"][:100] for node in violation["nodes"][:2]])
        for violation in Axe().run(page).response["violations"]
    ]
    wide = bool(page.evaluate("document.documentElement.scrollWidth > innerWidth"))
    print(f"{name} {size[0]} {scheme}: axe {found}{', too wide' if wide else ''}")
    page.context.close()
    return len(found) + wide


def ask(page: Any, address: str) -> int:
    """Type each question into the search, and return how many are not answered."""
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(f"{address}/index.html")
    missed = 0
    for question, wanted in QUESTIONS.items():
        found = answers(page, question)
        first = [url.partition(f"{address}/")[2].partition(".html")[0] for url in found[:3]]
        missed += wanted not in first
        print(f"{'found ' if wanted in first else 'MISSED'} {question!r}: {first}")
    print(f"{len(QUESTIONS) - missed} of {len(QUESTIONS)} questions are answered by the first three results")
    return missed


def answers(page: Any, question: str) -> list[str]:
    """Return the addresses that the search shows, the best first."""
    box = page.locator("[data-md-component=search-query]")
    empty = "document.querySelector('.md-search-result__meta').innerText.startsWith('Type')"
    for text, shown in (("", empty), (question, f"!{empty}")):
        box.fill(text, force=True)
        box.press("End")  # the search waits for keys
        page.wait_for_function(shown)
    links: list[str] = page.eval_on_selector_all(
        ".md-search-result__item > a", "links => links.map(link => link.href.split('?')[0].split('#')[0])"
    )
    return list(dict.fromkeys(links))  # a result lists sections of its page too


if __name__ == "__main__":
    sys.exit(bool(main(Path(sys.argv[1] if len(sys.argv) > 1 else "build/pictures"))))
