"""The chat models of the demo: each is loaded at its first use, and all share one session."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from threading import Lock
from typing import TYPE_CHECKING

from demo.models import BUILT_IN
from demo.running_reply import RunningReplies
from nlpkit.chat.sentiment import SentimentClassifier
from nlpkit.chat.session import DEFAULT_LIMITS, Session
from nlpkit.data.examples import Conversation
from nlpkit.errors import DataError, nearest
from nlpkit.generation.completion import ChatModel, Completion
from nlpkit.generation.reply_format import ReplyFormat
from nlpkit.generation.sampling import MAX_NEW_TOKENS, Sampling

if TYPE_CHECKING:
    from nlpkit.chat.store import Store
    from nlpkit.chat.text_limits import ChatLimits

Offer = Mapping[str, Callable[[], ChatModel]]
"""Functions that load the chat models, by name; the default one first."""

RENAMED = {"the default bot": BUILT_IN}
"""Names of chat models in older stores, and their names now."""

DEMO_MODEL = (
    "It is a demo model of 135M parameters, and often wrong. Connect your own: "
    "nlpkit demo runs/NAME, or nlpkit demo http://SERVER/v1"
)
LOADED = 2
"""Chat models that stay in memory: enough to compare two."""


class ModelPool:
    """Chat models by name, and their session. `chat_models` may be a function, because runs come and go."""

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
        self.running = RunningReplies(self.session)
        self._loaded: OrderedDict[str, tuple[Callable[[], ChatModel], ChatModel]] = OrderedDict()
        self._lock = Lock()
        self._loading: dict[str, Lock] = {}

    @property
    def names(self) -> list[str]:
        """Return the names of all chat models, the default one first."""
        return list(self._offer())

    @property
    def default(self) -> str:
        """Return the name of the chat model of a new conversation."""
        return self.names[0]

    def name_of(self, run: str) -> str:
        """Return the name of the chat model of a stored conversation; the default one if it is gone."""
        name = RENAMED.get(run, run)
        return name if name in self.names else self.default

    def longest_reply(self, name: str) -> int:
        """Return how many tokens the control may ask of a chat model for one reply."""
        return getattr(self._offer()[self.name_of(name)], "longest_reply", MAX_NEW_TOKENS)

    def load(self, name: str = "") -> ChatModel:
        """Return a chat model by name, or the default one; load it if needed, without blocking the others.

        Raises:
            DataError: no chat model has that name.
            NlpkitError: the chat model cannot be loaded.
        """
        offer = self._offer()
        name = RENAMED.get(name, name) or next(iter(offer))
        if name not in offer:
            raise DataError(f"the model {name!r:.80} is not in this demo{nearest(name, offer)}")
        loader = offer[name]
        with self._lock:
            loading = self._loading.setdefault(name, Lock())
        with loading:
            cached = self._cached(name)
            # Another run may have been promoted meanwhile
            chat_model = cached[1] if cached and cached[0] == loader else loader()
            with self._lock:
                self._loaded[name] = (loader, chat_model)
                self._loaded.move_to_end(name)
                while len(self._loaded) > LOADED:
                    self._loaded.popitem(last=False)
        return chat_model

    def loaded(self, name: str) -> ChatModel | None:
        """Return a chat model if it is in memory."""
        cached = self._cached(name)
        return cached[1] if cached else None

    def described(self, name: str) -> str:
        """Return the name of a chat model, and what it runs on where it is loaded on this machine."""
        cached = self._cached(name)
        runs_on = getattr(cached[1], "runs_on", "") if cached else ""
        about = f"{name} by {runs_on}" if runs_on else name
        return f"{about}. {DEMO_MODEL}" if name == BUILT_IN else about

    def about(self, name: str) -> str:
        """Return the name of a chat model, its base, and what it runs on, as far as they are known."""
        cached = self._cached(name)
        base, runs_on = (
            getattr(self._offer().get(name), "base", ""),
            getattr(cached and cached[1], "runs_on", ""),
        )
        return " · ".join(filter(None, (name, base, runs_on)))

    def _cached(self, name: str) -> tuple[Callable[[], ChatModel], ChatModel] | None:
        with self._lock:
            return self._loaded.get(name)


class _Default:
    """The default chat model, loaded at its first use."""

    def __init__(self, pool: ModelPool) -> None:
        self.pool = pool

    @property
    def name(self) -> str:
        return self.pool.load().name

    def stream(
        self,
        conversation: Conversation,
        *,
        sampling: Sampling,
        session: str = "",
        reply_format: ReplyFormat | None = None,
    ) -> Completion:
        return self.pool.load().stream(
            conversation, sampling=sampling, session=session, reply_format=reply_format
        )
