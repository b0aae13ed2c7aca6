"""Handlers of the open conversation: rate, choose, undo, other versions, model, persona."""

from __future__ import annotations

from typing import Any

import gradio as gr

from demo.chat_parts import components
from demo.replies import Replies, save_persona
from demo.sampling_controls import sampling_of
from demo.view import Updates, View, owner_of, showing_errors
from nlpkit.chat.messages import Rating

RATINGS: dict[str, Rating] = {"True": "up", "Like": "up", "False": "down", "Dislike": "down"}
"""The page's names of the ratings; any other value removes a rating."""


class ChatTab:
    """Handlers of the open conversation; those of replies are in replies, those of the list in chat_list."""

    def __init__(self, view: View, replies: Replies) -> None:
        self.view, self.replies = view, replies
        self.session, self.store, self.talk = view.session, view.store, view.talk

    def wire(self) -> None:
        """Bind the handlers to the components."""
        talk, listed, side = self.talk, self.view.listed, self.view.side
        every = {
            "outputs": components(listed, talk, side),
            "show_progress": "hidden",
            "api_visibility": "private",
        }
        quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        talk.chatbot.like(
            self.like, [talk.chat], [talk.chatbot, talk.status, talk.why_row, talk.why, talk.rated], **quiet
        )
        for trigger in (talk.why_save.click, talk.why.submit):
            trigger(self.reason, [talk.chat, talk.rated, talk.why], [talk.status, talk.why_row], **quiet)
        talk.pick_first.click(self.choose_first, [talk.chat, talk.pair], **every)
        talk.pick_second.click(self.choose_second, [talk.chat, talk.pair], **every)
        talk.cycle.click(self.cycle, [talk.chat], **every)
        talk.undo.click(self.undo, [talk.chat], **every)
        side.run.input(
            self.set_run, [talk.chat, side.run, *side.sampling], [side.context, side.sampling[4]], **quiet
        )
        for trigger in (side.system.blur, side.sentiment_on.input):
            trigger(self.set_persona, [talk.chat, side.system, side.sentiment_on], None, **quiet)

    def like(self, chat_id: str, data: gr.LikeData, request: gr.Request) -> Updates:
        """Save a rating, and ask for the reason."""
        owner = owner_of(request)
        with showing_errors():
            message = self.replies.message_at(chat_id, owner, data.index)
            rating = RATINGS.get(str(data.liked))
            self.session.rate(chat_id, owner, message, rating)
            after = self.view.conversation(self.view.read(chat_id, owner), owner)
            return {
                self.talk.chatbot: after[self.talk.chatbot],
                self.talk.status: after[self.talk.status],
                self.talk.why_row: gr.update(visible=rating is not None),
                self.talk.why: "",
                self.talk.rated: message,
            }
        return {self.talk.why_row: gr.update(visible=False)}

    def reason(self, chat_id: str, rated: str, why: str, request: gr.Request) -> Updates:
        """Save the reason for a rating."""
        owner = owner_of(request)
        with showing_errors():
            chat = self.store.read(chat_id, owner)
            rating = next((message.rating for message in chat.messages if message.id == rated), None)
            self.session.rate(chat_id, owner, rated, rating, why)
            gr.Info("Thank you, it is saved.", duration=3)
            after = self.view.conversation(self.view.read(chat_id, owner), owner)
            return {self.talk.status: after[self.talk.status], self.talk.why_row: gr.update(visible=False)}
        return {self.talk.why_row: gr.update(visible=True)}

    def choose_first(self, chat_id: str, pair: str, request: gr.Request) -> Updates:
        """Choose the first of two replies."""
        return self._choose(chat_id, pair.split()[:2], request)

    def choose_second(self, chat_id: str, pair: str, request: gr.Request) -> Updates:
        """Choose the second of two replies."""
        return self._choose(chat_id, pair.split()[1::-1], request)

    def _choose(self, chat_id: str, pair: list[str], request: gr.Request) -> Updates:
        owner = owner_of(request)
        with showing_errors():
            chosen, rejected = (*pair, "", "")[:2]
            self.session.choose(chat_id, owner, chosen, rejected)
            gr.Info("Your choice is saved.", duration=3)
        return self.view.whole(chat_id, owner)

    def cycle(self, chat_id: str, request: gr.Request) -> Updates:
        """Show the next of the replies to the same message."""
        owner = owner_of(request)
        with showing_errors():
            chat = self.store.read(chat_id, owner)
            versions = self.store.branches(chat_id, owner, chat.messages[-1].id) if chat.messages else []
            ids = [version.id for version in versions]
            if len(ids) > 1:
                self.store.switch(chat_id, owner, ids[(ids.index(chat.messages[-1].id) + 1) % len(ids)])
        return self.view.whole(chat_id, owner)

    def undo(self, chat_id: str, request: gr.Request) -> Updates:
        """Remove the user's last message and its reply."""
        with showing_errors():
            self.session.undo(chat_id, owner_of(request))
        return self.view.whole(chat_id, owner_of(request))

    def set_run(self, request: gr.Request, chat_id: str, run: str, *controls: Any) -> Updates:
        """Change the chat model of the conversation, and keep the reply's length within its window."""
        owner, side = owner_of(request), self.view.side
        with showing_errors():
            self.view.pool.load(run)
            if chat_id:
                self.store.set_run(chat_id, owner, run)
            length = self.view.length(run, sampling_of(*controls))
            return {
                side.context: self.view.context(self.view.read(chat_id, owner), run),
                side.sampling[4]: length,
            }
        return {side.context: self.view.context(self.view.read(chat_id, owner))}

    def set_persona(self, chat_id: str, system: str, sentiment_on: bool, request: gr.Request) -> None:
        """Save the system prompt, and whether it includes the mood; a new conversation takes both along."""
        with showing_errors():
            if chat_id:
                save_persona(self.session, chat_id, owner_of(request), system, sentiment_on)
