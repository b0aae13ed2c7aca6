"""The bots that the demo can talk with: each is loaded when it is first asked for, and all hold their conversations in one store."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from threading import Lock
from typing import TYPE_CHECKING

from nlpkit.chat.mood import Scorer
from nlpkit.chat.session import DEFAULT_LIMITS, Session
from nlpkit.errors import DataError, nearest
from nlpkit.inference.answer import Bot

if TYPE_CHECKING:
    from nlpkit.chat.limits import Limits
    from nlpkit.chat.store import Store

LOADED = 2
"""Bots that stay in memory: enough to set two side by side."""


class Engines:
    """Sessions by the name of what answers in them."""

    def __init__(
        self, store: Store, bots: Mapping[str, Callable[[], Bot]], classifier: Scorer | None = None, *, limits: Limits = DEFAULT_LIMITS,
    ) -> None:  # fmt: skip
        self.store = store
        self.bots = dict(bots)
        self.classifier = classifier
        self.limits = limits
        self._loaded: OrderedDict[str, Bot] = OrderedDict()
        self._lock = Lock()

    @property
    def names(self) -> list[str]:
        """Every bot, the default one first."""
        return list(self.bots)

    @property
    def default(self) -> str:
        """The bot of a new conversation."""
        return self.names[0]

    def session(self, name: str = "") -> Session:
        """The session with a bot, which is loaded where it is not yet.

        Raises:
            DataError: no bot has that name.
            NlpkitError: it cannot be loaded.
        """
        return Session(self.store, self._bot(name or self.default), self.classifier, limits=self.limits)

    def _bot(self, name: str) -> Bot:
        if name not in self.bots:
            raise DataError(f"the model {name!r:.80}: not one of this demo{nearest(name, self.bots)}")
        with self._lock:
            bot = self._loaded.get(name) or self.bots[name]()
            self._loaded[name] = bot
            self._loaded.move_to_end(name)
            while len(self._loaded) > LOADED:
                self._loaded.popitem(last=False)
        return bot
