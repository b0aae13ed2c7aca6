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
from demo.markup import shown, typed
from demo.running_reply import TICK, RunningReply
from demo.sampling_controls import sampling_of
from demo.view import WAITING, Updates, View, note, owner_of, showing_errors, visitor_of, with_reply
from nlpkit.chat.session import MOOD, SAMPLING, Session
from nlpkit.chat.text_limits import clean_message
from nlpkit.errors import DataError
from nlpkit.generation.completion import ChatModel
from nlpkit.generation.sampling import Sampling

FOLLOWING: dict[str, Any] = {"concurrency_limit": 24, "concurrency_id": "replies"}
"""How many pages may follow replies at the same time."""

MAX_WAIT = 5.0
"""Seconds that a page waits at most until it shows no more of a reply."""

Start: TypeAlias = Callable[[str, Sampling, ChatModel], RunningReply]
"""Starts a reply for an owner."""


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
        for trigger in (talk.retry.click, talk.chatbot.retry):
            trigger(self.retry, settings, **every)
        talk.resume.click(self.resume, settings, **every)
        talk.chatbot.edit(self.edit, settings, **every)
        talk.compare.click(self.compare, [talk.box, side.other_run, *settings], **every)
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
            sampling = self._check(controls, request)
            chat_model = self.view.pool.answering(run)
            clean_message(text, self.session.limits)  # before a conversation is created for it
            if not chat_id:
                chat_id = self.session.start(
                    owner, system=system, run=run, settings=_settings(sampling, sentiment)
                ).id
            else:
                self._save_settings(chat_id, owner, run, system, sentiment, sampling)
            running = self.running.say(owner, chat_id, text, sampling, chat_model)
            yield from self._show(request, chat_id, running, text)
            return
        yield self.view.whole(chat_id, owner)

    def retry(
        self, request: gr.Request, chat_id: str, run: str, system: str, sentiment: bool, *controls: Any
    ) -> Iterator[Updates]:
        """Start another reply to the last message, and show it."""

        def start(owner: str, sampling: Sampling, chat_model: ChatModel) -> RunningReply:
            return self.running.retry(owner, chat_id, sampling, chat_model)

        yield from self._again(start, request, chat_id, run, system, sentiment, controls)

    def resume(
        self, request: gr.Request, chat_id: str, run: str, system: str, sentiment: bool, *controls: Any
    ) -> Iterator[Updates]:
        """Start the rest of the last reply, and show it."""

        def start(owner: str, sampling: Sampling, chat_model: ChatModel) -> RunningReply:
            return self.running.resume(owner, chat_id, sampling, chat_model)

        yield from self._again(start, request, chat_id, run, system, sentiment, controls)

    def edit(
        self,
        request: gr.Request,
        data: gr.EditData,
        chat_id: str,
        run: str,
        system: str,
        sentiment: bool,
        *controls: Any,
    ) -> Iterator[Updates]:
        """Start the reply to an edited message, and show it.

        The old message stays in the store as a branch.
        """

        def start(owner: str, sampling: Sampling, chat_model: ChatModel) -> RunningReply:
            message, text = self.message_at(chat_id, owner, data.index), typed(str(data.value))
            clean_message(text, self.session.limits)
            return self.running.edit(owner, chat_id, message, text, sampling, chat_model)

        yield from self._again(start, request, chat_id, run, system, sentiment, controls)

    def compare(
        self,
        request: gr.Request,
        text: str,
        other_run: str,
        chat_id: str,
        run: str,
        system: str,
        sentiment: bool,
        *controls: Any,
    ) -> Iterator[Updates]:
        """Show a second reply to the last message, or to the one in the box, to choose from."""
        owner = owner_of(request)
        if text.strip():
            for updates in self.say(request, text, chat_id, run, system, sentiment, *controls):
                chat_id = updates.get(self.talk.chat, chat_id)
                yield updates
        with showing_errors():
            chat = self.store.read(chat_id, owner) if chat_id else None
            if chat is None or not chat.messages or chat.messages[-1].role != "assistant":
                raise DataError("there is no reply yet to compare with; hint: write a message first")
            sampling = self._check(controls, request)
            if sampling.seed is not None:
                # The same seed would give the same reply
                sampling = sampling.model_copy(update={"seed": sampling.seed + 1})
            first = chat.messages[-1]
            running = self.running.retry(owner, chat_id, sampling, self.view.pool.answering(other_run))
            both = {self.talk.versus: gr.update(visible=True), self.talk.first: shown(first.text)}
            with self._following(request) as follower:
                yield both | {self.talk.second: WAITING} | self.view.busy(True)
                for reply in running.growing(follower.left):
                    yield {self.talk.second: shown(reply)}
            if follower.left.is_set():
                return
            after = self.view.whole(chat_id, owner, note=note(running.error))
            last = self.store.read(chat_id, owner).messages[-1]
            if last.role == "assistant" and last.id != first.id:
                after |= both | {self.talk.second: shown(last.text), self.talk.pair: f"{first.id} {last.id}"}
            yield after
            return
        yield self.view.whole(chat_id, owner)

    def follow(self, chat_id: str, request: gr.Request) -> Iterator[Updates]:
        """Show the reply that grows in the conversation that was opened, if one does."""
        yield {self.talk.chat: gr.skip()}  # an iterator that yields nothing would empty the page
        if running := self.running.get(owner_of(request), chat_id):
            yield from self._show(request, chat_id, running)

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
            DataError: there is none, because another page changed the conversation.
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
        chat_id: str,
        run: str,
        system: str,
        sentiment: bool,
        controls: tuple[Any, ...],
    ) -> Iterator[Updates]:
        owner = owner_of(request)
        with showing_errors():
            sampling = self._check(controls, request)
            self._save_settings(chat_id, owner, run, system, sentiment, sampling)
            running = start(owner, sampling, self.view.pool.answering(run))
            yield from self._show(request, chat_id, running)
            return
        yield self.view.whole(chat_id, owner)

    def _show(
        self, request: gr.Request, chat_id: str, running: RunningReply, text: str = ""
    ) -> Iterator[Updates]:
        """Show a growing reply until it ends or the page opens another conversation.

        `text` leaves the message box; it comes back if it was refused, so that it is in no conversation.
        """
        chatbot, owner = self.talk.chatbot, owner_of(request)
        with self._following(request) as follower:
            first = {chatbot: with_reply(running), self.talk.chat: chat_id, self.talk.status: ""}
            yield first | self.view.busy(True) | ({self.talk.box: ""} if text else {})
            for number, _ in enumerate(running.growing(follower.left)):
                side = self.view.side_panel(self.view.read(chat_id, owner), words=False) if not number else {}
                yield {chatbot: with_reply(running)} | side
        if not follower.left.is_set():
            is_refused = text and isinstance(running.error, DataError) and not running.has_begun
            after = self.view.whole(chat_id, owner, note=note(running.error))
            yield after | ({self.talk.box: text} if is_refused else {})

    @contextmanager
    def _following(self, request: gr.Request) -> Iterator[Follower]:
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

    def _check(self, controls: tuple[Any, ...], request: gr.Request) -> Sampling:
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
