"""What the page shows of a conversation.

It is read from the store each time and never taken from the browser.
"""

from __future__ import annotations

import functools
import re
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from demo.chat_parts import SideParts, TalkParts
from demo.file_pages import file_entry, file_strip
from demo.guard import DemoLimits, RateLimiter
from demo.list_parts import ListParts
from demo.markup import bubble
from demo.message_tools import facts_page, message_facts
from demo.model_pool import GoneError, ModelPool
from demo.panel import context_page, mood_strip, sentiment_page, status
from demo.running_reply import RunningReply
from demo.suggested import suggestions
from nlpkit.chat.attached_file import start_of_file
from nlpkit.chat.messages import Chat, last_said, trend_of
from nlpkit.chat.sentiment import measure_word_effects
from nlpkit.errors import DataError, NlpkitError, RunError
from nlpkit.generation.completion import OverloadedError
from nlpkit.generation.sampling import Sampling
from nlpkit.generation.server_errors import ServerError

Updates = dict[Any, Any]
"""New values of components."""

RATING_MARKS = {"up": "Like", "down": "Dislike", None: None}
WAITING = "…"
CHANGED = "this conversation has changed meanwhile, and is now shown as it is; hint: try again"


class View:
    """The components of the chat tab, and what each shows of a conversation."""

    def __init__(
        self, pool: ModelPool, listed: ListParts, talk: TalkParts, side: SideParts, limits: DemoLimits
    ) -> None:
        self.pool, self.listed, self.talk, self.side = pool, listed, talk, side
        self.session = pool.session
        self.store = pool.session.store
        self.running = pool.running
        self.limits = limits
        self.rate = RateLimiter(limits.messages_a_minute)
        classifier = pool.session.classifier
        # Each word costs a prediction; a page that is drawn again must not pay twice
        self._words = functools.lru_cache(256)(
            lambda text, before: measure_word_effects(classifier, text, before) if classifier else []
        )
        self._sentiment_lock = threading.Lock()

    def whole(self, chat_id: str, owner: str, note: str = "") -> Updates:
        """Update all components for a conversation; without such a conversation the page is empty.

        `note` says why no reply came, or why it ended early.
        """
        running = self.running.get(owner, chat_id)  # before the messages, which are then as new
        chat = self.read(chat_id, owner)
        return {
            self.talk.chat: chat.id if chat else "",
            **self.listed_again(),
            self.listed.title: chat.title if chat else "",
            self.listed.confirm: gr.update(visible=False),
            **self.conversation(chat, owner, note, running),
            **self.side_panel(chat),
        }

    def listed_again(self) -> Updates:
        """List the conversations again; the page knows which, and how many."""
        return {self.listed.changed: secrets.token_hex(8)}

    def settings(self, chat: Chat | None) -> Updates:
        """Set the controls to the settings of the conversation; invalid stored settings are ignored."""
        stored = dict(chat.settings) if chat else {}
        try:
            sampling = Sampling.of(_as_mapping(stored.get("sampling")))
        except NlpkitError:
            sampling = Sampling()
        names = self.pool.names
        run = self.pool.name_of(chat.run if chat else "")
        values = [sampling.temperature, sampling.top_p, sampling.top_k, sampling.repetition_penalty]
        seed = "" if sampling.seed is None else str(sampling.seed)
        return {
            **dict(zip(self.side.sampling, [*values, self.length(run, sampling), seed], strict=True)),
            self.talk.opened: f"{time.time_ns()} {chat.id if chat else ''} {_last_text(chat)}",
            self.side.run: gr.update(choices=names, value=run, interactive=len(names) > 1),
            self.side.other_run: gr.update(choices=names, value=names[0], visible=len(names) > 1),
            self.side.system: chat.system if chat else "",
            self.side.sentiment_on: stored.get("mood") is True,
        }

    def length(self, run: str, sampling: Sampling) -> Any:
        """Return the control of the reply's length, within what the chat model's window can hold."""
        longest = self.pool.longest_reply(run)
        return gr.update(maximum=longest, value=min(sampling.max_new_tokens, longest))

    def conversation(
        self, chat: Chat | None, owner: str, note: str = "", running: RunningReply | None = None
    ) -> Updates:
        """Update the messages and their buttons; a reply that grows is shown as it is now."""
        messages = chat.messages if chat else ()
        last = messages[-1] if messages else None
        shown = with_reply(running) if running else [bubble(turn.role, turn.text) for turn in messages]
        is_free = running is None and last is not None
        return {
            self.talk.chatbot: gr.update(value=shown, feedback_value=ratings(chat)),
            # Of a growing reply only the start is seen
            self.talk.seen: f"{chat.id} {last.id if last and not running else ''}" if chat else "",
            self.talk.facts: facts_of(running) if running else message_facts(chat),
            self.talk.status: status(messages, note) if running is None else "",
            self.talk.why_row: gr.update(visible=False),
            **self.file(chat, owner),
            **self.busy(running is not None),
            self.talk.suggestions: suggestions(chat) if running is None else "",
            self.talk.retry: gr.update(interactive=is_free),
            self.talk.undo: gr.update(interactive=is_free),
        }

    def file(self, chat: Chat | None, owner: str) -> Updates:
        """Update what is shown of the attached file."""
        file = self.store.files.read(chat.id, owner) if chat else None
        chat_model = self.pool.loaded(self.pool.name_of(chat.run)) if chat and file else None
        start = start_of_file(file, chat_model) if file and chat_model else None
        return {self.talk.file: file_strip(file), self.side.file: file_entry(file, start)}

    def side_panel(self, chat: Chat | None, *, words: bool = True) -> Updates:
        """Update the mood, and what the model sees."""
        return {**self._sentiment(chat, words=words), self.side.context: self.context(chat)}

    def read(self, chat_id: str, owner: str) -> Chat | None:
        """Return the owner's conversation.

        None without an id, if it is gone, and if it is somebody else's.
        """
        try:
            return self.store.read(chat_id, owner) if chat_id else None
        except NlpkitError:
            return None

    def unchanged(self, seen: str, owner: str) -> str:
        """Return the id of the conversation that a page shows, as long as it is as the page shows it.

        Raises:
            DataError: there is none, or another page has changed it.
        """
        chat_id, _, last = seen.partition(" ")
        messages = self.store.read(chat_id, owner).messages
        if last != (messages[-1].id if messages else ""):
            raise DataError(CHANGED)
        return chat_id

    def is_unchanged(self, seen: str, owner: str) -> bool:
        """Return whether the conversation is still as a page shows it."""
        try:
            self.unchanged(seen, owner)
        except NlpkitError:
            return False
        return True

    def busy(self, is_busy: bool) -> Updates:
        """Update the buttons while a reply is generated, and after it."""
        talk = self.talk
        buttons = {
            talk.send: gr.update(visible=not is_busy),
            talk.stop: gr.update(visible=is_busy),
            talk.compare: gr.update(interactive=not is_busy),
            talk.suggestions: "",
        }
        # When there is no reply, `conversation` decides which of these are active
        if is_busy:
            buttons |= {button: gr.update(interactive=False) for button in (talk.retry, talk.undo)}
        return buttons

    def _sentiment(self, chat: Chat | None, *, words: bool) -> Updates:
        if self.session.classifier is None:
            return {self.side.sentiment: "", self.talk.mood: ""}
        users = [message for message in chat.messages if message.role == "user"] if chat else []
        turns = [turn for turn, message in enumerate(users) if message.sentiment]
        trend = trend_of(users)
        last, before = last_said(chat.messages) if chat else ("", ())
        with self._sentiment_lock:
            driving = self._words(last, before) if words and trend.now and trend.now.is_sure else []
        page = sentiment_page(trend, driving, last, turns=turns)
        return {self.side.sentiment: page, self.talk.mood: mood_strip(trend)}

    def context(self, chat: Chat | None, name: str = "") -> str:
        """Return what the model saw for the last reply.

        `name` is the chat model of the next one, if it changes.
        """
        former = chat.run if chat and not name else ""
        name = name or self.pool.name_of(former)
        replies = [message for message in chat.messages if message.role == "assistant"] if chat else []
        return context_page(chat, replies[-1].context if replies else None, self.pool.described(name, former))


