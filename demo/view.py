"""What the page shows of a conversation, read from the store each time: what a browser sends back is never shown or believed."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from html import escape
from typing import Any

import gradio as gr

from demo.chat_parts import ListParts, SideParts, TalkParts
from demo.guard import DemoLimits, RateLimiter
from demo.markup import shown
from demo.model_pool import ModelPool
from demo.panel import context_page, list_page, sentiment_page, status
from nlpkit.chat.messages import Chat
from nlpkit.chat.sentiment import Sentiment, measure_word_effects
from nlpkit.errors import NlpkitError
from nlpkit.generation.sampling import Sampling

Updates = dict[Any, Any]
"""What becomes of which component."""

RATING_MARKS = {"up": "Like", "down": "Dislike", None: None}
WAITING = "…"


class View:
    """The components of the chat tab, and what each shows of a conversation."""

    def __init__(
        self, engines: ModelPool, listed: ListParts, talk: TalkParts, side: SideParts, limits: DemoLimits
    ) -> None:
        self.engines, self.listed, self.talk, self.side = engines, listed, talk, side
        self.session = engines.session
        self.store = engines.session.store
        self.limits = limits
        self.rate = RateLimiter(limits.messages_a_minute)
        classifier = engines.session.classifier
        # The words of a message cost a reading each; a page that is drawn again must not pay twice
        self._words = functools.lru_cache(256)(
            lambda text: measure_word_effects(classifier, text) if classifier else []
        )
        self._sentiment_lock = threading.Lock()

    def whole(self, chat_id: str, owner: str, query: str = "") -> Updates:
        """Everything, for a conversation that is opened, changed or answered; nothing is open where there is no such one."""
        chat = self.read(chat_id, owner)
        return {
            self.talk.chat: chat.id if chat else "",
            self.listed.query: query,
            self.listed.chats: list_page(self.store.chats(owner, query), chat.id if chat else "", query),
            self.listed.title: chat.title if chat else "",
            self.listed.confirm: gr.update(visible=False),
            **self.conversation(chat),
            **self.side_panel(chat),
        }

    def settings(self, chat: Chat | None) -> Updates:
        """The controls as the conversation has them; what is stored and no longer valid is passed over."""
        kept = dict(chat.settings) if chat else {}
        try:
            sampling = Sampling.of(_of(kept.get("sampling")))
        except NlpkitError:
            sampling = Sampling()
        names = self.engines.names
        run = chat.run if chat and chat.run in names else names[0]
        values = [
            sampling.temperature,
            sampling.top_p,
            sampling.top_k,
            sampling.repetition_penalty,
            sampling.max_new_tokens,
        ]
        seed = "" if sampling.seed is None else str(sampling.seed)
        return {
            **dict(zip(self.side.sampling, [*values, seed], strict=True)),
            self.side.run: gr.update(choices=names, value=run, interactive=len(names) > 1),
            self.side.other_run: gr.update(choices=names, value=names[0], visible=len(names) > 1),
            self.side.system: chat.system if chat else "",
            self.side.sentiment_on: kept.get("mood") is True,
        }

    def conversation(self, chat: Chat | None) -> Updates:
        """The messages, and the buttons that fit them."""
        messages = chat.messages if chat else ()
        last = messages[-1] if messages else None
        return {
            self.talk.chatbot: gr.update(value=bubbles(chat), feedback_value=ratings(chat)),
            self.talk.status: status(messages),
            self.talk.versus: gr.update(visible=False),
            self.talk.why_row: gr.update(visible=False),
            self.talk.retry: gr.update(interactive=bool(messages)),
            self.talk.undo: gr.update(interactive=bool(messages)),
            self.talk.cycle: gr.update(
                interactive=True, visible=bool(last and last.role == "assistant" and last.versions > 1)
            ),
        }

    def side_panel(self, chat: Chat | None, *, words: bool = True) -> Updates:
        """The mood and the ledger."""
        return {
            self.side.sentiment: self._sentiment(chat, words=words),
            self.side.context: self.context(chat),
        }

    def read(self, chat_id: str, owner: str) -> Chat | None:
        """The owner's conversation; None for no id, for one that is gone, and for somebody else's."""
        try:
            return self.store.read(chat_id, owner) if chat_id else None
        except NlpkitError:
            return None

    def busy(self, yes: bool) -> Updates:
        """The buttons while a reply comes, and when none does."""
        talk = self.talk
        shown = {
            talk.send: gr.update(visible=not yes),
            talk.stop: gr.update(visible=yes),
            talk.other: gr.update(interactive=not yes),
        }
        # When none comes, the conversation says which of these there are
        return shown | (
            {one: gr.update(interactive=False) for one in (talk.retry, talk.undo, talk.cycle)} if yes else {}
        )

    def _sentiment(self, chat: Chat | None, *, words: bool) -> str:
        if self.session.classifier is None:
            return ""
        said = [one for one in chat.messages if one.role == "user" and one.sentiment] if chat else []
        sentiments: list[Sentiment] = [one.sentiment for one in said if one.sentiment]
        with self._sentiment_lock:
            driving = self._words(said[-1].text) if said and words else []
        return sentiment_page(sentiments, driving, said[-1].text if said else "")

    def context(self, chat: Chat | None, name: str = "") -> str:
        """What the model saw for the last reply; `name` is who answers the next one, where that is not the conversation's own."""
        names = self.engines.names
        name = name or (chat.run if chat and chat.run in names else names[0])
        replies = [one for one in chat.messages if one.role == "assistant"] if chat else []
        return context_page(chat, replies[-1].context if replies else None, name)


def bubbles(chat: Chat | None) -> list[dict[str, str]]:
    """The messages as the chatbot takes them."""
    return [bubble(one.role, one.text) for one in chat.messages] if chat else []


def bubble(role: str, text: str) -> dict[str, str]:
    """One message."""
    return {"role": role, "content": shown(text)}


def ratings(chat: Chat | None) -> list[str | None]:
    """The rating of each reply."""
    return [RATING_MARKS[one.rating] for one in chat.messages if one.role == "assistant"] if chat else []


def owner_of(request: gr.Request | None) -> str:
    """Whose conversations a request may see: the user's who logged in, else the only user's."""
    return str(getattr(request, "username", None) or "")


def visitor_of(request: gr.Request | None) -> str:
    """Who is counted for the limits."""
    client = getattr(request, "client", None)
    return owner_of(request) or str(getattr(client, "host", ""))


@contextmanager
def showing_errors() -> Iterator[None]:
    """What a user can cure is shown as a notice; as text, since it may quote what was sent."""
    try:
        yield
    except NlpkitError as error:
        gr.Warning(escape(str(error)), title="Not done")


def refused(error: NlpkitError) -> gr.Error:
    """The error as an endpoint answers it."""
    return gr.Error(str(error), print_exception=False)


def _of(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
