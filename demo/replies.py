"""Handlers of replies: say, stop, retry, continue, edit, and compare two replies.

The server generates a reply whether or not a page shows it; a handler starts it and shows it while it grows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Lock
from typing import Any, TypeAlias

import gradio as gr

from demo.chat_parts import components
from demo.running_reply import TICK, RunningReply
from demo.sampling_controls import sampling_of
from demo.view import Updates, View, facts_of, note, owner_of, showing_errors, visitor_of, with_reply
from nlpkit.chat.chat_prompt import MOOD, SAMPLING
from nlpkit.chat.session import Session
from nlpkit.chat.text_limits import clean_message
from nlpkit.errors import DataError
from nlpkit.generation.completion import ChatModel
from nlpkit.generation.sampling import Sampling

FOLLOWING: dict[str, Any] = {"concurrency_limit": 24, "concurrency_id": "replies"}
"""How many pages may follow replies at the same time."""

MAX_WAIT = 5.0
"""Seconds that a page waits at most until it shows no more of a reply."""

Start: TypeAlias = Callable[[str, str, Sampling, ChatModel], RunningReply]
"""Starts a reply for an owner in a conversation."""


class Follower:
    """A page that shows a growing reply."""

    def __init__(self) -> None:
        self.left, self.ended = Event(), Event()


class Replies:
    """Handlers of everything that makes a chat model reply."""

    def __init__(self, view: View) -> None:
        self.view, self.talk = view, view.talk
        self.session, self.store, self.running = view.session, view.store, view.running
        self._followers: dict[str | None, Follower] = {}
        self._lock = Lock()

    def wire(self) -> None:
        """Bind the handlers to the components."""
        talk, side = self.talk, self.view.side
        every: dict[str, Any] = {
            "outputs": components(self.view.listed, talk, side),
            "show_progress": "hidden",
            "api_visibility": "private",
            **FOLLOWING,
        }
        settings = [talk.chat, side.run, side.system, side.sentiment_on, *side.sampling]
        for trigger in (talk.box.submit, talk.send.click):
            trigger(self.say, [talk.box, *settings], **every)
        as_seen = [talk.seen, *settings[1:]]
        for trigger in (talk.retry.click, talk.chatbot.retry):
            trigger(self.retry, as_seen, **every)
        talk.resume.click(self.resume, as_seen, **every)
        talk.chatbot.edit(self.edit, as_seen, **every)
        talk.suggestions.click(self.say_suggested, settings, **every)
        talk.stop.click(
            self.stop, [talk.chat], None, queue=False, show_progress="hidden", api_visibility="private"
        )

    def say(
        self,
        request: gr.Request,
        text: str,
        chat_id: str,
        run: str,
        system: str,
        sentiment: bool,
        *controls: Any,
    ) -> Iterator[Updates]:
        """Start the reply to a message, and show it."""
        owner = owner_of(request)
        with showing_errors():
            sampling = self.check(controls, request)
            chat_model = self.view.pool.answering(run)
            clean_message(text, self.session.limits)  # before a conversation is created for it
            if not chat_id:
                chat_id = self.begin(owner, run, system, sentiment, sampling)
            else:
                self._save_settings(chat_id, owner, run, system, sentiment, sampling)
            running = self.running.say(owner, chat_id, text, sampling, chat_model)
            yield from self._show(request, chat_id, running, text)
            return
        yield from self.now(request, chat_id)

    def say_suggested(self, event: gr.EventData, request: gr.Request, *settings: Any) -> Iterator[Updates]:
        """Send a suggestion; what is in the message box stays there."""
        for updates in self.say(request, str(event._data.get("text", "")), *settings):
            yield {part: value for part, value in updates.items() if part is not self.talk.box}

    def retry(self, request: gr.Request, seen: str, *settings: Any) -> Iterator[Updates]:
        """Start another reply to the last message, and show it."""
        yield from self._again(self.running.retry, request, seen, *settings)

    def resume(self, request: gr.Request, seen: str, *settings: Any) -> Iterator[Updates]:
        """Start the rest of the last reply, and show it."""
        yield from self._again(self.running.resume, request, seen, *settings)

    def edit(self, request: gr.Request, data: gr.EditData, seen: str, *settings: Any) -> Iterator[Updates]:
        """Start the reply to an edited message, and show it.

        The old message stays in the store as a branch.
        """

        def start(owner: str, chat_id: str, sampling: Sampling, chat_model: ChatModel) -> RunningReply:
            message, text = self.message_at(chat_id, owner, data.index), str(data.value)
            clean_message(text, self.session.limits)
            return self.running.edit(owner, chat_id, message, text, sampling, chat_model)

        yield from self._again(start, request, seen, *settings)

    def begin(self, owner: str, run: str, system: str, sentiment: bool, sampling: Sampling) -> str:
        """Create a conversation with the settings of the page, and return its id."""
        settings = _settings(sampling, sentiment)
        return self.session.start(owner, system=system, run=run, settings=settings).id

    def follow(self, seen: str, request: gr.Request) -> Iterator[Updates]:
        """Show the reply that grows in the conversation that was opened, or its end if it has just ended."""
        yield {self.talk.seen: gr.skip()}  # an iterator that yields nothing would empty the page
        owner, chat_id = owner_of(request), seen.partition(" ")[0]
        if running := self.running.get(owner, chat_id):
            yield from self._show(request, chat_id, running)
        elif chat_id and not self.view.is_unchanged(seen, owner):
            yield self.view.whole(chat_id, owner)

    def stop(self, chat_id: str, request: gr.Request) -> None:
        """Stop the reply in a conversation of the owner."""
        self.running.stop(owner_of(request), chat_id)

    def leave(self, request: gr.Request) -> None:
        """Show no more of the reply on this page, which opens another conversation; the reply goes on."""
        with self._lock:
            follower = self._followers.get(request.session_hash)
        if follower is not None:
            follower.left.set()
            # Its last update is on its way to the page; what the page shows next must come after it
            follower.ended.wait(MAX_WAIT)
            time.sleep(TICK)

    def message_at(self, chat_id: str, owner: str, index: Any) -> str:
        """Return the id of the message at an index that the page sent.

        Raises:
            DataError: there is none, because the page shows more than is stored.
        """
        messages = self.store.read(chat_id, owner).messages
        number = index[0] if isinstance(index, (list, tuple)) and index else index
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < len(messages):
            raise DataError("the conversation has changed meanwhile; hint: reload the page")
        return messages[number].id

    def _again(
        self,
        start: Start,
        request: gr.Request,
        seen: str,
        run: str,
        system: str,
        sentiment: bool,
        *controls: Any,
    ) -> Iterator[Updates]:
        owner = owner_of(request)
        with showing_errors():
            chat_id = self.view.unchanged(seen, owner)
            sampling = self.check(controls, request)
            self._save_settings(chat_id, owner, run, system, sentiment, sampling)
            running = start(owner, chat_id, sampling, self.view.pool.answering(run))
            yield from self._show(request, chat_id, running)
            return
        yield from self.now(request, seen.partition(" ")[0])

    def now(self, request: gr.Request, chat_id: str) -> Iterator[Updates]:
        """Show a conversation as it is now, and the reply that another page has begun in it."""
        shown = self.view.whole(chat_id, owner_of(request))
        yield shown
        yield from self.follow(shown[self.talk.seen], request)

    def _show(
        self, request: gr.Request, chat_id: str, running: RunningReply, text: str = ""
    ) -> Iterator[Updates]:
        """Show a growing reply until it ends or the page opens another conversation.

        `text` leaves the message box; it comes back if it was refused, so that it is in no conversation.
        """
        chatbot, owner = self.talk.chatbot, owner_of(request)
        with self.following(request) as follower:
            first = {chatbot: with_reply(running), self.talk.facts: facts_of(running)}
            first |= {self.talk.chat: chat_id, self.talk.status: ""}
            yield first | self.view.busy(True) | ({self.talk.box: ""} if text else {})
            for number, _ in enumerate(running.growing(follower.left)):
                side = self.view.side_panel(self.view.read(chat_id, owner), words=False) if not number else {}
                yield {chatbot: with_reply(running)} | side
        if not follower.left.is_set():
            is_refused = text and isinstance(running.error, DataError) and not running.has_begun
            after = self.view.whole(chat_id, owner, note=note(running.error))
            yield after | ({self.talk.box: text} if is_refused else {})

    @contextmanager
    def following(self, request: gr.Request) -> Iterator[Follower]:
        """Let this page follow a reply, and no other one than this."""
        follower = Follower()
        with self._lock:
            before = self._followers.get(request.session_hash)
            self._followers[request.session_hash] = follower
        if before is not None:
            before.left.set()
        try:
            yield follower
        finally:
            with self._lock:
                if self._followers.get(request.session_hash) is follower:
                    del self._followers[request.session_hash]
            follower.ended.set()

    def check(self, controls: tuple[Any, ...], request: gr.Request) -> Sampling:
        """Count the request of the visitor, and return the sampling settings."""
        self.view.rate.take(visitor_of(request))
        return sampling_of(*controls)

    def _save_settings(
        self, chat_id: str, owner: str, run: str, system: str, sentiment: bool, sampling: Sampling
    ) -> None:
        save_persona(self.session, chat_id, owner, system, sentiment)
        chat = self.store.read(chat_id, owner)
        settings = dict(chat.settings) | _settings(sampling, sentiment)
        if settings != dict(chat.settings):
            self.store.set_settings(chat_id, owner, settings)
        if chat.run != run:
            self.store.set_run(chat_id, owner, run)


def save_persona(session: Session, chat_id: str, owner: str, system: str, sentiment: bool) -> None:
    """Save the system prompt, and whether it includes the mood, where they have changed.

    Raises:
        LimitError: the system prompt is too long.
    """
    chat = session.store.read(chat_id, owner)
    if chat.system != system:
        session.set_system(chat_id, owner, system)
    if (chat.settings.get(MOOD) is True) != bool(sentiment):
        session.store.set_settings(chat_id, owner, dict(chat.settings) | {MOOD: bool(sentiment)})


def _settings(sampling: Sampling, sentiment: bool) -> dict[str, object]:
    return {SAMPLING: sampling.model_dump(), MOOD: bool(sentiment)}
