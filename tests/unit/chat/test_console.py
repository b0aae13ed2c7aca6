"""The terminal: what is typed, what is shown, and that Ctrl-C ends a reply before it ends the program."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nlpkit.chat.console import Console
from nlpkit.chat.session import Session
from nlpkit.chat.store import Store
from nlpkit.chat.text_limits import ChatLimits
from nlpkit.cli.terminal import printable
from nlpkit.errors import SourceError
from nlpkit.generation.sampling import Sampling
from tests.fakes import FakeBot, FakeClassifier

ROOT = Path(__file__).parents[3]

Line = str | type[BaseException]


class Talk:
    """A terminal without one: lines that are typed, what the bot's side shows, and the rest."""

    def __init__(self, store: Store, chat_model: FakeBot, **more: object) -> None:
        self.said, self.noted = "", ""
        self.session = Session(store, chat_model, FakeClassifier(), limits=ChatLimits(max_characters=100))
        self._more = more

    def __call__(self, *lines: Line) -> str:
        """What is shown for these lines; the notes come after the replies."""
        self.said = self.noted = ""
        left = iter(lines)

        def read(prompt: str) -> str:
            line = next(left, EOFError)
            if isinstance(line, str):
                return line
            raise line

        console = Console(
            self.session, read=read, write=self._write, note=self._note, prompts=("", ""), **self._more
        )  # type: ignore[arg-type]
        console.run()
        assert next(left, None) is None, "it left before all lines were read"
        return self.said + self.noted

    def _write(self, text: str) -> None:
        self.said += text

    def _note(self, text: str) -> None:
        self.noted += text + "\n"

    def texts(self) -> list[list[str]]:
        """The messages of all conversations, newest first."""
        store = self.session.store
        return [[message.text for message in store.read(one.id, "").messages] for one in store.chats("")]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "chat.sqlite") as opened:
        yield opened


@pytest.fixture
def talk(store: Store) -> Talk:
    return Talk(store, FakeBot())


def test_a_conversation_is_shown_and_kept(talk: Talk) -> None:
    assert talk("hi", "how are you?") == "1: hi\n3: how are you?\n"
    assert talk.texts() == [["hi", "1: hi", "how are you?", "3: how are you?"]]


def test_nothing_typed_asks_nothing_and_opens_no_conversation(talk: Talk) -> None:
    assert talk("", "   ") == ""
    assert talk.texts() == []


def test_help_names_every_command(talk: Talk) -> None:
    shown = talk("/help")
    for name in (
        "help",
        "mood",
        "context",
        "save FILE",
        "new",
        "list",
        "open N",
        "rate good|bad [WHY]",
        "good",
        "bad",
        "retry",
        "undo",
        "system",
        "quit",
    ):
        assert f"/{name}" in shown


def test_a_command_that_is_none_hints_at_the_nearest(talk: Talk) -> None:
    assert "did you mean '/retry'?" in talk("/retyr")
    assert talk.texts() == []
    assert talk(" /etc is a folder").startswith("1: /etc is a folder")


def test_j2_replies_are_rated_in_the_terminal_and_become_training_rows(talk: Talk, store: Store) -> None:
    talk.session.chat_model.says = lambda conversation, _: f"answer {len(talk.session.chat_model.asked)}"  # type: ignore[attr-defined]
    shown = talk("hi", "/bad too short", "/retry", "/good", "and now?", "/good kind", "/good")
    assert "rated bad: answer 1" in shown
    assert "rated good: answer 2" in shown
    first, second = store.preferences().rows
    assert (first["chosen"], first["rejected"], first["reason"]) == ("answer 2", "answer 1", "too short")
    assert (second["reply"], second["rating"]) == ("answer 3", "up")
    assert "reason" not in second  # the last rating counts
    assert [message["content"] for message in second["messages"]] == ["hi", "answer 2", "and now?"]


def test_j2_rate_takes_a_word_and_a_reason(talk: Talk, store: Store) -> None:
    shown = talk(
        "hi", "/rate", "/rate great", "/rate goodness", "/rate BAD  much too long ", "more", "/rate good"
    )
    assert (
        shown.count("error: /rate: expected good or bad first; hint: /rate good, or /rate bad too long") == 3
    )
    rows = [(row["rating"], row.get("reason")) for row in store.preferences().rows]
    assert rows == [("down", "much too long"), ("up", None)]


