"""A conversation in a terminal: lines in, pieces of answers out, and commands that begin with a slash.

It reads and writes through functions that it is given: the terminal's own make text safe to show.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue

from nlpkit.chat.messages import Chat
from nlpkit.chat.sentiment import name_of, words_of
from nlpkit.chat.session import Session
from nlpkit.chat.streaming_reply import StreamingReply
from nlpkit.errors import DataError, NlpkitError, nearest
from nlpkit.generation.sampling import Sampling

WORDS_SHOWN = 5
"""Words of a turn that drove its mood."""


class Leave(Exception):  # noqa: N818
    """The end of the conversation."""


class Console:
    """One user at a terminal. `read` asks for a line, `write` shows what the bot says, `note` all else."""

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
        self._session, self._sampling, self._system, self._run, self._prompts = (
            session,
            sampling,
            system,
            run,
            prompts,
        )
        self._read, self._write, self._note = read, write, note
        self._chat: str | None = None
        self._listed: list[str] = []
        self._commands: dict[str, tuple[str, str, Callable[[str], None]]] = {
            "help": ("", "what can be typed here", self._help),
            "mood": ("", "how your turns sounded, where that is going, and which words drove it", self._mood),
            "context": (
                "",
                "what of the conversation the bot saw for its last reply, and what not",
                self._context,
            ),
            "save": (
                "FILE",
                "write the conversation to a file: .jsonl as training reads it, else Markdown",
                self._save,
            ),
            "new": ("", "begin another conversation", self._new),
            "list": ("[WORDS]", "the conversations that are kept, or those with these words", self._list),
            "open": ("N", "go on with one of the list", self._open),
            "retry": ("", "another reply to the same turn", self._retry),
            "undo": ("", "take back your last turn and its reply", self._undo),
            "system": ("[TEXT]", "what the bot is told beforehand; - for nothing", self._tell),
            "quit": ("", "leave; so do Ctrl-D, and Ctrl-C twice", self._quit),
        }

    def run(self) -> None:
        """Talk until the user leaves."""
        interrupted = False
        while True:
            try:
                line = self._read(self._prompts[0])
                interrupted = False
                self._take(line)
            except KeyboardInterrupt:
                if interrupted:
                    return
                interrupted = True
                self._note("(Ctrl-C once more, or Ctrl-D, leaves)")
            except (EOFError, Leave):
                return
            except NlpkitError as error:
                self._note(f"error: {error}")

    def open(self, chat: str) -> None:
        """Go on with a conversation, its last turns shown."""
        found = self._session.store.read(chat, "")
        self._chat = found.id
        for one in found.messages[-4:]:
            self._note(f"{self._prompts[one.role == 'assistant']}{one.text}")

    def _take(self, line: str) -> None:
        if not line.strip():
            return
        if not line.startswith("/"):
            self._answer(lambda chat: self._session.say(chat, "", line.lstrip(" "), self._sampling))
            return
        name, _, argument = line[1:].partition(" ")
        if name not in self._commands:
            hint = nearest(f"/{name}", [f"/{one}" for one in self._commands])
            raise DataError(
                f"/{name[:40]}: no such command{hint}; a line for the bot that begins with / needs a space before it"
            )
        self._commands[name][2](argument.strip())

    def _answer(self, asked: Callable[[str], StreamingReply]) -> None:
        """Show an answer as it comes. Ctrl-C stops it; what there was is kept. A second Ctrl-C while it ends leaves."""
        stopped = False
        with self._begun(asked) as saying:
            self._write(self._prompts[1])
            events = _in_a_thread(saying)
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
                    saying.stop()
            self._write("\n")
            if isinstance(event, BaseException):
                raise event
            self._remark(saying)

    def _begun(self, asked: Callable[[str], StreamingReply]) -> StreamingReply:
        """The answer in this conversation, or in a new one, which is not kept where nothing could be said in it."""
        if self._chat is not None:
            return asked(self._chat)
        chat = self._session.start("", system=self._system, run=self._run).id
        try:
            saying = asked(chat)
        except BaseException:
            self._session.store.delete(chat, "")
            raise
        self._chat = chat
        return saying

    def _remark(self, saying: StreamingReply) -> None:
        """Say what would otherwise go unseen: that a reply was cut, or turns left out."""
        said = {"length": "cut at its longest: --max-tokens", "stopped": "stopped"}.get(
            saying.finish or "", ""
        )
        dropped = len(saying.context.dropped) if saying.context else 0
        left = f"{dropped} turns no longer fit what the bot reads: /context" if dropped else ""
        if note := "; ".join(filter(None, (said, left, "" if saying.reply else "nothing came"))):
            self._note(f"({note})")

    def _help(self, _: str) -> None:
        rows = [
            (f"/{name} {argument}".strip(), about) for name, (argument, about, _) in self._commands.items()
        ]
        width = max(len(row[0]) for row in rows)
        for left, about in rows:
            self._note(f"  {left:<{width}}  {about}")

    def _mood(self, _: str) -> None:
        course = self._session.moods(self._here().id, "")
        if self._session.classifier is None or course.now is None:
            raise DataError(
                "no mood was read: the conversation has no turn of yours yet, or there is no classifier"
            )
        for place, mood in enumerate(course.moods, start=1):
            self._note(f"  {place:>3}  {_bar(mood.score)}  {mood.score:+.2f}  {mood.label}")
        self._note(f"now {name_of(course.now.score)}, {course.trend}")
        said = [one.text for one in self._here().messages if one.role == "user"][-1]
        words = sorted(words_of(self._session.classifier, said), key=lambda one: -abs(one[1]))[:WORDS_SHOWN]
        self._note("driven by " + ", ".join(f"{word} {change:+.2f}" for word, change in words))

    def _context(self, _: str) -> None:
        context = self._session.context(self._here().id, "")
        if context is None:
            raise DataError(
                "not known: the bot has not replied yet, or it is a server that decides for itself"
            )
        self._note(
            f"{context.tokens:,} tokens of {context.room:,}; {len(context.seen)} turns seen as they were said"
        )
        for what, turns in (("recalled", context.recalled), ("not seen", context.dropped)):
            if turns:
                self._note(f"{what}: turns {_spans([one + 1 for one in turns])}")

    def _save(self, argument: str) -> None:
        if not argument:
            raise DataError("/save: expected a FILE, such as talk.md or talk.jsonl")
        path = Path(argument).expanduser()
        store, chat = self._session.store, self._here().id
        text = store.export_jsonl(chat, "") if path.suffix == ".jsonl" else store.export_markdown(chat, "")
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise DataError(f"{path}: cannot be written: {error.strerror}; cure: another name") from None
        self._note(f"saved: {path}")

    def _new(self, _: str) -> None:
        self._chat = None
        self._note("a new conversation begins with what you say next")

    def _list(self, words: str) -> None:
        found = self._session.store.chats("", words, limit=50)
        self._listed = [one.id for one in found]
        for place, one in enumerate(found, start=1):
            self._note(
                f"  {place:>3}  {_day(one.updated)}  {one.title or '(no title)'}{'  <- here' if one.id == self._chat else ''}"
            )
        if not found:
            self._note("none")

    def _open(self, argument: str) -> None:
        if not self._listed:
            self._list("")
        if not argument.isdecimal() or not 1 <= int(argument) <= len(self._listed):
            raise DataError(f"/open: expected a number from 1 to {len(self._listed)}, as /list shows them")
        self.open(self._listed[int(argument) - 1])

    def _retry(self, _: str) -> None:
        self._here()
        self._answer(lambda chat: self._session.retry(chat, "", self._sampling))

    def _undo(self, _: str) -> None:
        before = self._here().messages
        left = self._session.undo(self._here().id, "").messages
        ends = f"the conversation ends with: {left[-1].text[:80]}" if left else "the conversation is empty"
        self._note(
            f"taken back; {ends}" if len(left) < len(before) else "there is no turn of yours to take back"
        )

    def _tell(self, text: str) -> None:
        if text:
            self._system = "" if text == "-" else text
            if self._chat is not None:
                self._session.set_system(self._chat, "", self._system)
        system = self._system if self._chat is None else self._here().system
        self._note(f"told beforehand: {system or 'nothing'}")

    def _quit(self, _: str) -> None:
        raise Leave

    def _here(self) -> Chat:
        if self._chat is None:
            raise DataError("there is no conversation yet: say something, or /open one")
        return self._session.store.read(self._chat, "")


def _in_a_thread(saying: StreamingReply) -> SimpleQueue[str | BaseException | None]:
    """Its pieces, then None or the error. Ctrl-C meets the one who waits for them, not the saving of what was said."""
    events: SimpleQueue[str | BaseException | None] = SimpleQueue()

    def read() -> None:
        end: BaseException | None = None
        try:
            for piece in saying:
                events.put(piece)
        except BaseException as error:
            end = error
        events.put(end)

    threading.Thread(target=read, name="reply", daemon=True).start()
    return events


def _bar(score: float, half: int = 10) -> str:
    """The score from -1 to 1 as a bar to either side of a line."""
    size = round(min(abs(score), 1) * half)
    left, right = ("#" * size, "") if score < 0 else ("", "#" * size)
    return f"{left:>{half}}|{right:<{half}}"


def _spans(numbers: list[int]) -> str:
    """Ascending numbers as people write them: 1-3, 5."""
    found: list[list[int]] = []
    for one in numbers:
        if found and found[-1][-1] == one - 1:
            found[-1].append(one)
        else:
            found.append([one])
    return ", ".join(str(one[0]) if len(one) == 1 else f"{one[0]}-{one[-1]}" for one in found)


def _day(seconds: float) -> str:
    import time

    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
