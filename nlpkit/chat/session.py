"""How a conversation is held: what is said is checked, saved, answered piece by piece, and the answer saved however it ends.

* Session
  x store      what was said; a client's own account of it is never asked for
  x bot        answers
  x mood       of each turn of the user's, read once and kept; where asked for, the bot is told of it
  x exchange   a turn and its answers: x saying, one answer on its way
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from nlpkit.chat import text_limits as checks
from nlpkit.chat.messages import Chat, ChatMessage, Rating, Visibility, course_of, sight_of
from nlpkit.chat.pending_turn import PendingTurn, TurnRequest
from nlpkit.chat.refusals import LimitError
from nlpkit.chat.sentiment import Sentiment, SentimentClassifier, SentimentTrend, hint, moods
from nlpkit.chat.store import Store
from nlpkit.chat.streaming_reply import StreamingReply
from nlpkit.chat.text_limits import ChatLimits
from nlpkit.data.examples import Conversation
from nlpkit.errors import ConfigError
from nlpkit.generation.completion import ChatModel
from nlpkit.generation.context import Context
from nlpkit.generation.sampling import Sampling

DEFAULT_LIMITS = ChatLimits()

MOOD, SAMPLING = "mood", "sampling"
"""Settings of a conversation: whether the bot is told of the user's mood, and how replies are drawn. They go before the session's own."""


class Session:
    """The one way in which demo, terminal and server hold conversations. For any thread."""

    def __init__(
        self,
        store: Store,
        bot: ChatModel,
        classifier: SentimentClassifier | None = None,
        *,
        mood: bool = False,
        limits: ChatLimits = DEFAULT_LIMITS,
    ) -> None:
        if mood and classifier is None:
            raise ConfigError(
                "mood: on needs a classifier to read the mood with; cure: name one, or leave the mood off"
            )
        self.store = store
        self.bot = bot
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
        """A new conversation.

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
        bot: ChatModel | None = None,
    ) -> StreamingReply:
        """The answer to what the user says now, which is saved before this returns. `bot` answers instead of the session's own.

        Raises:
            LimitError: the text is empty, invisible or too long, or the conversation has as many turns as it may have.
            MissingError: the owner has no such conversation.
            BusyError: another answer is on its way in this conversation.
            DataError: the text does not fit what the bot reads; it is then kept as a branch that is not seen.
        """
        said = checks.message(text, self.limits)
        return self._answered(
            chat, owner, [bot or self.bot], sampling, lambda: self._said(chat, owner, said)
        )[0]

    def say_twice(
        self, chat: str, owner: str, text: str, bots: tuple[ChatModel, ChatModel], sampling: Sampling | None = None
    ) -> tuple[StreamingReply, StreamingReply]:  # fmt: skip
        """Two answers to what the user says now, which may be read at once, and one of which is then chosen (`choose`).

        Raises:
            DataError: as for `say`.
        """
        said = checks.message(text, self.limits)
        one, other = self._answered(chat, owner, bots, sampling, lambda: self._said(chat, owner, said))
        return one, other

    def retry(
        self,
        chat: str,
        owner: str,
        sampling: Sampling | None = None,
        *,
        message: str | None = None,
        bot: ChatModel | None = None,
    ) -> StreamingReply:
        """Another answer to the same turn: to what the reply `message`, or the last one, replied to. The old answer is kept as a branch.

        Raises:
            DataError: as for `say`; the old answer is then seen again.
        """
        return self._answered(
            chat,
            owner,
            [bot or self.bot],
            sampling,
            lambda: self.store.retry(chat, owner, message),
            again=True,
        )[0]

    def edit(
        self,
        chat: str,
        owner: str,
        message: str,
        text: str,
        sampling: Sampling | None = None,
        *,
        bot: ChatModel | None = None,
    ) -> StreamingReply:
        """The answer to a turn said in other words. What was said before is kept as a branch.

        Raises:
            DataError: as for `say`; the old words are then seen again.
        """
        said = checks.message(text, self.limits)
        return self._answered(
            chat,
            owner,
            [bot or self.bot],
            sampling,
            lambda: self.store.edit(chat, owner, message, said, mood=self._mood(said)),
        )[0]

    def undo(self, chat: str, owner: str) -> Chat:
        """The conversation as it was before the user spoke last.

        Raises:
            BusyError: an answer is on its way.
        """
        hold = self.store.hold(chat, owner)
        try:
            return self.store.undo(chat, owner)
        finally:
            hold.release()

    def rate(
        self, chat: str, owner: str, message: str, rating: Rating | None, reason: str = ""
    ) -> ChatMessage:
        """The reply, rated, and why."""
        return self.store.rate(chat, owner, message, rating, self._reason(reason))

    def choose(self, chat: str, owner: str, chosen: str, rejected: str, reason: str = "") -> ChatMessage:
        """The chosen one of two replies to one message, now seen; the choice is kept."""
        return self.store.choose(chat, owner, chosen, rejected, self._reason(reason))

    def rename(self, chat: str, owner: str, title: str) -> Chat:
        """The conversation under another title."""
        return self.store.rename(chat, owner, self._title(title))

    def set_system(self, chat: str, owner: str, system: str) -> Chat:
        """The conversation with other words that the bot is told beforehand."""
        return self.store.set_system(chat, owner, self._system(system))

    def moods(self, chat: str, owner: str) -> SentimentTrend:
        """The mood over the user's turns that are seen, as far as it was read."""
        return course_of(self.store.read(chat, owner).messages)

    def context(self, chat: str, owner: str) -> Context | None:
        """What of the conversation the bot saw for the last reply that is seen; None where there is none or a server decided."""
        replies = [one for one in self.store.read(chat, owner).messages if one.role == "assistant"]
        return replies[-1].context if replies else None

    def sight(self, chat: str, owner: str) -> dict[str, Visibility]:
        """Of each message before the last reply that is seen, by its id: what the bot saw of it; empty where that is not known."""
        return sight_of(self.store.read(chat, owner).messages)

    def _said(self, chat: str, owner: str, text: str) -> ChatMessage:
        turns = sum(one.role == "user" for one in self.store.read(chat, owner).messages)
        if turns >= self.limits.max_turns:
            raise LimitError(
                f"this conversation has {turns:,} turns, as many as it may have; cure: begin a new one"
            )
        return self.store.append(chat, owner, "user", text, mood=self._mood(text))

    def _answered(
        self,
        chat: str,
        owner: str,
        bots: Sequence[ChatModel],
        sampling: Sampling | None,
        put: Callable[[], ChatMessage],
        *,
        again: bool = False,
    ) -> list[StreamingReply]:
        def drawn(now: Chat) -> Sampling:
            if sampling is not None:
                return sampling
            kept = now.settings.get(SAMPLING)
            return Sampling.of(
                kept if isinstance(kept, Mapping) else {},
                where=f"the sampling settings of conversation {now.id}",
            )

        asked = TurnRequest(chat=chat, owner=owner, put=put, told=self._told, sampling=drawn, again=again)
        return PendingTurn(self.store, asked, bots).sayings

    def _told(self, chat: Chat) -> Conversation:
        """The conversation, with the mood of its last turns among what the bot is told where that is asked for."""
        found = chat.conversation
        if not chat.settings.get(MOOD, self.mood):
            return found
        parts = (found.system.strip(), hint(course_of(chat.messages).moods))
        return dataclasses.replace(found, system="\n\n".join(filter(None, parts)))

    def _mood(self, text: str) -> Sentiment | None:
        return moods(self.classifier, [text])[0] if self.classifier else None

    def _title(self, title: str) -> str:
        return " ".join(checks.clean(title, self.limits.max_title, what="the title").split())

    def _system(self, system: str) -> str:
        return checks.clean(system, self.limits.max_system, what="the system prompt")

    def _reason(self, reason: str) -> str:
        return checks.clean(reason, self.limits.max_reason, what="the reason")
