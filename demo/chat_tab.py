"""Handlers of the list of conversations and of the open one.

Open, search, rename, rate, choose, save, delete.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from demo.chat_parts import components
from demo.replies import FOLLOWING, Replies, save_persona
from demo.running_reply import MAX_WAIT
from demo.sampling_controls import sampling_of
from demo.view import Updates, View, owner_of, showing_errors
from nlpkit.chat.messages import Rating
from nlpkit.errors import DataError

# The address names the open conversation, so that a reload, a link, and back and forward find it
ADDRESS = """id => { const at = new URL(location);
if (id === (at.searchParams.get('chat') || '')) return;
id ? at.searchParams.set('chat', id) : at.searchParams.delete('chat');
history.pushState(null, '', at); }"""
# A conversation begins with its first message; what back and forward open is in the history already
NEW_ADDRESS = f"id => {{ if (id && !new URL(location).searchParams.has('chat')) ({ADDRESS})(id); }}"
# A title that is being typed is not the conversation's yet
PAGE_TITLE = """title => { if (!document.activeElement?.closest('#title'))
document.title = title ? `${title} · nlpkit` : 'nlpkit'; }"""
FROM_ADDRESS = "() => new URL(location).searchParams.get('chat') || ''"
# The file is made in the browser from the server's response, so that it is on no other disk
SAVE_FILE = """(name, text) => { if (!name) return; const link = document.createElement('a');
link.href = URL.createObjectURL(new Blob([text], {type: 'text/plain;charset=utf-8'}));
link.download = name; link.click();
setTimeout(() => URL.revokeObjectURL(link.href), 1000); }"""
# Where the list covers the page, close it, and focus the message box
TO_BOX = """() => { if (innerWidth < 900) document.querySelector('#sidebar.open .toggle-button')?.click();
document.querySelector('#box textarea')?.focus(); }"""

RATINGS: dict[str, Rating] = {"True": "up", "Like": "up", "False": "down", "Dislike": "down"}
"""The page's names of the ratings; any other value removes a rating."""


class ChatTab:
    """Handlers of the list and of the open conversation."""

    def __init__(self, view: View, replies: Replies) -> None:
        self.view, self.replies = view, replies
        self.session, self.store, self.talk = view.session, view.store, view.talk

    def wire(self, page: Any) -> None:
        """Bind the handlers to the components."""
        talk, listed, side = self.talk, self.view.listed, self.view.side
        every = {
            "outputs": components(listed, talk, side),
            "show_progress": "hidden",
            "api_visibility": "private",
        }
        quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        follow = {"fn": self.replies.follow, "inputs": [talk.chat], **every, **FOLLOWING}
        page.load(self.open, [talk.chat], js=FROM_ADDRESS, **every).then(**follow)
        visit = talk.visit.click(
            self.visit, [talk.chat], js=FROM_ADDRESS, trigger_mode="always_last", **every
        )
        visit.then(**follow)
        talk.chat.change(None, [talk.chat], None, js=NEW_ADDRESS)
        address: dict[str, Any] = {"fn": None, "inputs": [talk.chat], "js": ADDRESS}
        listed.title.change(None, [listed.title], None, js=PAGE_TITLE)
        picked = listed.chats.click(self.pick, None, **every).then(**address)
        picked.then(None, js=TO_BOX).then(**follow)
        listed.new.click(self.new, None, **every).then(**address).then(None, js=TO_BOX)
        listed.query.change(
            self.find, [listed.query, talk.chat], [listed.chats], trigger_mode="always_last", **quiet
        )
        for trigger in (listed.rename.click, listed.title.submit):
            trigger(self.rename, [talk.chat, listed.title], **every)
        listed.delete.click(lambda: gr.update(visible=True), None, [listed.confirm], **quiet)
        listed.keep.click(lambda: gr.update(visible=False), None, [listed.confirm], **quiet)
        listed.sure.click(self.delete, [talk.chat], **every).then(**address)
        for button, save in ((listed.as_markdown, self.markdown), (listed.as_jsonl, self.jsonl)):
            made = button.click(save, [talk.chat], [talk.file_name, talk.file_text], **quiet)
            made.then(None, [talk.file_name, talk.file_text], None, js=SAVE_FILE)
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

    def visit(self, chat_id: str, request: gr.Request) -> Updates:
        """Open the conversation in the address, to which the browser went back or forward."""
        self.replies.leave(request)
        return self.open(chat_id, request)

    def open(self, chat_id: str, request: gr.Request) -> Updates:
        """Open the conversation in the address."""
        owner = owner_of(request)
        if chat_id and self.view.read(chat_id, owner) is None:
            gr.Warning("There is no such conversation, or it is another user's.", title="Not found")
        return {
            **self.view.whole(chat_id, owner),
            **self.view.settings(self.view.read(chat_id, owner)),
        }

    def pick(self, event: gr.EventData, request: gr.Request) -> Updates:
        """Open the conversation that was clicked."""
        self.replies.leave(request)
        return self.open(str(event._data.get("chat", "")), request)

    def new(self, request: gr.Request) -> Updates:
        """Open an empty conversation; it is stored with its first message."""
        self.replies.leave(request)
        return self.open("", request)

    def find(self, query: str, chat_id: str, request: gr.Request) -> str:
        """List the conversations with the words."""
        from demo.panel import list_page

        with showing_errors():
            return list_page(self.store.chats(owner_of(request), query[:200]), chat_id, query)
        return ""

    def rename(self, chat_id: str, title: str, request: gr.Request) -> Updates:
        """Rename the conversation."""
        with showing_errors():
            if not title.strip():
                raise DataError("the title is empty; expected a few words")
            self.session.rename(chat_id, owner_of(request), title)
        return self.view.whole(chat_id, owner_of(request))

    def delete(self, chat_id: str, request: gr.Request) -> Updates:
        """Delete the conversation."""
        with showing_errors():
            self.replies.leave(request)
            self.view.running.stop(owner_of(request), chat_id, wait=MAX_WAIT)
            self.store.delete(chat_id, owner_of(request))
            gr.Info("The conversation is deleted.", duration=3)
        return self.open("" if self.view.read(chat_id, owner_of(request)) is None else chat_id, request)

    def markdown(self, chat_id: str, request: gr.Request) -> tuple[str, str]:
        """Return the name and text of a Markdown file."""
        with showing_errors():
            return f"conversation-{chat_id[:8]}.md", self.store.export_markdown(chat_id, owner_of(request))
        return "", ""

    def jsonl(self, chat_id: str, request: gr.Request) -> tuple[str, str]:
        """Return the name and text of a training file."""
        with showing_errors():
            return f"conversation-{chat_id[:8]}.jsonl", self.store.export_jsonl(chat_id, owner_of(request))
        return "", ""

    def like(self, seen: str, data: gr.LikeData, request: gr.Request) -> Updates:
        """Save a rating, and ask for the reason."""
        owner = owner_of(request)
        with showing_errors():
            chat_id = self.view.unchanged(seen, owner)
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
        return self.view.whole(seen.partition(" ")[0], owner)

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
