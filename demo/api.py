"""The endpoints that programs may call, each with a name, types and a description.

All others serve only the page.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from demo.guard import RateLimiter
from demo.sampling_controls import sampling_of
from demo.text_scorer import TextScorer, score_text
from demo.view import View, owner_of, refused, visitor_of
from nlpkit.chat.text_limits import clean_message
from nlpkit.errors import NlpkitError


class Endpoints:
    """The endpoints for `gradio_client` and plain HTTP: /chat, /conversations, /conversation, /score."""

    def __init__(self, view: View, scorer: TextScorer) -> None:
        self.view, self.scorer = view, scorer
        self.scorings = RateLimiter(view.limits.scorings_a_minute)

    def publish(self) -> None:
        """Register the endpoints."""
        gr.api(self.chat, api_name="chat", concurrency_limit=8, concurrency_id="programs")
        gr.api(self.conversations, api_name="conversations")
        gr.api(self.conversation, api_name="conversation")
        gr.api(self.score, api_name="score", concurrency_limit=2, concurrency_id="scoring")

    def chat(  # noqa: D417
        self,
        text: str,
        conversation: str = "",
        model: str = "",
        temperature: float = 0.7,
        top_p: float = 0.9,
        top_k: int = 0,
        repetition_penalty: float = 1.1,
        max_new_tokens: int = 120,
        seed: str = "",
        request: gr.Request = None,
    ) -> Iterator[dict[str, str]]:
        """Send a message, and get the growing reply: {"conversation": id, "reply": text so far}.

        Args:
            text: The message.
            conversation: The id of the conversation to continue; without one a new conversation begins.
            model: The chat model that answers; by default the demo's first.
            temperature: From 0, which always takes the most likely token, to 2.
            top_p: Nucleus sampling, above 0 and up to 1.
            top_k: Number of the most likely tokens to sample from, up to 1000; 0 means all.
            repetition_penalty: From 1 (none) to 2.
            max_new_tokens: Maximum tokens of the reply, up to 4096.
            seed: A number; the same number gives the same reply again.
        """
        try:
            self.view.rate.take(visitor_of(request))
            sampling = sampling_of(temperature, top_p, top_k, repetition_penalty, max_new_tokens, seed)
            owner = owner_of(request)
            name = model or self.view.pool.default
            chat_model, session = self.view.pool.load(name), self.view.session
            clean_message(text, session.limits)  # before a conversation begins for it
            chat = conversation or session.start(owner, run=name).id
            running = self.view.running.say(owner, chat, text, sampling, chat_model)
            for reply in running.growing():
                yield {"conversation": chat, "reply": reply}
            if running.error is not None:
                raise running.error
            yield {"conversation": chat, "reply": running.text}
        except NlpkitError as error:
            raise refused(error) from None

    def conversations(self, query: str = "", request: gr.Request = None) -> list[dict[str, Any]]:  # noqa: D417
        """List your conversations that match the query, last changed first.

        Args:
            query: Words, or the beginnings of words.
        """
        try:
            chats = self.view.store.chats(owner_of(request), query[:200])
        except NlpkitError as error:
            raise refused(error) from None
        return [{"id": chat.id, "title": chat.title, "updated": chat.updated} for chat in chats]

    def conversation(self, conversation: str, request: gr.Request = None) -> dict[str, Any]:  # noqa: D417
        """Return one of your conversations: its title and its messages.

        Args:
            conversation: Its id.
        """
        try:
            chat = self.view.store.read(conversation, owner_of(request))
        except NlpkitError as error:
            raise refused(error) from None
        messages = [{"role": message.role, "content": message.text} for message in chat.messages]
        return {"id": chat.id, "title": chat.title, "messages": messages}

    def score(self, text: str, request: gr.Request = None) -> dict[str, Any]:  # noqa: D417
        """Return the sentiment of a text: label, score from -1 to 1, and the probability of each label.

        Args:
            text: One or more sentences.
        """
        try:
            self.scorings.take(visitor_of(request))
            return dict(score_text(self.scorer, text, self.view.limits).row())
        except NlpkitError as error:
            raise refused(error) from None
