"""Handlers of the list of conversations: open, search, show more, pin, rename, save, delete."""

from __future__ import annotations

import re
from typing import Any

import gradio as gr

from demo.chat_parts import components
from demo.list_page import PAGE, list_page
from demo.page_script import BRING
from demo.replies import FOLLOWING, Replies
from demo.running_reply import MAX_WAIT
from demo.view import Updates, View, owner_of, showing_errors
from nlpkit.errors import DataError

# The address names the open conversation, so that a reload, a link, and back and forward find it
ADDRESS = """id => { const at = new URL(location);
if (id === (at.searchParams.get('chat') || '')) return;
id ? at.searchParams.set('chat', id) : at.searchParams.delete('chat');
history.pushState(null, '', at); }"""
# A conversation begins with its first message; what back and forward open is in the history already
NEW_ADDRESS = f"id => {{ if (id && !new URL(location).searchParams.has('chat')) ({ADDRESS})(id); }}"
PAGE_TITLE = "title => { document.title = title ? `${title} · nlpkit` : 'nlpkit'; }"
FROM_ADDRESS = "() => new URL(location).searchParams.get('chat') || ''"
# The file is made in the browser from the server's response, so that it is on no other disk
SAVE_FILE = """(name, text) => { if (!name) return; const link = document.createElement('a');
link.href = URL.createObjectURL(new Blob([text], {type: 'text/plain;charset=utf-8'}));
link.download = name; link.click();
setTimeout(() => URL.revokeObjectURL(link.href), 1000); }"""
UNMARK = "() => document.querySelectorAll('#chatbot .found').forEach(one => one.classList.remove('found'))"
# Where the list covers the page, close it; then show the message that was found, or focus the message box
TO_MESSAGE = f"""found => {{ ({UNMARK})();
if (innerWidth < 900) document.querySelector('#sidebar.open .toggle-button')?.click();
if (!found) return document.querySelector('#box textarea')?.focus();
const [role, number] = found.split(' ');
{BRING}bring(() => {{ const message = document.querySelectorAll(`#chatbot .${{role}}.message`)[number];
  message?.classList.add('found'); return message; }}); }}"""


class ChatList:
    """Handlers of the list of conversations."""

    def __init__(self, view: View, replies: Replies) -> None:
        self.view, self.replies = view, replies
        self.session, self.store = view.session, view.store
        self.talk, self.listed = view.talk, view.listed

    def wire(self, page: Any) -> None:
        """Bind the handlers to the components."""
        talk, listed = self.talk, self.listed
        quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        every = {"outputs": components(listed, talk, self.view.side), **quiet}
        follow = {"fn": self.replies.follow, "inputs": [talk.seen], **every, **FOLLOWING}
        page.load(self.open, [talk.chat], js=FROM_ADDRESS, **every).then(**follow)
        visit = talk.visit.click(
            self.visit, [talk.chat], js=FROM_ADDRESS, trigger_mode="always_last", **every
        )
        visit.then(None, js=UNMARK).then(**follow)
        talk.chat.change(None, [talk.chat], None, js=NEW_ADDRESS)
        address: dict[str, Any] = {"fn": None, "inputs": [talk.chat], "js": ADDRESS}
        to_message: dict[str, Any] = {"fn": None, "inputs": [listed.landing], "js": TO_MESSAGE}
        listed.title.change(None, [listed.title], None, js=PAGE_TITLE)
        picked = listed.chats.click(self.pick, [listed.query], **every).then(**address)
        picked.then(**to_message).then(**follow)
        listed.new.click(self.new, None, **every).then(**address).then(**to_message)
        gr.on(
            [listed.query.change, listed.limit.change, listed.changed.change],
            self.find,
            [listed.query, talk.chat, listed.limit],
            [listed.chats],
            trigger_mode="always_last",
            **quiet,
        )
        listed.chats.expand(self.more, None, [listed.limit], **quiet)
        listed.chats.like(self.pin, None, [listed.changed], **quiet)
        listed.chats.edit(self.rename, [talk.chat, listed.title], [listed.title, listed.changed], **quiet)
        listed.delete.click(lambda: gr.update(visible=True), None, [listed.confirm], **quiet)
        listed.keep.click(lambda: gr.update(visible=False), None, [listed.confirm], **quiet)
        listed.sure.click(self.delete, [talk.chat], **every).then(**address)
        for button, save in ((listed.as_markdown, self.markdown), (listed.as_jsonl, self.jsonl)):
            made = button.click(save, [talk.chat], [talk.file_name, talk.file_text], **quiet)
            made.then(None, [talk.file_name, talk.file_text], None, js=SAVE_FILE)

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
            self.listed.landing: "",
        }

    def pick(self, query: str, event: gr.EventData, request: gr.Request) -> Updates:
        """Open the conversation that was clicked, at the message that the search found."""
        self.replies.leave(request)
        chat_id = _text_of(event, "chat")
        return {**self.open(chat_id, request), self.listed.landing: self._landing(chat_id, query, request)}

    def _landing(self, chat_id: str, query: str, request: gr.Request) -> str:
        """Return the newest shown message with the words of the search, as ROLE NUMBER; "" without one."""
        chat = self.view.read(chat_id, owner_of(request))
        matches = set(self.store.matches(chat_id, owner_of(request), query or "")) if chat else set()
        if chat is None or not matches:
            return ""
        shown = {"user": -1, "assistant": -1}
        landing = ""
        for message in chat.messages:
            shown[message.role] += 1
            if message.id in matches:
                landing = f"{'user' if message.role == 'user' else 'bot'} {shown[message.role]}"
        if not landing:
            gr.Info("The words are in an earlier version of a message, which is not shown.", title="Found")
        return landing

    def new(self, request: gr.Request) -> Updates:
        """Open an empty conversation; it is stored with its first message."""
        self.replies.leave(request)
        return {**self.open("", request), self.listed.query: ""}

    def find(self, query: str, chat_id: str, limit: str, request: gr.Request) -> str:
        """List the conversations with the words, as many as are shown."""
        most = max(int(limit), PAGE) if re.fullmatch("[0-9]{1,6}", limit or "") else PAGE
        with showing_errors():
            # One more tells whether there are others
            summaries = self.store.summaries(owner_of(request), (query or "")[:200], limit=most + 1)
            return list_page(summaries, chat_id, query or "", limit=most)
        return ""

    def more(self, event: gr.EventData) -> str:
        """Return how many conversations to list from now on."""
        return _text_of(event, "limit")

    def pin(self, event: gr.EventData, request: gr.Request) -> Updates:
        """Pin or unpin a conversation."""
        with showing_errors():
            is_pinned = _text_of(event, "pinned") == "True"
            self.store.pin(_text_of(event, "chat"), owner_of(request), is_pinned)
        return self.view.listed_again()

    def rename(self, chat_id: str, title: str, event: gr.EventData, request: gr.Request) -> Updates:
        """Rename a conversation, the open one or another."""
        with showing_errors():
            renamed, new = _text_of(event, "chat"), _text_of(event, "title")
            if not new.strip():
                raise DataError("the title is empty; expected a few words")
            self.session.rename(renamed, owner_of(request), new)
            title = new if renamed == chat_id else title
        return {self.listed.title: title, **self.view.listed_again()}

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


def _text_of(event: gr.EventData, name: str) -> str:
    """Return what the page sent with an event; "" for what is no such value, as anything may be sent."""
    return str(event._data.get(name, "")) if isinstance(event._data, dict) else ""
