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
        talk.chatbot.like(self.like, [talk.seen], **every)
        for trigger in (talk.why_save.click, talk.why.submit):
            trigger(self.reason, [talk.chat, talk.rated, talk.why], [talk.status, talk.why_row], **quiet)
        talk.facts.click(self.version, [talk.chat], **every)
        talk.undo.click(self.undo, [talk.seen], **every)
        side.run.input(
            self.set_run,
            [talk.chat, side.run, *side.sampling],
            [side.context, side.sampling[4], talk.file, side.file],
            **quiet,
        )
        for trigger in (side.system.blur, side.sentiment_on.input):
            trigger(self.set_persona, [talk.chat, side.system, side.sentiment_on], None, **quiet)

    def like(self, seen: str, data: gr.LikeData, request: gr.Request) -> Updates:
        """Save a rating, and ask for the reason."""
        owner = owner_of(request)
        with showing_errors():
            chat_id = self.view.unchanged(seen, owner)
            message = self.replies.message_at(chat_id, owner, data.index)
            rating = RATINGS.get(str(data.liked))
            self.session.rate(chat_id, owner, message, rating)
            after = self.view.whole(chat_id, owner)
            return {
                self.talk.chatbot: after[self.talk.chatbot],
                self.talk.status: after[self.talk.status],
                self.talk.why_row: gr.update(visible=rating is not None),
                self.talk.why: "",
                self.talk.rated: message,
            }
        return self.view.whole(seen.partition(" ")[0], owner)

    def reason(self, chat_id: str, rated: str, why: str, request: gr.Request) -> Updates:
        """Save the reason for a rating."""
        owner = owner_of(request)
        with showing_errors():
            chat = self.store.read(chat_id, owner)
            rating = next((message.rating for message in chat.messages if message.id == rated), None)
            self.session.rate(chat_id, owner, rated, rating, why)
            gr.Info("Thank you, it is saved.", duration=3)
            after = self.view.whole(chat_id, owner)
            return {self.talk.status: after[self.talk.status], self.talk.why_row: gr.update(visible=False)}
        return {self.talk.why_row: gr.update(visible=True)}

    def version(self, event: gr.EventData, chat_id: str, request: gr.Request) -> Updates:
        """Show the version before or after the one of the message that was clicked."""
        owner, message = owner_of(request), str(event._data.get("message", ""))
        step = -1 if event._data.get("step") == -1 else 1
        with showing_errors():
            ids = [version.id for version in self.store.branches(chat_id, owner, message)]
            at = ids.index(message) + step
            self.session.switch(chat_id, owner, ids[max(0, min(at, len(ids) - 1))])
        return self.view.whole(chat_id, owner)

    def undo(self, seen: str, request: gr.Request) -> Updates:
        """Remove the user's last message and its reply."""
        owner = owner_of(request)
        with showing_errors():
            self.session.undo(self.view.unchanged(seen, owner), owner)
        return self.view.whole(seen.partition(" ")[0], owner)

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
                **self.view.file(self.view.read(chat_id, owner), owner),
            }
        return {side.context: self.view.context(self.view.read(chat_id, owner))}

    def set_persona(self, chat_id: str, system: str, sentiment_on: bool, request: gr.Request) -> None:
        """Save the system prompt, and whether it includes the mood; a new conversation takes both along."""
        with showing_errors():
            if chat_id:
                save_persona(self.session, chat_id, owner_of(request), system, sentiment_on)
