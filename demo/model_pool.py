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
from nlpkit.errors import RunError, nearest
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

DEMO_MODEL = "It is a demo model of 135M parameters, and often wrong."
CONNECT_BELOW = "Connect your own model below, or begin with a run of yours: nlpkit demo runs/NAME"
CONNECT_BY_COMMAND = "Connect your own: nlpkit demo runs/NAME, or nlpkit demo --connect http://SERVER/v1"
LOADED = 2
"""Chat models that stay in memory: enough to compare two."""


class GoneError(RunError):
    """A chat model is no longer in the demo."""


class ModelPool:
    """Chat models by name, and their session. `chat_models` may be a function, because runs come and go."""

    def __init__(
        self,
        store: Store,
        chat_models: Offer | Callable[[], Offer],
        classifier: SentimentClassifier | None = None,
        *,
        limits: ChatLimits = DEFAULT_LIMITS,
        can_connect: bool = False,
    ) -> None:
        """Offer chat models; `can_connect` says that the page connects servers."""
        self.can_connect = can_connect
        self._offer = chat_models if callable(chat_models) else lambda: chat_models
        self.session = Session(store, Lazy(self, ""), classifier, limits=limits)
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
            GoneError: no chat model has that name, or not any more.
            NlpkitError: the chat model cannot be loaded.
        """
        offer = self._offer()
        name = RENAMED.get(name, name) or next(iter(offer))
        if name not in offer:
            raise GoneError(
                f"the model {name!r:.200} is not in this demo now; hint: choose another model"
                f"{nearest(name, offer)}"
            )
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

    def answering(self, name: str) -> ChatModel:
        """Return a chat model that is loaded when it answers, so that a message is kept where that fails."""
        return Lazy(self, name)

    def described(self, name: str, former: str = "") -> str:
        """Return the name of a chat model, and what it runs on where it is loaded on this machine.

        `former` is the one that a conversation had; if it is gone, this is said.
        """
        cached = self._cached(name)
        runs_on = getattr(cached[1], "runs_on", "") if cached else ""
        about = f"{name} by {runs_on}" if runs_on else name
        if left_out := getattr(cached[1], "left_out", []) if cached else []:
            about += f", which does not take {', '.join(left_out)}"
        if former and RENAMED.get(former, former) not in self.names:
            about = f"{former} is not in this demo now, so that another model answers: {about}"
        if name != BUILT_IN:
            return about
        return f"{about}. {DEMO_MODEL} {CONNECT_BELOW if self.can_connect else CONNECT_BY_COMMAND}"

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


class Lazy:
    """A chat model by name, the default one by "", loaded when it answers."""

    def __init__(self, pool: ModelPool, name: str) -> None:
        self._pool, self._name = pool, name

    def load_now(self) -> ChatModel:
        """Load the chat model."""
        return self._pool.load(self._name)

    @property
    def name(self) -> str:
        return self.load_now().name

    def stream(
        self,
        conversation: Conversation,
        *,
        sampling: Sampling,
        session: str = "",
        reply_format: ReplyFormat | None = None,
    ) -> Completion:
        chat_model = self.load_now()
        return chat_model.stream(conversation, sampling=sampling, session=session, reply_format=reply_format)
