"""The last replies of a server, so that a client can rate one by its id; only rated ones are stored."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from nlpkit.chat.messages import Rating
from nlpkit.chat.refusals import LimitError, MissingError
from nlpkit.chat.store import Store
from nlpkit.data.examples import Conversation

MOST = 10_000
"""Replies that are remembered at most."""

MOST_CHARACTERS = 50_000_000
"""Characters of all remembered replies and their conversations at most."""


@dataclass(kw_only=True, slots=True)
class _Reply:
    client: str
    conversation: Conversation
    text: str
    finish: str
    stored: tuple[str, str] | None = None
    """Ids of the stored conversation and of the reply in it, once it is rated."""

    @property
    def size(self) -> int:
        turns = self.conversation.turns
        return len(self.conversation.system) + sum(len(turn.text) for turn in turns) + len(self.text)


class RecentReplies:
    """Remembers replies, and stores those that are rated. `rate` is called by one thread at a time."""

    def __init__(self, store: Store, model: str) -> None:
        self._store, self._model = store, model
        self._replies: OrderedDict[str, _Reply] = OrderedDict()
        self._characters = 0
        self._lock = threading.Lock()

    def add(self, id: str, client: str, conversation: Conversation, text: str, finish: str) -> None:
        """Remember a reply; the oldest ones are forgotten where there are too many."""
        reply = _Reply(client=client, conversation=conversation, text=text, finish=finish)
        with self._lock:
            self._replies[id] = reply
            self._characters += reply.size
            while len(self._replies) > MOST or self._characters > MOST_CHARACTERS:
                self._characters -= self._replies.popitem(last=False)[1].size

    def rate(self, id: str, client: str, rating: Rating, reason: str) -> None:
        """Store the rating, at the first time with the conversation; the last rating counts.

        Raises:
            MissingError: this server gave no such reply to the client, or has forgotten it.
            LimitError: the reply is empty, or a text cannot be stored.
            DataError: the store is locked, damaged or full.
        """
        with self._lock:
            reply = self._replies.get(id)
        if reply is None or reply.client != client:
            raise MissingError("this server gave you no such reply, or has forgotten it")
        if not reply.text.strip():
            raise LimitError("the reply is empty, so that there is nothing to rate")
        with self._store.together():
            stored = reply.stored or self._save(reply)
            self._store.rate(stored[0], "", stored[1], rating, reason)
        reply.stored = stored

    def _save(self, reply: _Reply) -> tuple[str, str]:
        store, chat = self._store, self._store.create("", system=reply.conversation.system).id
        for turn in reply.conversation.turns:
            store.append(chat, "", turn.role, turn.text)
        saved = store.append(chat, "", "assistant", reply.text, chat_model=self._model, finish=reply.finish)
        return chat, saved.id
