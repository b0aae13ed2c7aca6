"""The pictures of the guide: `python -m tests.browser.pictures docs RUNS`. Only the bot is scripted."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.browser.conftest import ARGUMENTS, Visit, chromium, free_port
from tests.browser.fake import FakeAnswer, FakeBot

TALK = [
    (
        "Hi! I finally finished my first half marathon today, I am so happy.",
        "Congratulations! How do your legs feel now?",
    ),
    (
        "Sore, but it was wonderful. The crowd was lovely.",
        "A good crowd carries you through the last part. Did you run with anyone?",
    ),
    (
        "Alone. My friend cancelled the evening before, which was really disappointing.",
        "That is a pity. Did your friend say why?",
    ),
    (
        "No, not a word. I am still annoyed about it.",
        "I understand. You could tell them just that, now that the race is behind you.",
    ),
    (
        "You are right, I will call tomorrow. Thank you, that helps.",
        "You're welcome. Until then, rest well. You have earned it.",
    ),
]
HOURS = "The kitchen of the club is open from 10 to 14. On Fridays it serves fish, on other days soup.\n"
QUESTION = ("When can I eat fish?", "On Friday, between 10 and 14.")
FILM = [
    "A warm, funny and beautifully acted film.",
    "Two hours that I will never get back.",
    "It has a beginning and an end.",
    "Simply superb!",
    "The plot makes no sense, and the jokes are stale.",
    "I have seldom been so moved by a story.",
    "It runs for 96 minutes.",
    "Not bad, but I expected more of this director.",
    "A dull script, saved by a great cast.",
    "The worst sequel that I have seen.",
    "My children loved every minute of it.",
    "Loud, long and boring.",
]
SIZES = {"desktop": (1280, 860), "phone": (390, 844)}


class Scripted(FakeBot):
    """Answers what the script says."""

    def stream(self, conversation: Any, **more: Any) -> FakeAnswer:
        answer = super().stream(conversation, **more)
        reply = dict([*TALK, QUESTION]).get(conversation.turns[-1].text, "I see.")
        return FakeAnswer([f"{word} " for word in reply.split()], 0.0, answer.context)


def main(target: Path) -> None:
    """Serve the demo, talk, and write the pictures."""
    with tempfile.TemporaryDirectory() as folder:
        address = served(Path(folder))
        from playwright.sync_api import sync_playwright

        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
            chats = talked(browser, address, Path(folder))
            for scheme in ("light", "dark"):
                for size, (width, height) in SIZES.items():
                    context = browser.new_context(
                        viewport={"width": width, "height": height}, color_scheme=scheme
                    )
                    context.set_default_timeout(120_000)
                    take(context.new_page(), address, chats, target, f"{size}-{scheme}")
                    context.close()
            browser.close()
    for picture in target.glob("demo-*.png"):
        smaller(picture)


def smaller(picture: Path) -> None:
    """Keep the colors that differ most: a page has few, and the color of a small dot matters, too."""
    from PIL import Image

    with Image.open(picture) as opened:
        few = opened.convert("RGB").quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(picture, optimize=True)


def served(folder: Path) -> str:
    from demo.app import build
    from demo.gradio_server import quiet_gradio, serve
    from demo.guard import DemoLimits
    from nlpkit.chat.store import Store
    from nlpkit.classifiers.classifier import Classifier

    quiet_gradio(folder)
    from demo.model_pool import ModelPool
    from demo.servers import Servers

    scorer = Classifier.load()
    chat_models = {"a scripted bot": lambda: Scripted("a scripted bot"), "another bot": FakeBot}
    servers = Servers(folder / "servers.json")
    store = Store.open(folder / "chat.sqlite")
    pool = ModelPool(store, lambda: chat_models | servers.offer, scorer, can_connect=True)
    page = build(
        pool,
        scorer,
        runs=Path(sys.argv[2]) if len(sys.argv) > 2 else folder,
        folder=folder / "scored",
        limits=DemoLimits(),
        servers=servers,
    )
    return serve(page, host="127.0.0.1", port=free_port(), limits=DemoLimits(), block=False)[0]


def talked(browser: Any, address: str, folder: Path) -> tuple[str, str]:
    """Return the ids of a conversation with something in it, and of one with a file."""
    context = browser.new_context()
    context.set_default_timeout(120_000)

    class At:
        pass

    at: Any = At()
    at.address = address.rstrip("/")
    visit = Visit(context.new_page(), at).open()
    (folder / "opening hours.txt").write_text(HOURS * 4, encoding="utf-8")
    visit.page.set_input_files("input[type=file] >> nth=0", folder / "opening hours.txt")
    visit.page.wait_for_selector("#file-strip .file")
    visit.say(QUESTION[0])
    with_file = visit.page.url.split("chat=")[1]
    visit.page.click("#new-chat")
    visit.page.wait_for_function("() => document.querySelectorAll('#chatbot .message').length == 0")
    for said, _ in TALK:
        visit.say(said)
    visit.page.locator('#chatbot button[aria-label="Like"]').last.click()
    visit.page.wait_for_selector("#why-row", state="visible")
    talk = str(visit.page.url.split("chat=")[1])
    context.close()
    return talk, str(with_file)


def take(page: Any, address: str, chats: tuple[str, str], target: Path, name: str) -> None:
    """Take the pictures of each state."""
    page.goto(address)
    page.wait_for_selector(".starters")
    page.wait_for_timeout(1000)
    page.screenshot(path=target / f"demo-start-{name}.png")
    page.goto(f"{address}?chat={chats[1]}")
    page.wait_for_selector("#file-strip .file")
    page.wait_for_selector("#mood circle", state="attached")
    page.wait_for_timeout(1000)
    page.screenshot(path=target / f"demo-file-{name}.png")
    page.goto(f"{address}?chat={chats[0]}")
    page.wait_for_selector("#chatbot .bot.message")
    page.wait_for_selector("#mood circle", state="attached")
    page.wait_for_timeout(1500)
    page.screenshot(path=target / f"demo-chat-{name}.png", full_page="phone" in name)
    page.get_by_role("tab", name="Score").click()
    page.fill("#score-text textarea", "Not bad at all: I laughed a lot, although the ending was weak.")
    page.click("#score-button")
    page.wait_for_selector("#text-answer .answer")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "films.csv"
        file.write_text("text\n" + "".join(f'"{text}"\n' for text in FILM * 2), encoding="utf-8")
        page.set_input_files("#upload input[type=file]", str(file))
        page.wait_for_function("() => document.querySelector('#about-file').innerText.includes('films.csv')")
        page.click("#score-file")
        page.wait_for_selector("#file-answer svg")
    page.wait_for_timeout(500)
    height = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": page.viewport_size["width"], "height": height})
    page.wait_for_timeout(500)
    page.screenshot(path=target / f"demo-score-{name}.png")
    page.set_viewport_size(dict(zip(("width", "height"), SIZES[name.split("-")[0]], strict=True)))
    page.get_by_role("tab", name="Reports").click()
    page.wait_for_selector("iframe.report, #report-about p")
    page.wait_for_timeout(2500)
    page.screenshot(path=target / f"demo-reports-{name}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
