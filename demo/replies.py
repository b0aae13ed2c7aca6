"""Talking: say, stop, retry, edit and send again, and two replies side by side. What comes is streamed; what is kept is in the store."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Event, Lock
from typing import TYPE_CHECKING, Any

import gradio as gr

from demo.chat_parts import components
from demo.markup import shown, typed
from demo.view import WAITING, Updates, View, bubble, bubbles, owner_of, showing_errors, visitor_of
from nlpkit.chat.text_limits import clean_message
from nlpkit.errors import DataError
from nlpkit.generation.completion import ChatModel
from nlpkit.generation.sampling import Sampling

if TYPE_CHECKING:
    from nlpkit.chat.streaming_reply import StreamingReply

TICK = 0.05
"""Seconds between two pictures of a reply that is coming: more would only keep the browser busy."""
AT_ONCE = 16
"""Replies that may be coming at once; the bot takes turns between them."""

LAST_WORDS = 5.0
"""Seconds that a page which turns away waits at most for the reply that it leaves to end."""


class Replies:
    """Handlers of everything that makes a bot speak."""

    def __init__(self, view: View) -> None:
        self.view, self.talk = view, view.talk
        self.session, self.store = view.session, view.store
        self._running: dict[tuple[str, str], _Running] = {}
        self._lock = Lock()

    def wire(self) -> None:
        """Bind the handlers to the components."""
        talk, side = self.talk, self.view.side
        every: dict[str, Any] = {
            "outputs": components(self.view.listed, talk, side),
            "show_progress": "hidden",
            "api_visibility": "private",
            "concurrency_limit": AT_ONCE,
            "concurrency_id": "replies",
        }
        how = [talk.chat, side.run, side.system, side.sentiment_on, *side.sampling]
        for trigger in (talk.box.submit, talk.send.click):
            trigger(self.say, [talk.box, *how], **every)
        for trigger in (talk.retry.click, talk.chatbot.retry):
            trigger(self.retry, how, **every)
        talk.chatbot.edit(self.edit, how, **every)
        talk.other.click(self.compare, [talk.box, side.other_run, *how], **every)
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
        *drawn: Any,
    ) -> Iterator[Updates]:
        """The reply to a message."""
        with suppress(LeftError):
            yield from self._say(request, text, chat_id, run, system, sentiment, *drawn)

    def _say(
        self,
        request: gr.Request,
        text: str,
        chat_id: str,
        run: str,
        system: str,
        sentiment: bool,
        *drawn: Any,
    ) -> Iterator[Updates]:
        owner = owner_of(request)
        with showing_errors():
            sampling = self._may(drawn, request)
            chat_model = self.view.engines.chat_model(run)
            clean_message(text, self.session.limits)  # before a conversation begins for it
            if not chat_id:
                chat_id = self.session.start(
                    owner, system=system, run=run, settings=_settings(sampling, sentiment)
                ).id
            else:
                self._keep(chat_id, owner, run, sampling, sentiment)
            asked = bubbles(self.store.read(chat_id, owner))
            stream = self.session.say(chat_id, owner, text, sampling, chat_model=chat_model)
            yield from self._stream(
                chat_id, request, stream, [*asked, bubble("user", text)], {self.talk.box: ""}
            )
            return
        yield self.view.whole(chat_id, owner) | self.view.busy(False)

    def retry(
        self, request: gr.Request, chat_id: str, run: str, system: str, sentiment: bool, *drawn: Any
    ) -> Iterator[Updates]:
        """Another reply to the last message."""

        def retried(owner: str, sampling: Sampling, chat_model: ChatModel) -> StreamingReply:
            return self.session.retry(chat_id, owner, sampling, chat_model=chat_model)

        with suppress(LeftError):
            yield from self._again(retried, chat_id, run, sentiment, drawn, request)

    def edit(
        self,
        request: gr.Request,
        data: gr.EditData,
        chat_id: str,
        run: str,
        system: str,
        sentiment: bool,
        *drawn: Any,
    ) -> Iterator[Updates]:
        """The reply to a message in other words. What follows it stays in the store as a branch."""

        def edited(owner: str, sampling: Sampling, chat_model: ChatModel) -> StreamingReply:
            place = self.message_at(chat_id, owner, data.index)
            return self.session.edit(
                chat_id, owner, place, typed(str(data.value)), sampling, chat_model=chat_model
            )

        with suppress(LeftError):
            yield from self._again(edited, chat_id, run, sentiment, drawn, request)

    def compare(
        self,
        request: gr.Request,
        text: str,
        other_run: str,
        chat_id: str,
        run: str,
        system: str,
        sentiment: bool,
        *drawn: Any,
    ) -> Iterator[Updates]:
        """Two replies to the last message, or to the one that is in the box, to choose from."""
        with suppress(LeftError):
            yield from self._compare(request, text, other_run, chat_id, run, system, sentiment, *drawn)

    def _compare(
        self,
        request: gr.Request,
        text: str,
        other_run: str,
        chat_id: str,
        run: str,
        system: str,
        sentiment: bool,
        *drawn: Any,
    ) -> Iterator[Updates]:
        owner = owner_of(request)
        if text.strip():
            for updates in self._say(request, text, chat_id, run, system, sentiment, *drawn):
                chat_id = updates.get(self.talk.chat, chat_id)
                yield updates
        with showing_errors():
            chat = self.store.read(chat_id, owner) if chat_id else None
            if chat is None or not chat.messages or chat.messages[-1].role != "assistant":
                raise DataError("there is no reply yet to compare with; say something first")
            sampling = self._may(drawn, request)
            if sampling.seed is not None:
                sampling = sampling.model_copy(
                    update={"seed": sampling.seed + 1}
                )  # the same seed would draw the same reply
            first = chat.messages[-1]
            stream = self.session.retry(
                chat_id, owner, sampling, chat_model=self.view.engines.chat_model(other_run)
            )
            with self._running_on(request, chat_id, stream) as here:
                both = {self.talk.versus: gr.update(visible=True), self.talk.first: shown(first.text)}
                yield both | {self.talk.second: WAITING} | self.view.busy(True)
                for reply in here.growing():
                    yield {self.talk.second: shown(reply)}
            after = self.view.whole(chat_id, owner) | self.view.busy(False)
            last = self.store.read(chat_id, owner).messages[-1]
            if last.role == "assistant" and last.id != first.id:
                after |= both | {self.talk.second: shown(last.text), self.talk.pair: f"{first.id} {last.id}"}
            yield after
            return
        yield self.view.whole(chat_id, owner) | self.view.busy(False)

    def stop(self, chat_id: str, request: gr.Request) -> None:
        """End the reply that is coming in a conversation, if it is the owner's."""
        with self._lock:
            running = self._running.get((owner_of(request), chat_id))
        if running is not None:
            running.stream.stop()

    def leave(self, chat_id: str, request: gr.Request) -> None:
        """End the reply that is coming on this page, which turns to another conversation, and show no more of it there."""
        with self._lock:
            running = self._running.get((owner_of(request), chat_id))
        if running is not None and running.page == request.session_hash:
            running.left = True
            running.stream.stop()
            # What it has shown is on its way to the page: what the page shows next must come after it
            running.ended.wait(LAST_WORDS)
            time.sleep(TICK)

    def message_at(self, chat_id: str, owner: str, index: Any) -> str:
        """The id of the message at a place that the page tells.

        Raises:
            DataError: there is none, such as in a page that another one has overtaken.
        """
        messages = self.store.read(chat_id, owner).messages
        place = index[0] if isinstance(index, (list, tuple)) and index else index
        if isinstance(place, bool) or not isinstance(place, int) or not 0 <= place < len(messages):
            raise DataError("the conversation has changed meanwhile; reload the page")
        return messages[place].id

    def _again(
        self,
        speak: Callable[[str, Sampling, ChatModel], StreamingReply],
        chat_id: str,
        run: str,
        sentiment: bool,
        drawn: tuple[Any, ...],
        request: gr.Request,
    ) -> Iterator[Updates]:
        owner = owner_of(request)
        with showing_errors():
            sampling = self._may(drawn, request)
            self._keep(chat_id, owner, run, sampling, sentiment)
            stream = speak(owner, sampling, self.view.engines.chat_model(run))
            yield from self._stream(chat_id, request, stream, None, {})
            return
        yield self.view.whole(chat_id, owner) | self.view.busy(False)

    def _stream(
        self,
        chat_id: str,
        request: gr.Request,
        stream: StreamingReply,
        asked: list[dict[str, str]] | None,
        more: Updates,
    ) -> Iterator[Updates]:
        chatbot, owner = self.talk.chatbot, owner_of(request)
        with self._running_on(request, chat_id, stream) as here:
            before = asked if asked is not None else bubbles(self.store.read(chat_id, owner))
            first = {
                chatbot: [*before, bubble("assistant", WAITING)],
                self.talk.chat: chat_id,
                self.talk.status: "",
            }
            yield first | self.view.busy(True) | more
            for number, reply in enumerate(here.growing()):
                side = self.view.side_panel(self.view.read(chat_id, owner), words=False) if not number else {}
                yield {chatbot: [*before, bubble("assistant", reply)]} | side
        yield self.view.whole(chat_id, owner) | self.view.busy(False)

    def _running_on(self, request: gr.Request, chat_id: str, stream: StreamingReply) -> _Running:
        return _Running(self._running, self._lock, (owner_of(request), chat_id), stream, request.session_hash)

    def _may(self, drawn: tuple[Any, ...], request: gr.Request) -> Sampling:
        """How the reply is drawn, for a visitor who has not asked too often."""
        self.view.rate.take(visitor_of(request))
        return sampling_of(*drawn)

    def _keep(self, chat_id: str, owner: str, run: str, sampling: Sampling, sentiment: bool) -> None:
        chat = self.store.read(chat_id, owner)
        kept = dict(chat.settings) | _settings(sampling, sentiment)
        if kept != dict(chat.settings):
            self.store.set_settings(chat_id, owner, kept)
        if chat.run != run:
            self.store.set_run(chat_id, owner, run)