def with_reply(running: RunningReply) -> list[dict[str, str]]:
    """Return a growing reply and the messages above it for the chatbot component."""
    messages = [*running.before, ("assistant", running.text or WAITING)]
    return [bubble(role, text) for role, text in messages]


def facts_of(running: RunningReply) -> str:
    """Return the facts of the messages above a growing reply; none has other versions while it grows."""
    return facts_page([], running.before)


def note(error: Exception | None) -> str:
    """Return in plain words why no reply came, or why it ended early; the server's log has the details."""
    if error is None:
        return ""
    if isinstance(error, DataError):  # about the message or the conversation
        return f"{error}."
    if isinstance(error, (ServerError, GoneError)):
        return f"The model could not answer. {plain(error)}"
    if isinstance(error, OverloadedError):
        return "The model has too much to do just now. Try again in a moment."
    if isinstance(error, RunError):
        return "The model cannot be loaded: its files are gone or have changed. Choose another model."
    if isinstance(error, NlpkitError):
        return "The model could not answer. Its server may be off, or refuse what it is asked."
    return "The model failed. The log of the demo's server has the details."


def plain(error: NlpkitError) -> str:
    """Return an error in sentences, the hint as the last one."""
    words, _, hint = str(error).partition("; hint: ")
    return f"{words}. {hint[:1].upper()}{hint[1:]}." if hint else f"{words}."


def ratings(chat: Chat | None) -> list[str | None]:
    """Return the rating of each reply for the chatbot component."""
    replies = [message for message in chat.messages if message.role == "assistant"] if chat else []
    return [RATING_MARKS[reply.rating] for reply in replies]


def owner_of(request: gr.Request | None) -> str:
    """Return the owner of a request's conversations: the user who logged in, or the only user."""
    return str(getattr(request, "username", None) or "")


def visitor_of(request: gr.Request | None) -> str:
    """Return the visitor whose requests are counted: the user, or the address."""
    client = getattr(request, "client", None)
    return owner_of(request) or str(getattr(client, "host", ""))


@contextmanager
def showing_errors(path: str | None = None) -> Iterator[None]:
    """Show an error that the user can solve as a notice; it is escaped, because it may quote their input.

    Of an uploaded file it shows the name without the folder, and no option of the command line.
    """
    try:
        yield
    except NlpkitError as error:
        words = str(error).replace(str(Path(path)), Path(path).name) if path else str(error)
        gr.Warning(escape(re.sub(r"; hint: [^;]* --[^;]*$", "", words)), title="Not done")


def refused(error: NlpkitError) -> gr.Error:
    """Return the error in the form that an endpoint raises."""
    return gr.Error(str(error), print_exception=False)


def _last_text(chat: Chat | None) -> str:
    """Return what the user said last."""
    messages = reversed(chat.messages) if chat else ()
    return next((message.text for message in messages if message.role == "user"), "")


def _as_mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
