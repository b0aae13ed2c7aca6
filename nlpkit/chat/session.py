"""How conversations are held: messages are checked, saved and answered, and replies saved however they end.

* Session
  x store         the conversations; what a client claims about them is never used
  x chat_model    answers
  x sentiment     of each message of the user, predicted once and stored; on request it goes into the system
  prompt
  x pending_turn  a turn and its replies: x streaming_reply, a reply on its way
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile

from nlpkit.chat import text_limits
from nlpkit.chat.chat_prompt import prompt_of, sampling_of
from nlpkit.chat.messages import Chat, ChatMessage, Rating, Visibility, spoken, trend_of, visibility_of
from nlpkit.chat.pending_turn import PendingTurn, TurnRequest
from nlpkit.chat.refusals import LimitError
from nlpkit.chat.sentiment import (
    NO_SENTIMENT,
    Sentiment,
    SentimentClassifier,
    SentimentTrend,
    has_sentiment,
    predict_sentiments,
)
from nlpkit.chat.store import Store
from nlpkit.chat.streaming_reply import StreamingReply
from nlpkit.chat.text_limits import ChatLimits
from nlpkit.errors import ConfigError
from nlpkit.generation.completion import ChatModel
from nlpkit.generation.context import Context
from nlpkit.generation.sampling import Sampling

DEFAULT_LIMITS = ChatLimits()


class Session:
    """Holds the conversations of demo and terminal. For any thread."""

    def __init__(
        self,
        store: Store,
        chat_model: ChatModel,
        classifier: SentimentClassifier | None = None,
        *,
        mood: bool = False,
        limits: ChatLimits = DEFAULT_LIMITS,
    ) -> None:
        """Hold conversations in a store.

        Args:
            store: keeps the conversations.
            chat_model: answers, unless a method names another one.
            classifier: predicts the sentiment of the user's messages; None predicts none.
            mood: put the user's sentiment into the system prompt.
            limits: how long texts and conversations may be.

        Raises:
            ConfigError: `mood` without a classifier, or a classifier that predicts no sentiment.
        """
        if classifier is not None and not has_sentiment(classifier):
            raise ConfigError(NO_SENTIMENT)
        if mood and classifier is None:
            raise ConfigError(
                "mood: needs a classifier; hint: name one with --classifier, or leave out --mood"
            )
        self.store = store
        self.chat_model = chat_model
        self.classifier = classifier
        self.mood = mood
        self.limits = limits

    def start(
        self,
        owner: str,
        *,
        title: str = "",
        system: str = "",
        run: str = "",
        settings: Mapping[str, object] | None = None,
    ) -> Chat:
        """Create a conversation.

        Raises:
            LimitError: a text is too long.
        """
        return self.store.create(
            owner, title=self._title(title), system=self._system(system), run=run, settings=settings
        )

    def say(
        self,
        chat: str,
        owner: str,
        text: str,
        sampling: Sampling | None = None,
        *,
        chat_model: ChatModel | None = None,
    ) -> StreamingReply:
        """Save a message of the user, and return the reply. `chat_model` answers instead of the default.

        Raises:
            LimitError: the text is empty, invisible or too long, or the conversation has the maximum number
                of turns.
            MissingError: the owner has no such conversation.
            BusyError: another reply is on its way in this conversation.
            DataError: the text does not fit the model's context; it is then kept as a branch that is not
                shown.
        """
        message = text_limits.clean_message(text, self.limits)
        return self._answer(chat, owner, chat_model, sampling, lambda: self._save(chat, owner, message))

    def retry(
        self,
        chat: str,
        owner: str,
        sampling: Sampling | None = None,
        *,
        message: str | None = None,
        chat_model: ChatModel | None = None,
    ) -> StreamingReply:
        """Return another reply instead of `message`, or of the last reply, which is kept as a branch.

        Raises:
            DataError: as for `say`; the old reply is shown until text of the new one is saved.
        """
        return self._answer(
            chat, owner, chat_model, sampling, lambda: self.store.question(chat, owner, message)
        )

    def resume(
        self, chat: str, owner: str, sampling: Sampling | None = None, *, chat_model: ChatModel | None = None
    ) -> StreamingReply:
        """Continue the last reply where it was interrupted, stopped or cut.

        Raises:
            LimitError: the conversation does not end with a reply.
            DataError: as for `say`, or the chat model cannot continue a reply.
        """
        messages = self.store.read(chat, owner).messages
        if not messages or messages[-1].role != "assistant":
            raise LimitError("there is no reply to continue; hint: retry the message instead")
        return self._answer(
            chat, owner, chat_model, sampling, lambda: self.store.question(chat, owner), begun=messages[-1]
        )

    def edit(
        self,
        chat: str,
        owner: str,
        message: str,
        text: str,
        sampling: Sampling | None = None,
        *,
        chat_model: ChatModel | None = None,
    ) -> StreamingReply:
        """Replace a message of the user, and return the reply. The old message is kept as a branch.

        Raises:
            DataError: as for `say`; the old message is then shown again.
        """
        edited = text_limits.clean_message(text, self.limits)

        def save() -> ChatMessage:
            messages = self.store.read(chat, owner).messages
            before = list(takewhile(lambda earlier: earlier.id != message, messages))
            return self.store.edit(chat, owner, message, edited, sentiment=self._sentiment(edited, before))

        return self._answer(chat, owner, chat_model, sampling, save)

    def undo(self, chat: str, owner: str) -> Chat:
        """Remove the user's last message and its reply; they are kept as a branch.

        Raises:
            BusyError: a reply is on its way.
        """
        with self.store.hold(chat, owner):
            return self.store.undo(chat, owner)

    def switch(self, chat: str, owner: str, message: str) -> Chat:
        """Show another version of a message, and what followed it; the next turn goes on from there.

        Raises:
            BusyError: a reply is on its way.
        """
        with self.store.hold(chat, owner):
            return self.store.switch(chat, owner, message)

    def rate(
        self, chat: str, owner: str, message: str, rating: Rating | None, reason: str = ""
    ) -> ChatMessage:
        """Rate a reply, with a reason; None removes the rating."""
        return self.store.rate(chat, owner, message, rating, self._reason(reason))

    def choose(self, chat: str, owner: str, chosen: str, rejected: str, reason: str = "") -> ChatMessage:
        """Save which of two replies to one message is better, and show that one."""
        return self.store.choose(chat, owner, chosen, rejected, self._reason(reason))

    def rename(self, chat: str, owner: str, title: str) -> Chat:
        """Change the title of a conversation."""
        return self.store.rename(chat, owner, self._title(title))

    def set_system(self, chat: str, owner: str, system: str) -> Chat:
        """Change the system prompt of a conversation."""
        return self.store.set_system(chat, owner, self._system(system))

    def sentiment_trend(self, chat: str, owner: str) -> SentimentTrend:
        """Return the sentiment of the user's current messages, as far as it was predicted."""
        return trend_of(self.store.read(chat, owner).messages)

    def context(self, chat: str, owner: str) -> Context | None:
        """Return which turns the chat model saw for the last reply.

        None if there is none, or a server decided.
        """
        replies = [
            message for message in self.store.read(chat, owner).messages if message.role == "assistant"
        ]
        return replies[-1].context if replies else None

    def visibility(self, chat: str, owner: str) -> dict[str, Visibility]:
        """Return, by id, what the chat model saw of each message before the last reply; empty if unknown."""
        return visibility_of(self.store.read(chat, owner).messages)

    def _save(self, chat: str, owner: str, text: str) -> ChatMessage:
        messages = self.store.read(chat, owner).messages
        turns = sum(message.role == "user" for message in messages)
        if turns >= self.limits.max_turns:
            raise LimitError(
                f"this conversation has {turns:,} turns, the maximum; hint: begin a new conversation"
            )
        return self.store.append(chat, owner, "user", text, sentiment=self._sentiment(text, messages))

    def _answer(
        self,
        chat: str,
        owner: str,
        chat_model: ChatModel | None,
        sampling: Sampling | None,
        save_turn: Callable[[], ChatMessage],
        *,
        begun: ChatMessage | None = None,
    ) -> StreamingReply:
        request = TurnRequest(
            chat=chat,
            owner=owner,
            save_turn=save_turn,
            prompt=lambda current, chat_model: prompt_of(
                current, chat_model, self.store.files.read(chat, owner), mood=self.mood
            ),
            sampling=lambda current: sampling or sampling_of(current),
            begun=begun,
        )
        return PendingTurn(self.store, request).begin(chat_model or self.chat_model)

    def _sentiment(self, text: str, before: Sequence[ChatMessage]) -> Sentiment | None:
        if self.classifier is None:
            return None
        return predict_sentiments(self.classifier, [text], spoken(before))[0]

    def _title(self, title: str) -> str:
        return " ".join(text_limits.clean(title, self.limits.max_title, what="the title").split())

    def _system(self, system: str) -> str:
        return text_limits.clean(system, self.limits.max_system, what="the system prompt")

    def _reason(self, reason: str) -> str:
        return text_limits.clean(reason, self.limits.max_reason, what="the reason")
