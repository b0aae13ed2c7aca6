"""The endpoints that programs may call, each with a name, its types and its words; everything else serves the page alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from demo.guard import RateLimiter
from demo.replies import sampling_of
from demo.scoring import TextScorer, score_text
from demo.view import View, owner_of, refused, visitor_of
from nlpkit.chat.text_limits import clean_message
from nlpkit.errors import NlpkitError


class Endpoints:
    """What `gradio_client` and plain HTTP reach: /chat, /conversations, /conversation, /score."""

    def __init__(self, view: View, scorer: TextScorer) -> None:
        self.view, self.scorer = view, scorer
        self.scorings = RateLimiter(view.limits.scorings_a_minute)

    def publish(self) -> None:
        """Name them."""
        gr.api(self.chat, api_name="chat", concurrency_limit=8, concurrency_id="replies")
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
        max_new_tokens: int = 256,
        seed: str = "",
        request: gr.Request = None,
    ) -> Iterator[dict[str, str]]:
        """Say something, and get the reply as it grows: {"conversation": id, "reply": text so far}.

        Args:
            text: What is said.
            conversation: The id of the conversation that goes on; without one another begins.
            model: Which bot answers; the demo's own where none is named.
            temperature: From 0, which takes the likeliest word each time, to 2.
            top_p: Share of the likeliest words to draw from, above 0 and to 1.
            top_k: Number of the likeliest words to draw from, to 1000; 0 is all.
            repetition_penalty: From 1, none, to 2.
            max_new_tokens: Tokens of the reply at most, to 4096.
            seed: A number that draws the same reply again.
        """
        try:
            self.view.rate.take(visitor_of(request))
            sampling = sampling_of(temperature, top_p, top_k, repetition_penalty, max_new_tokens, seed)
            owner = owner_of(request)
            name = model or self.view.engines.default
            chat_model, session = self.view.engines.chat_model(name), self.view.session
            clean_message(text, session.limits)  # before a conversation begins for it
            chat = conversation or session.start(owner, run=name).id
            with session.say(chat, owner, text, sampling, chat_model=chat_model) as stream:
                for _ in stream:
                    yield {"conversation": chat, "reply": stream.text}
            yield {"conversation": chat, "reply": stream.text}
        except NlpkitError as error:
            raise refused(error) from None

    def conversations(self, query: str = "", request: gr.Request = None) -> list[dict[str, Any]]:  # noqa: D417
        """Your conversations, the one last changed first; those in which the words of the query are found.

        Args:
            query: Words, or their beginnings.
        """
        try:
            found = self.view.store.chats(owner_of(request), query[:200])
        except NlpkitError as error:
            raise refused(error) from None
        return [{"id": one.id, "title": one.title, "updated": one.updated} for one in found]

    def conversation(self, conversation: str, request: gr.Request = None) -> dict[str, Any]:  # noqa: D417
        """One of your conversations: its title and its messages, as the server holds them.

        Args:
            conversation: Its id.
        """
        try:
            chat = self.view.store.read(conversation, owner_of(request))
        except NlpkitError as error:
            raise refused(error) from None
        messages = [{"role": one.role, "content": one.text} for one in chat.messages]
        return {"id": chat.id, "title": chat.title, "messages": messages}

    def score(self, text: str, request: gr.Request = None) -> dict[str, Any]:  # noqa: D417
        """The sentiment of a text: its label, a score from -1 to 1, and the probability of each label.

        Args:
            text: A sentence or more.
        """
        try:
            self.scorings.take(visitor_of(request))
            return dict(score_text(self.scorer, text, self.view.limits).row())
        except NlpkitError as error:
            raise refused(error) from None
