"""A turn and its reply. The conversation stays locked until the reply has ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nlpkit.chat.lock import ReplyLock
from nlpkit.chat.messages import Chat, ChatMessage
from nlpkit.chat.store import Store
from nlpkit.chat.streaming_reply import StreamingReply
from nlpkit.data.examples import Conversation
from nlpkit.errors import DataError
from nlpkit.generation.completion import ChatModel, Completion, loaded
from nlpkit.generation.sampling import Sampling


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnRequest:
    """What the chat model is asked, and in whose conversation."""

    chat: str
    owner: str
    save_turn: Callable[[], ChatMessage]
    """Returns the user's turn, saved now or before."""
    begun: ChatMessage | None = None
    """The reply that is continued, if there is one."""
    prompt: Callable[[Chat, ChatModel], Conversation]
    """Returns the conversation as the chat model reads it."""
    sampling: Callable[[Chat], Sampling]


class PendingTurn:
    """The reply to one turn, from the moment when it is saved to the end of the reply."""

    def __init__(self, store: Store, request: TurnRequest) -> None:
        """Lock the conversation.

        Raises:
            BusyError: another reply is on its way.
        """
        self.store = store
        self.request = request
        self._lock: ReplyLock = store.hold(request.chat, request.owner)
        self._head_before: str | None = None
        self._replaced = ""
        """The last message, if this turn was answered before."""

    def begin(self, chat_model: ChatModel) -> StreamingReply:
        """Save the turn, and let the chat model begin.

        Raises:
            DataError: the turn cannot be saved or does not fit; the conversation is then shown as it was.
            NlpkitError: the chat model cannot begin; the turn is then kept, and can be retried.
        """
        try:
            return self._begin(chat_model)
        except BaseException as error:
            if self._head_before is not None and isinstance(error, DataError):
                self.store.end_at(self.request.chat, self.request.owner, self._head_before)
            self._lock.release()
            raise

    def _begin(self, chat_model: ChatModel) -> StreamingReply:
        request = self.request
        chat = self.store.read(request.chat, request.owner)
        sampling = request.sampling(chat)
        message = request.save_turn()
        self._head_before = chat.messages[-1].id if chat.messages else ""
        if any(shown.id == message.id for shown in chat.messages):
            self._replaced = self._head_before
        until = request.begun.id if request.begun else message.id
        current = self.store.read(request.chat, request.owner, until=until)
        # The turn is saved: a chat model that cannot be loaded loses no message
        chat_model = loaded(chat_model)
        answer = chat_model.stream(
            request.prompt(current, chat_model), sampling=sampling, session=request.chat
        )
        begun = request.begun.text.rstrip() if request.begun else ""
        save = self._saver(message, chat_model, answer)
        return StreamingReply(message, answer, save, self._lock.release, begun=begun)

    def _saver(
        self, message: ChatMessage, chat_model: ChatModel, answer: Completion
    ) -> Callable[[str, str], ChatMessage]:
        chat, owner, reply = self.request.chat, self.request.owner, self.request.begun

        def save(text: str, finish: str) -> ChatMessage:
            nonlocal reply
            if reply is None:
                # Only now does a retried reply leave the page, so that a kill before this loses nothing
                reply = self.store.append(
                    chat, owner, "assistant", text, after=message.id, instead_of=self._replaced,
                    chat_model=chat_model.name, finish=finish, context=answer.context,
                )  # fmt: skip
            else:
                # A server may report only at the end what its model saw
                reply = self.store.set_reply(chat, owner, reply.id, text, finish, answer.context)
            return reply

        return save
