"""Replies that the server generates, whether or not a page shows them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any, TypeAlias

from nlpkit.chat.messages import Chat
from nlpkit.chat.refusals import BusyError
from nlpkit.data.examples import Conversation
from nlpkit.errors import NlpkitError
from nlpkit.generation.completion import ChatModel, Completion, OverloadedError, loaded
from nlpkit.generation.sampling import Sampling

if TYPE_CHECKING:
    from nlpkit.chat.session import Session
    from nlpkit.chat.streaming_reply import StreamingReply

LOG = logging.getLogger(__name__)

TICK = 0.05
"""Seconds between two updates of a growing reply; more would only keep the browser busy."""

MAX_REPLIES = 16
"""Replies that may be generated at the same time."""

MAX_WAIT = 10.0
"""Seconds to wait at most for a message, or at the end of the server for replies, to be saved."""

Said: TypeAlias = tuple[str, str]
"""The role and the text of a message."""


class RunningReply:
    """A reply that a thread reads to its end. Any number of pages may follow it."""

    def __init__(self, before: Iterable[Said]) -> None:
        self.before = tuple(before)
        """The messages that are shown above it."""
        self.error: Exception | None = None
        self.asked = Event()
        """Is set when the message that it answers is saved, or was refused."""
        self.ended = Event()
        self._stream: StreamingReply | None = None
        self._is_stopped = False

    @property
    def text(self) -> str:
        """Return the text that is saved so far: nothing else is shown, so that a kill loses nothing shown."""
        return self._stream.saved if self._stream else ""

    @property
    def has_begun(self) -> bool:
        """Return whether the chat model accepted the message."""
        return self._stream is not None

    def stop(self) -> None:
        """Stop generation; the text so far is kept."""
        self._is_stopped = True
        if self._stream:
            self._stream.stop()

    def growing(self, left: Event | None = None) -> Iterator[str]:
        """Yield the text so far, as often as a page can show it, until it ends or `left` is set."""
        shown, is_over = "", False
        while not is_over:
            is_over = self.ended.wait(TICK)
            if left is not None and left.is_set():
                return
            if self.text != shown:
                shown = self.text
                yield shown

    def read(self, ask: Callable[[], StreamingReply], forget: Callable[[], None]) -> None:
        """Ask the chat model and read its reply, which is saved as it grows; keep an error for the pages."""
        try:
            self._stream = ask()
            if self._is_stopped:
                self._stream.stop()
            for _ in self._stream:
                pass
        except NlpkitError as error:
            self.error = error
            LOG.warning("no reply: %s", error)
        except Exception as error:  # a bug: for the server's log too
            self.error = error
            raise
        finally:
            forget()
            self.asked.set()
            self.ended.set()


class AskedModel:
    """A chat model that tells when it is asked: the message that it answers is saved then."""

    def __init__(self, chat_model: ChatModel, asked: Event) -> None:
        self._chat_model, self._asked = chat_model, asked

    @property
    def name(self) -> str:
        """The chat model's name."""
        return self._chat_model.name

    def load_now(self) -> ChatModel:
        """Tell, and load the chat model."""
        self._asked.set()
        return loaded(self._chat_model)

    def stream(self, conversation: Conversation, **settings: Any) -> Completion:
        """Tell, and start the reply."""
        return self.load_now().stream(conversation, **settings)


class RunningReplies:
    """The replies of a session that grow now, by owner and conversation."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._replies: dict[tuple[str, str], RunningReply] = {}
        self._lock = Lock()
        self._is_closed = False

    def get(self, owner: str, chat: str) -> RunningReply | None:
        """Return the reply that grows in a conversation, if one does."""
        with self._lock:
            running = self._replies.get((owner, chat))
        if running is not None:
            running.asked.wait(MAX_WAIT)  # no page shows a message before it is saved
        return running

    def say(
        self, owner: str, chat: str, text: str, sampling: Sampling, chat_model: ChatModel
    ) -> RunningReply:
        """Save a message and start the reply.

        Raises:
            BusyError: a reply is growing in this conversation.
            OverloadedError: too many replies are growing.
        """
        before = [*said(self._session.store.read(chat, owner)), ("user", text)]

        def ask(chat_model: ChatModel) -> StreamingReply:
            return self._session.say(chat, owner, text, sampling, chat_model=chat_model)

        return self._start(owner, chat, before, ask, chat_model)

    def edit(
        self, owner: str, chat: str, message: str, text: str, sampling: Sampling, chat_model: ChatModel
    ) -> RunningReply:
        """Replace a message and start the reply; raises as `say` does."""
        until = said(self._session.store.read(chat, owner, until=message))[:-1]

        def ask(chat_model: ChatModel) -> StreamingReply:
            return self._session.edit(chat, owner, message, text, sampling, chat_model=chat_model)

        return self._start(owner, chat, [*until, ("user", text)], ask, chat_model)

    def retry(self, owner: str, chat: str, sampling: Sampling, chat_model: ChatModel) -> RunningReply:
        """Start another reply to the last message; raises as `say` does."""

        def ask(chat_model: ChatModel) -> StreamingReply:
            return self._session.retry(chat, owner, sampling, chat_model=chat_model)

        return self._start(owner, chat, self._until_question(owner, chat), ask, chat_model)

    def resume(self, owner: str, chat: str, sampling: Sampling, chat_model: ChatModel) -> RunningReply:
        """Start the rest of the last reply; raises as `say` does."""

        def ask(chat_model: ChatModel) -> StreamingReply:
            return self._session.resume(chat, owner, sampling, chat_model=chat_model)

        return self._start(owner, chat, self._until_question(owner, chat), ask, chat_model)

    def stop(self, owner: str, chat: str, *, wait: float = 0.0) -> None:
        """Stop the reply that grows in a conversation, and wait until it is saved."""
        if running := self.get(owner, chat):
            running.stop()
            running.ended.wait(wait)

    def close(self) -> None:
        """Stop all replies, wait until they are saved, and start no more."""
        with self._lock:
            self._is_closed = True
            replies = list(self._replies.values())
        for running in replies:
            running.stop()
        for running in replies:
            running.ended.wait(MAX_WAIT)

    def _until_question(self, owner: str, chat: str) -> list[Said]:
        store = self._session.store
        return said(store.read(chat, owner, until=store.question(chat, owner).id))

    def _start(
        self,
        owner: str,
        chat: str,
        before: Iterable[Said],
        ask: Callable[[ChatModel], StreamingReply],
        chat_model: ChatModel,
    ) -> RunningReply:
        key, running = (owner, chat), RunningReply(before)
        with self._lock:
            if key in self._replies:
                raise BusyError("a reply is being written; hint: wait until it ends, or stop it")
            if self._is_closed or len(self._replies) >= MAX_REPLIES:
                raise OverloadedError("too many replies are being written; hint: try again in a moment")
            self._replies[key] = running
        asked = partial(ask, AskedModel(chat_model, running.asked))
        read = partial(running.read, asked, lambda: self._forget(key))
        Thread(target=read, name="reply", daemon=True).start()
        running.asked.wait(MAX_WAIT)
        return running

    def _forget(self, key: tuple[str, str]) -> None:
        with self._lock:
            del self._replies[key]


def said(chat: Chat) -> list[Said]:
    """Return roles and texts of the messages."""
    return [(message.role, message.text) for message in chat.messages]