def test_retry_undo_and_new(talk: Talk) -> None:
    talk.session.chat_model.says = lambda conversation, _: f"answer {len(talk.session.chat_model.asked)}"  # type: ignore[attr-defined]
    assert talk("hi", "/retry") == "answer 1\nanswer 2\n"
    assert talk.texts() == [["hi", "answer 2"]]
    assert "the conversation is empty" in talk("/list", "/open 1", "/undo")
    assert talk.texts() == [[]]
    talk("one", "/new", "two")
    assert [len(one) for one in talk.texts()] == [2, 2, 0]


@pytest.mark.parametrize(
    "command", ["/mood", "/context", "/save x.md", "/rate good", "/good", "/bad", "/retry", "/undo"]
)
def test_what_needs_a_conversation_says_so(talk: Talk, command: str) -> None:
    assert "error: there is no conversation yet" in talk(command)


def test_list_and_open(talk: Talk) -> None:
    talk("about tea", "/new", "about rain")
    shown = talk("/list", "/open 2", "more")
    assert "1  " in shown
    assert "about rain" in shown
    assert talk.texts()[0][-2:] == ["more", "3: more"]
    assert "about rain" not in talk("/list tea")
    for number in ("0", "3", "x", "", "-1", "٣"):
        assert "error: /open: expected a number from 1 to 2" in talk(f"/open {number}")


def test_the_system_prompt_is_set_before_the_first_turn_and_later(talk: Talk) -> None:
    chat_model = talk.session.chat_model
    talk("/system be kind", "hi", "/system be short", "and?", "/system -", "so?", "/system")
    assert [one.system for one in chat_model.asked] == ["be kind", "be short", ""]  # type: ignore[attr-defined]
    assert talk.noted.splitlines()[-1] == "system prompt: none"


def test_the_mood_has_a_trend_and_words_that_drove_it(talk: Talk) -> None:
    shown = talk("this is awful", "rather dull", "great, great news", "/mood")
    rows = shown.partition("news\n")[2].splitlines()
    assert [row.split()[0] for row in rows[:3]] == ["1", "2", "3"]
    assert rows[0].endswith("-0.90 (negative, 95%)")
    assert rows[1].endswith("-0.30 (negative, 65%)  not sure")
    assert rows[2].endswith("+0.90 (positive, 95%)")
    assert rows[0].index("#") < rows[0].index("|") < rows[2].index("#")
    assert rows[3] == "You sound very happy (positive, 95%)."
    assert rows[4].startswith("driven by ")


def test_d2_a_mood_that_is_not_sure_names_no_words(talk: Talk) -> None:
    shown = talk("great", "rather dull", "/mood")
    assert shown.splitlines()[-1] == "Not sure how you sound (negative, 65%)."
    assert "driven by" not in shown


def test_the_context_says_what_was_seen(talk: Talk) -> None:
    assert "1 tokens of 1,000; 1 turns seen" in talk("hi", "/context")


def test_save_writes_markdown_or_rows_and_replaces_nothing(talk: Talk, tmp_path: Path) -> None:
    talk(
        "hi",
        f"/save {tmp_path / 'my talk.md'}",
        f"/save {tmp_path / 'talk.jsonl'}",
        f"/save {tmp_path / 'talk.jsonl'}",
        "/save",
    )
    assert "hi" in (tmp_path / "my talk.md").read_text(encoding="utf-8")
    assert '"role": "user", "content": "hi"' in (tmp_path / "talk.jsonl").read_text(encoding="utf-8")
    assert "File exists" in talk.noted
    assert "/save: expected a FILE" in talk.noted
    assert "error: " in talk("hi", f"/save {tmp_path / 'none' / 'x.md'}")


def test_what_the_user_must_know_is_said(store: Store) -> None:
    short = Talk(store, FakeBot(), sampling=Sampling(max_new_tokens=1))
    assert "cut at the maximum length" in short("one two")
    broken = Talk(store, FakeBot(refuses=SourceError("http://far: does not answer")))
    assert "error: http://far: does not answer" in broken("hi")
    late = Talk(store, FakeBot(fails=(1, SourceError("http://far: hung up"))))
    assert late("one two") == "1:\nerror: http://far: hung up\n"
    assert late.texts()[0] == ["one two", "1:"]
    long = Talk(store, FakeBot())
    before = long.texts()
    assert "error: the message has 101 characters; expected at most 100" in long("x" * 101)
    assert long.texts() == before


