"""Handlers of the text file of a conversation: attach and remove."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from demo.chat_parts import components
from demo.replies import Replies
from demo.view import Updates, View, owner_of, showing_errors
from nlpkit.chat.attached_file import read_text_file


class Attaching:
    """Handlers of the file that is attached to the open conversation."""

    def __init__(self, view: View, replies: Replies) -> None:
        self.view, self.replies, self.talk = view, replies, view.talk

    def wire(self) -> None:
        """Bind the handlers to the components."""
        talk, side = self.talk, self.view.side
        every: dict[str, Any] = {
            "outputs": components(self.view.listed, talk, side),
            "show_progress": "hidden",
            "api_visibility": "private",
        }
        settings = [talk.chat, side.run, side.system, side.sentiment_on, *side.sampling]
        # The next file may come before the page has seen the end of the last one: it is read too
        talk.attach.upload(self.attach, [talk.attach, *settings], trigger_mode="multiple", **every)
        talk.detach.click(self.detach, [talk.chat], **every)

    def attach(
        self,
        request: gr.Request,
        upload: str,
        chat_id: str,
        run: str,
        system: str,
        sentiment: bool,
        *controls: Any,
    ) -> Updates:
        """Attach an uploaded file to the conversation, which begins with it if none is open."""
        owner = owner_of(request)
        with showing_errors(upload):
            sampling = self.replies.check(controls, request)
            try:
                file = read_text_file(Path(upload))
            finally:
                Path(upload).unlink(missing_ok=True)  # the store has it, or it is refused
            if not chat_id:
                chat_id = self.replies.begin(owner, run, system, sentiment, sampling)
            self.view.store.files.attach(chat_id, owner, file)
        return self.view.whole(chat_id, owner)

    def detach(self, chat_id: str, request: gr.Request) -> Updates:
        """Remove the file of the conversation."""
        with showing_errors():
            self.view.store.files.remove(chat_id, owner_of(request))
            gr.Info("The file is removed.", duration=3)
        return self.view.whole(chat_id, owner_of(request))
