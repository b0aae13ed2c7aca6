"""The bots that the demo can talk with: each is loaded when it is first asked for, and all hold their conversations in one session."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from threading import Lock
from typing import TYPE_CHECKING

from nlpkit.chat.sentiment import SentimentClassifier
from nlpkit.chat.session import DEFAULT_LIMITS, Session
from nlpkit.data.examples import Conversation
from nlpkit.errors import DataError, nearest
from nlpkit.generation.completion import ChatModel, Completion
from nlpkit.generation.sampling import Sampling

if TYPE_CHECKING:
    from nlpkit.chat.store import Store
    from nlpkit.chat.text_limits import ChatLimits

Offer = Mapping[str, Callable[[], ChatModel]]
"""What brings a bot into memory, by the name of the bot; the default one first."""

LOADED = 2
"""Bots that stay in memory: enough to set two side by side."""


class ModelPool:
    """Bots by name, and the one session in which they answer. `bots` is asked each time, where it can be: runs come and go."""

    def __init__(
        self,
        store: Store,
        chat_models: Offer | Callable[[], Offer],
        classifier: SentimentClassifier | None = None,
        *,
        limits: ChatLimits = DEFAULT_LIMITS,
    ) -> None:
        self._offer = chat_models if callable(chat_models) else lambda: chat_models
        self.session = Session(store, _Default(self), classifier, limits=limits)
        self._loaded: OrderedDict[str, tuple[Callable[[], ChatModel], ChatModel]] = OrderedDict()
        self._lock = Lock()
        self._loading: dict[str, Lock] = {}

    @property
    def names(self) -> list[str]:
        """Every bot, the default one first."""
        return list(self._offer())

    @property
    def default(self) -> str:
        """The bot of a new conversation."""
        return self.names[0]

    def chat_model(self, name: str = "") -> ChatModel:
        """The bot of a name, or the default one, loaded where it is not yet. Nobody but who asks for it waits for that.

        Raises:
            DataError: no bot has that name.
            NlpkitError: it cannot be loaded.
        """
        offer = self._offer()
        name = name or next(iter(offer))
        if name not in offer:
            raise DataError(f"the model {name!r:.80}: not one of this demo{nearest(name, offer)}")
        load = offer[name]
        with self._lock:
            alone = self._loading.setdefault(name, Lock())
        with alone:
            kept = self._kept(name)
            # Another run may have been promoted meanwhile
            chat_model = kept[1] if kept and kept[0] == load else load()
            with self._lock:
                self._loaded[name] = (load, chat_model)
                self._loaded.move_to_end(name)
                while len(self._loaded) > LOADED:
                    self._loaded.popitem(last=False)
        return chat_model

    def _kept(self, name: str) -> tuple[Callable[[], ChatModel], ChatModel] | None:
        with self._lock:
            return self._loaded.get(name)


class _Default:
    """The default bot, loaded when it is spoken to."""

    def __init__(self, engines: ModelPool) -> None:
        self.engines = engines

    @property
    def name(self) -> str:
        return self.engines.chat_model().name

    def stream(self, conversation: Conversation, *, sampling: Sampling, session: str = "") -> Completion:
        return self.engines.chat_model().stream(conversation, sampling=sampling, session=session)