def test_ctrl_c_at_the_prompt_leaves_the_second_time(talk: Talk) -> None:
    assert "press Ctrl-C again" in talk(KeyboardInterrupt, "hi", KeyboardInterrupt, KeyboardInterrupt)
    assert talk("/quit") == ""
    assert talk(EOFError) == ""


def test_ctrl_c_stops_the_reply_and_keeps_what_there_was(store: Store) -> None:
    chat_model = FakeBot(says=lambda *_: "word " * 500, delay=0.01)
    talk = Talk(store, chat_model)
    write = talk._write

    def pressing(text: str) -> None:
        write(text)
        if text.strip() and talk.said.count("word") == 3:
            signal.raise_signal(signal.SIGINT)

    talk._write = pressing  # type: ignore[method-assign]
    chat_model.says = lambda conversation, _: "word " * 500 if len(conversation.turns) == 1 else "fine"
    shown = talk("hi", "still there?")
    assert "(stopped)" in shown
    assert "fine" in shown
    texts = talk.texts()[0]
    assert 3 <= texts[1].count("word") < 100
    assert texts[2:] == ["still there?", "fine"]
    assert store.read(store.chats("")[0].id, "").messages[1].finish == "stopped"


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("\x1b[2J\x1b]0;owned\x07", "\ufffd[2J\ufffd]0;owned\ufffd"),
        ("a\rb\bc\x00", "a\ufffdb\ufffdc\ufffd"),
        ("\x9b31m", "\ufffd31m"),
        ("\u202eevil\u2066", "\ufffdevil\ufffd"),
        ("one\n\ttwo", "one\n    two"),
        ("\u00a0\u2028", " \n"),
        ("\ud800", "\ufffd"),
        ("👩\u200d💻 e\u0301 שלום नमस्ते [b]", "👩\u200d💻 e\u0301 שלום नमस्ते [b]"),
        ("\U000e0041", "\ufffd"),
    ],
)
def test_nothing_that_is_shown_commands_the_terminal(text: str, safe: str) -> None:
    assert printable(text) == safe


PROGRAM = """
import sys
from unittest.mock import patch
from tests.fakes import FakeBot
says = lambda talk, _: "\\x1b[2J" + "word " * 400 if len(talk.turns) == 1 else "and \\x07 fine"
bot = FakeBot(says=says, delay=0.02)
sys.argv = ["nlpkit", "chat", "--store", sys.argv[1], "--classifier", "none"]
from nlpkit.cli.app import main
with patch("nlpkit.chat.serving.load_chat_model", return_value=bot):
    main()
"""


class Screen:
    """A program on a terminal of its own."""

    def __init__(self, program: str, *arguments: str) -> None:
        self.main, side = pty.openpty()

        def own_terminal() -> None:
            import fcntl
            import termios

            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        environment = {**os.environ, "TERM": "dumb", "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            stdin=side,
            stdout=side,
            stderr=side,
            start_new_session=True,
            cwd=ROOT,
            preexec_fn=own_terminal,
            env=environment,
        )
        os.close(side)
        os.set_blocking(self.main, False)
        self.seen = b""

    def wait_for(self, true: Callable[[bytes], bool], seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while not true(self.seen):
            assert time.monotonic() < end, self.seen
            try:
                self.seen += os.read(self.main, 65_536)
            except BlockingIOError:
                time.sleep(0.01)
            except OSError:  # the program is gone
                assert true(self.seen), self.seen

    def type(self, text: bytes) -> None:
        os.write(self.main, text)


def test_on_a_real_terminal(tmp_path: Path) -> None:
    screen = Screen(PROGRAM, str(tmp_path / "chat.sqlite"))
    try:
        screen.wait_for(lambda seen: b"you> " in seen)
        screen.type(b"hi\r")
        screen.wait_for(lambda seen: seen.count(b"word") > 3)
        screen.type(b"\x03")
        screen.wait_for(lambda seen: b"(stopped)" in seen and seen.count(b"you> ") == 2)
        screen.type(b"again\r")
        screen.wait_for(lambda seen: b"fine" in seen and seen.count(b"you> ") == 3)
        screen.type(b"\x03")
        screen.wait_for(lambda seen: b"press Ctrl-C again" in seen and seen.count(b"you> ") == 4)
        screen.type(b"\x03")
        assert screen.process.wait(20) == 0
        assert b"\x1b[2J" not in screen.seen
        assert b"\x07" not in screen.seen.partition(b"again")[2]
    finally:
        screen.process.kill()
        screen.process.wait()
        os.close(screen.main)
