"""A turn and its answers: the conversation is held for nobody else until the last of them has ended."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nlpkit.chat.lock import Hold
from nlpkit.chat.messages import Chat, ChatMessage
from nlpkit.chat.store import Store
from nlpkit.chat.streaming_reply import StreamingReply
from nlpkit.data.examples import Conversation
from nlpkit.errors import DataError
from nlpkit.generation.completion import ChatModel, Completion, FinishReason
from nlpkit.generation.sampling import Sampling


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnRequest:
    """What bots are asked, in whose conversation."""

    chat: str
    owner: str
    put: Callable[[], ChatMessage]
    """Saves the user's turn, or steps back to it."""
    told: Callable[[Chat], Conversation]
    """What the bots are told of the conversation."""
    sampling: Callable[[Chat], Sampling]
    again: bool = False
    """The turn was answered before: where nothing comes now, that answer is seen again."""


class PendingTurn:
    """The answers to one turn, from the moment that it is put to the end of the last."""

    def __init__(self, store: Store, asked: TurnRequest, bots: Sequence[ChatModel]) -> None:
        """Hold the conversation, save the turn, and let the bots begin.

        Raises:
            DataError: the turn cannot be put or does not fit; the conversation is then seen as it was.
        """
        self.store, self.asked = store, asked
        self.sayings: list[StreamingReply] = []
        self._left = len(bots)
        self._came = False
        self._lock = threading.Lock()
        self._hold: Hold = store.hold(asked.chat, asked.owner)
        self._before: str | None = None
        try:
            self._begin(bots)
        except BaseException as error:
            for saying in self.sayings:
                saying.close()
            if self._before is not None and (asked.again or isinstance(error, DataError)):
                self._go_back()
            self._hold.release()
            raise

    def _begin(self, bots: Sequence[ChatModel]) -> None:
        asked = self.asked
        chat = self.store.read(asked.chat, asked.owner)
        sampling = asked.sampling(chat)
        message = asked.put()
        self._before = chat.messages[-1].id if chat.messages else ""
        told = asked.told(self.store.read(asked.chat, asked.owner))
        for place, bot in enumerate(bots):
            # A bot that answers twice keeps apart what it has read
            answer = bot.stream(
                told, sampling=sampling, session=f"{asked.chat}/{place}" if place else asked.chat
            )
            self.sayings.append(
                StreamingReply(message, answer, self._saver(message, bot, answer), self._one_ended)
            )

    def _saver(
        self, message: ChatMessage, bot: ChatModel, answer: Completion
    ) -> Callable[[str, FinishReason], ChatMessage]:
        def save(text: str, finish: FinishReason) -> ChatMessage:
            return self.store.append(
                self.asked.chat, self.asked.owner, "assistant", text,
                after=message.id, bot=bot.name, finish=finish, context=answer.context,
            )  # fmt: skip

        return save

    def _one_ended(self, came: bool) -> None:
        with self._lock:
            self._left -= 1
            self._came |= came
            if self._left:
                return
        try:
            if self.asked.again and not self._came:
                self._go_back()
        finally:
            self._hold.release()

    def _go_back(self) -> None:
        self.store.end_at(self.asked.chat, self.asked.owner, self._before or "")