class LeftError(Exception):
    """The page shows another conversation by now."""


class _Running:
    """A reply that can be stopped while it comes; a page that is closed stops it too."""

    def __init__(
        self,
        running: dict[tuple[str, str], _Running],
        lock: Lock,
        key: tuple[str, str],
        stream: StreamingReply,
        page: str | None,
    ) -> None:
        self.running, self.lock, self.key, self.stream, self.page = running, lock, key, stream, page
        self.left = False
        self.ended = Event()

    def __enter__(self) -> _Running:
        with self.lock:
            self.running[self.key] = self
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()
        with self.lock:
            if self.running.get(self.key) is self:
                del self.running[self.key]
        self.ended.set()

    def growing(self) -> Iterator[str]:
        """The reply so far, as often as a page can show it.

        Raises:
            LeftError: the page has turned away.
        """
        reply, shown_at, ahead = "", 0.0, False
        for piece in self.stream:
            reply += piece
            ahead = True
            if time.monotonic() - shown_at >= TICK and not self.left:
                yield reply
                shown_at, ahead = time.monotonic(), False
        if self.left:
            raise LeftError
        if ahead:
            yield reply


def sampling_of(temperature: Any, top_p: Any, top_k: Any, penalty: Any, length: Any, seed: Any) -> Sampling:
    """The settings that the controls send.

    Raises:
        ConfigError: one of them is no number or out of range.
    """
    words = str(seed).strip() if seed is not None else ""
    return Sampling.of(
        {
            "temperature": _real(temperature),
            "top_p": _real(top_p),
            "top_k": _whole(top_k),
            "repetition_penalty": _real(penalty),
            "max_new_tokens": _whole(length),
            "seed": (int(words) if words.isascii() and words.isdigit() else words) if words else None,
        }
    )


def _real(value: Any) -> Any:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _settings(sampling: Sampling, sentiment: bool) -> dict[str, object]:
    return {"sampling": sampling.model_dump(), "mood": bool(sentiment)}
