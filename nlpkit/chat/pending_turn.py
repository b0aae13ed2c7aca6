"""A turn and its replies. The conversation stays locked until the last reply has ended."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nlpkit.chat.lock import ReplyLock
from nlpkit.chat.messages import Chat, ChatMessage
from nlpkit.chat.store import Store
from nlpkit.chat.streaming_reply import StreamingReply
from nlpkit.data.examples import Conversation
from nlpkit.errors import DataError
from nlpkit.generation.completion import ChatModel, Completion, FinishReason
from nlpkit.generation.sampling import Sampling


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnRequest:
    """What the chat models are asked, and in whose conversation."""

    chat: str
    owner: str
    save_turn: Callable[[], ChatMessage]
    """Saves the user's turn, or goes back to it."""
    prompt: Callable[[Chat], Conversation]
    """Returns the conversation as the chat models read it."""
    sampling: Callable[[Chat], Sampling]
    is_retry: bool = False
    """The turn was answered before: if no text comes now, that reply is shown again."""


class PendingTurn:
    """The replies to one turn, from the moment when it is saved to the end of the last reply."""

    def __init__(self, store: Store, request: TurnRequest, chat_models: Sequence[ChatModel]) -> None:
        """Lock the conversation, save the turn, and let the chat models begin.

        Raises:
            DataError: the turn cannot be saved or does not fit; the conversation is then shown as it was.
        """
        self.store, self.request = store, request
        self.streams: list[StreamingReply] = []
        self._pending = len(chat_models)
        self._has_reply = False
        self._guard = threading.Lock()
        self._lock: ReplyLock = store.hold(request.chat, request.owner)
        self._head_before: str | None = None
        try:
            self._begin(chat_models)
        except BaseException as error:
            for stream in self.streams:
                stream.close()
            if self._head_before is not None and (request.is_retry or isinstance(error, DataError)):
                self._go_back()
            self._lock.release()
            raise

    def _begin(self, chat_models: Sequence[ChatModel]) -> None:
        request = self.request
        chat = self.store.read(request.chat, request.owner)
        sampling = request.sampling(chat)
        message = request.save_turn()
        self._head_before = chat.messages[-1].id if chat.messages else ""
        conversation = request.prompt(self.store.read(request.chat, request.owner))
        for number, chat_model in enumerate(chat_models):
            # A chat model that answers twice needs two sessions, so that their caches stay apart
            session = f"{request.chat}/{number}" if number else request.chat
            answer = chat_model.stream(conversation, sampling=sampling, session=session)
            save = self._saver(message, chat_model, answer)
            self.streams.append(StreamingReply(message, answer, save, self._end_one))

    def _saver(
        self, message: ChatMessage, chat_model: ChatModel, answer: Completion
    ) -> Callable[[str, FinishReason], ChatMessage]:
        def save(text: str, finish: FinishReason) -> ChatMessage:
            return self.store.append(
                self.request.chat, self.request.owner, "assistant", text,
                after=message.id, chat_model=chat_model.name, finish=finish, context=answer.context,
            )  # fmt: skip

        return save

    def _end_one(self, has_reply: bool) -> None:
        with self._guard:
            self._pending -= 1
            self._has_reply |= has_reply
            if self._pending:
                return
        try:
            if self.request.is_retry and not self._has_reply:
                self._go_back()
        finally:
            self._lock.release()

    def _go_back(self) -> None:
        self.store.end_at(self.request.chat, self.request.owner, self._head_before or "")
