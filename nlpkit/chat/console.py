"""A conversation in a terminal: the user's lines, the chunks of replies, and commands such as /help.

It reads and writes through functions that it is given; the terminal's own functions make text safe to print.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue

from nlpkit.chat.console_text import context_lines, list_lines, sentiment_lines
from nlpkit.chat.messages import Chat, Rating, last_said
from nlpkit.chat.sentiment import measure_word_effects
from nlpkit.chat.session import Session
from nlpkit.chat.streaming_reply import StreamingReply
from nlpkit.data.rows import unreadable_text
from nlpkit.errors import DataError, NlpkitError, nearest
from nlpkit.generation.sampling import Sampling

RATINGS: dict[str, Rating] = {"good": "up", "bad": "down", "up": "up", "down": "down"}
"""Words of /rate, and what is stored."""


class Leave(Exception):  # noqa: N818
    """The user ends the conversation."""


class Console:
    """One user at a terminal.

    `read` asks for a line, `write` prints the replies, `note` prints everything else.
    """

    def __init__(
        self,
        session: Session,
        *,
        read: Callable[[str], str],
        write: Callable[[str], None],
        note: Callable[[str], None],
        sampling: Sampling | None = None,
        system: str = "",
        run: str = "",
        prompts: tuple[str, str] = ("you> ", "bot> "),
    ) -> None:
        self._session, self._sampling, self._system, self._run = session, sampling, system, run
        self._prompts = prompts
        self._read, self._write, self._note = read, write, note
        self._chat: str | None = None
        self._listed: list[str] = []
        self._commands: dict[str, tuple[str, str, Callable[[str], None]]] = {
            "help": ("", "list the commands", self._help),
            "mood": ("", "show how your turns sound, the trend, and the words that drive it", self._mood),
            "context": ("", "show which turns the chat model saw for its last reply", self._context),
            "save": (
                "FILE",
                "write the conversation to a file: .jsonl for training, else Markdown",
                self._save,
            ),
            "new": ("", "begin a new conversation", self._new),
            "list": ("[WORDS]", "list the saved conversations, or those with these words", self._list),
            "open": ("N", "continue a conversation of the list", self._open),
            "rate": (
                "good|bad [WHY]",
                "rate the last reply; nlpkit feedback writes the ratings",
                self._rate,
            ),
            "good": ("[WHY]", "the same as /rate good", lambda why: self._rate(f"good {why}")),
            "bad": ("[WHY]", "the same as /rate bad", lambda why: self._rate(f"bad {why}")),
            "retry": ("", "replace the last reply", self._retry),
            "undo": ("", "remove your last turn and its reply", self._undo),
            "system": ("[TEXT]", "show or set the system prompt; - removes it", self._set_system),
            "quit": ("", "leave; so do Ctrl-D, and Ctrl-C twice", self._quit),
        }

    def run(self) -> None:
        """Read and answer lines until the user leaves."""
        interrupted = False
        while True:
            try:
                line = self._read(self._prompts[0])
                interrupted = False
                self._handle(line)
            except KeyboardInterrupt:
                if interrupted:
                    return
                interrupted = True
                self._note("(press Ctrl-C again, or Ctrl-D, to leave)")
            except (EOFError, Leave):
                return
            except NlpkitError as error:
                self._note(f"error: {error}")

    def open(self, chat: str) -> None:
        """Continue a conversation, and show its last turns."""
        opened = self._session.store.read(chat, "")
        self._chat = opened.id
        for message in opened.messages[-4:]:
            self._note(f"{self._prompts[message.role == 'assistant']}{message.text}")

    def _handle(self, line: str) -> None:
        if not line.strip():
            return
        if reason := unreadable_text(line):
            raise DataError(f"the line cannot be read as UTF-8: {reason}; nothing was sent")
        if not line.startswith("/"):
            self._answer(lambda chat: self._session.say(chat, "", line.lstrip(" "), self._sampling))
            return
        name, _, argument = line[1:].partition(" ")
        if name not in self._commands:
            suggestion = nearest(f"/{name}", [f"/{command}" for command in self._commands])
            raise DataError(
                f"/{name[:40]}: unknown command{suggestion}; hint: /help lists them; "
                "put a space before a message that begins with /"
            )
        self._commands[name][2](argument.strip())

    def _answer(self, ask: Callable[[str], StreamingReply]) -> None:
        """Print a reply as it comes. Ctrl-C stops it and keeps the partial reply; a second Ctrl-C leaves."""
        stopped = False
        with self._begin(ask) as stream:
            self._write(self._prompts[1])
            events = _read_in_thread(stream)
            while True:
                try:
                    event = events.get()
                    if not isinstance(event, str):
                        break
                    self._write(event)
                except KeyboardInterrupt:
                    if stopped:
                        raise Leave from None
                    stopped = True
                    stream.stop()
            self._write("\n")
            if isinstance(event, BaseException):
                raise event
            self._report(stream)

    def _begin(self, ask: Callable[[str], StreamingReply]) -> StreamingReply:
        """Return the reply in this or a new conversation; a new one is deleted if the message is refused."""
        if self._chat is not None:
            return ask(self._chat)
        chat = self._session.start("", system=self._system, run=self._run).id
        try:
            stream = ask(chat)
        except BaseException:
            self._session.store.delete(chat, "")
            raise
        self._chat = chat
        return stream

    def _report(self, stream: StreamingReply) -> None:
        """Report what the user would otherwise miss: a reply that was cut, or turns that were dropped."""
        endings = {"length": "cut at the maximum length: --max-tokens", "stopped": "stopped"}
        dropped = len(stream.context.dropped) if stream.context else 0
        notes = (
            endings.get(stream.finish or "", ""),
            f"{dropped} turns no longer fit the model's context: /context" if dropped else "",
            "" if stream.reply else "the reply is empty",
        )
        if note := "; ".join(filter(None, notes)):
            self._note(f"({note})")

    def _help(self, _: str) -> None:
        rows = [
            (f"/{name} {argument}".strip(), about) for name, (argument, about, _) in self._commands.items()
        ]
        width = max(len(row[0]) for row in rows)
        for command, about in rows:
            self._note(f"  {command:<{width}}  {about}")

    def _mood(self, _: str) -> None:
        chat = self._current()
        trend = self._session.sentiment_trend(chat.id, "")
        if self._session.classifier is None or trend.now is None:
            raise DataError("no mood yet: the conversation has no turn of yours, or there is no classifier")
        last, before = last_said(chat.messages)
        for line in sentiment_lines(trend, measure_word_effects(self._session.classifier, last, before)):
            self._note(line)

    def _context(self, _: str) -> None:
        context = self._session.context(self._current().id, "")
        if context is None:
            raise DataError("unknown: the chat model has not replied yet")
        for line in context_lines(context):
            self._note(line)

    def _save(self, argument: str) -> None:
        if not argument:
            raise DataError("/save: expected a FILE, such as talk.md or talk.jsonl")
        path = Path(argument).expanduser()
        store, chat = self._session.store, self._current().id
        text = store.export_jsonl(chat, "") if path.suffix == ".jsonl" else store.export_markdown(chat, "")
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            reason = f"cannot be written: {error.strerror}"
            raise DataError(f"{path}: {reason}; hint: choose another file name") from None
        self._note(f"saved: {path}")

    def _new(self, _: str) -> None:
        self._chat = None
        self._note("your next message begins a new conversation")

    def _list(self, words: str) -> None:
        chats = self._session.store.chats("", words, limit=50)
        self._listed = [chat.id for chat in chats]
        for line in list_lines(chats, self._chat):
            self._note(line)
        if not chats:
            self._note("none")

    def _open(self, argument: str) -> None:
        if not self._listed:
            self._list("")
        if not argument.isdecimal() or not 1 <= int(argument) <= len(self._listed):
            raise DataError(f"/open: expected a number from 1 to {len(self._listed)}; hint: /list shows them")
        self.open(self._listed[int(argument) - 1])

    def _rate(self, argument: str) -> None:
        word, _, reason = argument.partition(" ")
        if (rating := RATINGS.get(word.lower())) is None:
            raise DataError("/rate: expected good or bad first; hint: /rate good, or /rate bad too long")
        chat = self._current()
        if not chat.messages or chat.messages[-1].role != "assistant":
            raise DataError("there is no reply to rate yet; hint: write a message first")
        self._session.rate(chat.id, "", chat.messages[-1].id, rating, reason.strip())
        self._note(f"rated {word.lower()}: {chat.messages[-1].text[:80]}")

    def _retry(self, _: str) -> None:
        self._current()
        self._answer(lambda chat: self._session.retry(chat, "", self._sampling))

    def _undo(self, _: str) -> None:
        before = self._current().messages
        after = self._session.undo(self._current().id, "").messages
        if len(after) == len(before):
            self._note("there is no turn of yours to remove")
        elif after:
            self._note(f"removed; the conversation ends with: {after[-1].text[:80]}")
        else:
            self._note("removed; the conversation is empty")

    def _set_system(self, text: str) -> None:
        if text:
            self._system = "" if text == "-" else text
            if self._chat is not None:
                self._session.set_system(self._chat, "", self._system)
        system = self._system if self._chat is None else self._current().system
        self._note(f"system prompt: {system or 'none'}")

    def _quit(self, _: str) -> None:
        raise Leave

    def _current(self) -> Chat:
        if self._chat is None:
            raise DataError("there is no conversation yet; hint: write a message, or /open one")
        return self._session.store.read(self._chat, "")


def _read_in_thread(stream: StreamingReply) -> SimpleQueue[str | BaseException | None]:
    """Read a reply in a thread, and return a queue of its chunks, which ends with None or the error.

    Ctrl-C then interrupts the wait for a chunk, and not the saving of the reply.
    """
    events: SimpleQueue[str | BaseException | None] = SimpleQueue()

    def read() -> None:
        end: BaseException | None = None
        try:
            for chunk in stream:
                events.put(chunk)
        except BaseException as error:
            end = error
        events.put(end)

    threading.Thread(target=read, name="reply", daemon=True).start()
    return events
