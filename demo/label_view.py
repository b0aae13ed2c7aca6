"""The components of the labeling page, and what they do."""

from __future__ import annotations

import secrets
from html import escape
from typing import Any

import gradio as gr

from demo.label_pages import KEYS, asked_page, choices_page
from demo.page_script import TOGGLE
from demo.view import showing_errors
from nlpkit.errors import DataError
from nlpkit.files import fingerprint
from nlpkit.labeling.questions import Questions


class LabelView:
    """The components of the page and their handlers."""

    def __init__(self, questions: Questions) -> None:
        self.questions = questions
        # A page that stayed open while the server was started with another file knows none of these
        self.keys = {fingerprint({"text": key}): key for key in questions.texts}

    def build(self) -> Any:
        """Build the page."""
        name = self.questions.file.name
        private: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        with gr.Blocks(title=f"Label {name}", analytics_enabled=False, fill_width=True) as page:
            with gr.Row(elem_id="masthead"):
                gr.HTML(f"<h1>Label {escape(name)}</h1>", elem_classes="masthead")
                toggle = gr.Button("Light or dark", size="sm", scale=0, min_width=120, elem_id="toggle")
            asked = gr.HTML("", elem_id="asked")
            choices = gr.HTML(choices_page(self.questions.labels), js_on_load=KEYS, elem_id="choices")
            agreed = gr.HTML("", elem_id="agreed")
            page.load(self.look, None, [asked, agreed], **private)

            def press(event: gr.EventData) -> tuple[Any, Any]:
                return self.press(event._data if isinstance(event._data, dict) else {})

            choices.click(press, None, [asked, agreed], **private)
            toggle.click(None, None, None, js=TOGGLE)
        page.queue(max_size=64, api_open=False)
        return page

    def look(self) -> tuple[Any, Any]:
        """Show where the rater stands."""
        with showing_errors():
            progress = self.questions.progress()
            marks = {
                "state": secrets.token_hex(8),
                "text": fingerprint({"text": progress.key}) if progress.key else "",
                "rater": self.questions.journal.rater,
            }
            return asked_page(progress, marks), f'<p role="status">{escape(progress.agreement)}</p>'
        return gr.skip(), gr.skip()

    def press(self, sent: dict[str, Any]) -> tuple[Any, Any]:
        """Keep an answer, and show the next text."""
        with showing_errors():
            if sent.get("rater") != self.questions.journal.rater:
                raise DataError("this page is another rater's; hint: reload it")
            act, key = str(sent.get("act")), self.keys.get(str(sent.get("text")), "")
            self.questions.answer(act, key, str(sent.get("label") or ""))
        return self.look()
