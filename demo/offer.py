"""Which models a demo answers and scores with: the options of the command line, and the servers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from demo.models import Loader, find_chat_models
from demo.servers import Server, Servers
from nlpkit.chat.store import Store
from nlpkit.generation.context import Policy

if TYPE_CHECKING:
    from demo.model_pool import ModelPool
    from nlpkit.chat.sentiment import SentimentClassifier


@dataclass(frozen=True, kw_only=True)
class Models:
    """The chat models that are offered, and whether the page may connect more."""

    run: str | None
    model: str | None
    policy: Policy
    runtime: str
    runs: Path
    connected: list[Server]
    can_connect: bool

    def servers(self, store: Store) -> Servers:
        """Return the servers: those that the page connected are in a file next to the store.

        Raises:
            DataError: the file cannot be read.
        """
        file = store.path.with_name(f"{store.path.name}.servers.json")
        # A page that others see, too, must not answer with the servers and the keys of one
        return Servers(file if self.can_connect else None, self.connected)

    def pool(self, store: Store, classifier: SentimentClassifier | None, servers: Servers) -> ModelPool:
        """Return the chat models, of which the default one is loaded, so that no visitor waits for it."""
        from demo.model_pool import ModelPool

        def offered() -> Mapping[str, Loader | Server]:
            return find_chat_models(
                self.run,
                self.runs,
                model=self.model,
                policy=self.policy,
                runtime=self.runtime,
                servers=servers.offer,
            )

        pool = ModelPool(store, offered, classifier, can_connect=servers.can_connect)
        pool.load()
        return pool
