"""Handlers of replies: say, stop, retry, edit, and compare two replies. Replies are streamed and stored."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Any

import gradio as gr

from demo.chat_parts import components
from demo.markup import shown, typed
from demo.running_reply import TICK, LeftError, RunningReply
from demo.sampling_controls import sampling_of
from demo.view import WAITING, Updates, View, bubble, bubbles, owner_of, showing_errors, visitor_of
from nlpkit.chat.text_limits import clean_message
from nlpkit.errors import DataError
from nlpkit.generation.completion import ChatModel
from nlpkit.generation.sampling import Sampling

if TYPE_CHECKING:
    from nlpkit.chat.streaming_reply import StreamingReply


MAX_REPLIES = 16
"""Replies that may be generated at the same time."""

MAX_WAIT = 5.0
"""Seconds that a page waits at most for a reply to end when it opens another conversation."""


class Replies:
    """Handlers of everything that makes a chat model reply."""

    def __init__(self, view: View) -> None:
        self.view, self.talk = view, view.talk
        self.session, self.store = view.session, view.store
        self._running: dict[tuple[str, str], RunningReply] = {}
        self._lock = Lock()

    def wire(self) -> None:
        """Bind the handlers to the components."""
        talk, side = self.talk, self.view.side
        every: dict[str, Any] = {
            "outputs": components(self.view.listed, talk, side),
            "show_progress": "hidden",
            "api_visibility": "private",
            "concurrency_limit": MAX_REPLIES,
            "concurrency_id": "replies",
        }
        settings = [talk.chat, side.run, side.system, side.sentiment_on, *side.sampling]
        for trigger in (talk.box.submit, talk.send.click):
            trigger(self.say, [talk.box, *settings], **every)
        for trigger in (talk.retry.click, talk.chatbot.retry):
            trigger(self.retry, settings, **every)
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
        """Stream the reply to a message."""
        with suppress(LeftError):
            yield from self._say(request, text, chat_id, run, system, sentiment, *controls)

    def _say(
        self,
        request: gr.Request,
        text: str,
        chat_id: str,
        run: str,
        system: str,
        sentiment: bool,
        *controls: Any,
    ) -> Iterator[Updates]:
        owner = owner_of(request)
        with showing_errors():
            sampling = self._check(controls, request)
            chat_model = self.view.pool.load(run)
            clean_message(text, self.session.limits)  # before a conversation is created for it
            if not chat_id:
                chat_id = self.session.start(
                    owner, system=system, run=run, settings=_settings(sampling, sentiment)
                ).id
            else:
                self._save_settings(chat_id, owner, run, sampling, sentiment)
            before = bubbles(self.store.read(chat_id, owner))
            stream = self.session.say(chat_id, owner, text, sampling, chat_model=chat_model)
            yield from self._stream(
                chat_id, request, stream, [*before, bubble("user", text)], {self.talk.box: ""}
            )
            return
        yield self.view.whole(chat_id, owner) | self.view.busy(False)

    def retry(
        self, request: gr.Request, chat_id: str, run: str, system: str, sentiment: bool, *controls: Any
    ) -> Iterator[Updates]:
        """Stream another reply to the last message."""

        def retried(owner: str, sampling: Sampling, chat_model: ChatModel) -> StreamingReply:
            return self.session.retry(chat_id, owner, sampling, chat_model=chat_model)

        with suppress(LeftError):
            yield from self._again(retried, chat_id, run, sentiment, controls, request)

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
        """Stream the reply to an edited message. The old message stays in the store as a branch."""

        def edited(owner: str, sampling: Sampling, chat_model: ChatModel) -> StreamingReply:
            message = self.message_at(chat_id, owner, data.index)
            return self.session.edit(
                chat_id, owner, message, typed(str(data.value)), sampling, chat_model=chat_model
            )

        with suppress(LeftError):
            yield from self._again(edited, chat_id, run, sentiment, controls, request)

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
        """Stream a second reply to the last message, or to the one in the box, to choose from."""
        with suppress(LeftError):
            yield from self._compare(request, text, other_run, chat_id, run, system, sentiment, *controls)

    def _compare(
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
        owner = owner_of(request)
        if text.strip():
            for updates in self._say(request, text, chat_id, run, system, sentiment, *controls):
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
            stream = self.session.retry(chat_id, owner, sampling, chat_model=self.view.pool.load(other_run))
            with self._running_on(request, chat_id, stream) as running:
                both = {self.talk.versus: gr.update(visible=True), self.talk.first: shown(first.text)}
                yield both | {self.talk.second: WAITING} | self.view.busy(True)
                for reply in running.growing():
                    yield {self.talk.second: shown(reply)}
            after = self.view.whole(chat_id, owner) | self.view.busy(False)
            last = self.store.read(chat_id, owner).messages[-1]
            if last.role == "assistant" and last.id != first.id:
                after |= both | {self.talk.second: shown(last.text), self.talk.pair: f"{first.id} {last.id}"}
            yield after
            return
        yield self.view.whole(chat_id, owner) | self.view.busy(False)

    def stop(self, chat_id: str, request: gr.Request) -> None:
        """Stop the reply in a conversation of the owner."""
        with self._lock:
            running = self._running.get((owner_of(request), chat_id))
        if running is not None:
            running.stream.stop()

    def leave(self, chat_id: str, request: gr.Request) -> None:
        """Stop the reply on this page, which opens another conversation, and show no more of it."""
        with self._lock:
            running = self._running.get((owner_of(request), chat_id))
        if running is not None and running.page == request.session_hash:
            running.is_left = True
            running.stream.stop()
            # Its last update is on its way to the page; what the page shows next must come after it
            running.ended.wait(MAX_WAIT)
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
        ask: Callable[[str, Sampling, ChatModel], StreamingReply],
        chat_id: str,
        run: str,
        sentiment: bool,
        controls: tuple[Any, ...],
        request: gr.Request,
    ) -> Iterator[Updates]:
        owner = owner_of(request)
        with showing_errors():
            sampling = self._check(controls, request)
            self._save_settings(chat_id, owner, run, sampling, sentiment)
            stream = ask(owner, sampling, self.view.pool.load(run))
            yield from self._stream(chat_id, request, stream, None, {})
            return
        yield self.view.whole(chat_id, owner) | self.view.busy(False)

    def _stream(
        self,
        chat_id: str,
        request: gr.Request,
        stream: StreamingReply,
        shown_before: list[dict[str, str]] | None,
        updates: Updates,
    ) -> Iterator[Updates]:
        chatbot, owner = self.talk.chatbot, owner_of(request)
        with self._running_on(request, chat_id, stream) as running:
            before = shown_before if shown_before is not None else bubbles(self.store.read(chat_id, owner))
            first = {
                chatbot: [*before, bubble("assistant", WAITING)],
                self.talk.chat: chat_id,
                self.talk.status: "",
            }
            yield first | self.view.busy(True) | updates
            for number, reply in enumerate(running.growing()):
                side = self.view.side_panel(self.view.read(chat_id, owner), words=False) if not number else {}
                yield {chatbot: [*before, bubble("assistant", reply)]} | side
        yield self.view.whole(chat_id, owner) | self.view.busy(False)

    def _running_on(self, request: gr.Request, chat_id: str, stream: StreamingReply) -> RunningReply:
        return RunningReply(
            self._running, self._lock, (owner_of(request), chat_id), stream, request.session_hash
        )

    def _check(self, controls: tuple[Any, ...], request: gr.Request) -> Sampling:
        """Count the request of the visitor, and return the sampling settings."""
        self.view.rate.take(visitor_of(request))
        return sampling_of(*controls)

    def _save_settings(self, chat_id: str, owner: str, run: str, sampling: Sampling, sentiment: bool) -> None:
        chat = self.store.read(chat_id, owner)
        settings = dict(chat.settings) | _settings(sampling, sentiment)
        if settings != dict(chat.settings):
            self.store.set_settings(chat_id, owner, settings)
        if chat.run != run:
            self.store.set_run(chat_id, owner, run)


def _settings(sampling: Sampling, sentiment: bool) -> dict[str, object]:
    return {"sampling": sampling.model_dump(), "mood": bool(sentiment)}
