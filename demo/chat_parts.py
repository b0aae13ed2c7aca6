"""The components of the chat tab and their layout. What they do is in chat_tab."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import gradio as gr

from demo.list_parts import ListParts
from demo.markup import DELIMITERS
from demo.message_tools import TOOLS
from demo.model_pool import ModelPool
from demo.page_script import BRING
from demo.sampling_controls import lay_out_sampling
from demo.suggested import SAY

# A button of the status line presses the one that it names
PRESS = """element.addEventListener('click', event => {
  const button = event.target.closest('button[data-press]');
  if (button) document.getElementById(button.dataset.press)?.click();
});"""


@dataclass(frozen=True, kw_only=True)
class TalkParts:
    """The conversation itself."""

    chat: Any
    """The open conversation's id. The page holds it, so that its owner is checked each time."""
    seen: Any
    """The open conversation's id and the id of its last message, as the page shows it."""
    visit: Any
    """Opens the conversation in the address."""
    file_name: Any
    file_text: Any
    chatbot: Any
    facts: Any
    """What the page adds to each message; a click on it asks for another version."""
    status: Any
    mood: Any
    """The mood in words above the message box; only narrow pages show it."""
    opened: Any
    """When a conversation was opened, and its id."""
    suggestions: Any
    file: Any
    """The name of the attached file, with a button that presses `detach`."""
    attach: Any
    detach: Any
    box: Any
    send: Any
    stop: Any
    retry: Any
    resume: Any
    """Continues the last reply; the status line presses it."""
    undo: Any
    compare: Any
    pick_first: Any
    """Chooses the first of two replies; its button in the conversation presses it."""
    pick_second: Any
    pair: Any
    """The ids of the two replies to choose from."""
    why_row: Any
    why: Any
    why_save: Any
    rated: Any


@dataclass(frozen=True, kw_only=True)
class SideParts:
    """The panel next to the conversation."""

    sentiment: Any
    context: Any
    file: Any
    """The entry of the attached file in the ledger."""
    run: Any
    other_run: Any
    system: Any
    sentiment_on: Any
    sampling: list[Any]
    """The controls, in the order of the fields of Sampling."""


def components(*parts: ListParts | TalkParts | SideParts) -> list[Any]:
    """Return all components of some parts."""
    values = [getattr(part, field.name) for part in parts for field in fields(part)]
    return [item for value in values for item in (value if isinstance(value, list) else [value])]


def lay_out_talk() -> TalkParts:
    """Lay out the conversation, the message box, and the buttons below."""
    chat, seen, pair, rated, file_name, file_text = (
        gr.Textbox(visible="hidden", show_label=False, container=False) for _ in range(6)
    )
    chatbot = gr.Chatbot(
        label="Conversation",
        show_label=False,
        height="58vh",
        min_height=260,
        editable="user",
        buttons=["copy"],
        elem_id="chatbot",
        sanitize_html=True,
        allow_tags=False,
        latex_delimiters=DELIMITERS,
        layout="bubble",
        group_consecutive_messages=False,
        allow_file_downloads=False,
        placeholder="<p>Write a message below.</p>",
    )
    suggested = gr.HTML("", js_on_load=SAY, elem_id="suggestions")
    status = gr.HTML("", js_on_load=PRESS, elem_id="status", elem_classes="quiet")
    reason, choice = _lay_out_reason(), _lay_out_choice()
    message, buttons = _lay_out_message(), _lay_out_buttons()
    return TalkParts(
        chat=chat,
        seen=seen,
        visit=gr.Button("Open the address", visible="hidden", elem_id="visit"),
        file_name=file_name,
        file_text=file_text,
        chatbot=chatbot,
        facts=gr.HTML("", js_on_load=TOOLS, visible="hidden", elem_id="facts"),
        suggestions=suggested,
        status=status,
        pair=pair,
        rated=rated,
        **reason,
        **choice,
        **message,
        **buttons,
    )


def _lay_out_reason() -> dict[str, Any]:
    with gr.Group(visible=False, elem_id="why-row") as why_row, gr.Row():
        why = gr.Textbox(label="Why? (optional)", scale=4, elem_id="why")
        why_save = gr.Button("Save reason", size="sm", scale=1, min_width=120, elem_id="why-save")
    return {"why_row": why_row, "why": why, "why_save": why_save}


def _lay_out_choice() -> dict[str, Any]:
    pick_first = gr.Button("Choose the first", visible="hidden", elem_id="pick-first")
    pick_second = gr.Button("Choose the second", visible="hidden", elem_id="pick-second")
    return {"pick_first": pick_first, "pick_second": pick_second}


def _lay_out_message() -> dict[str, Any]:
    mood = gr.HTML("", elem_id="mood-strip", elem_classes="quiet")
    file = gr.HTML("", js_on_load=PRESS, elem_id="file-strip")
    with gr.Row(elem_id="write"):
        box = gr.Textbox(
            label="Your message",
            placeholder="Your message",
            show_label=False,
            container=False,
            lines=1,
            max_lines=8,
            scale=6,
            min_width=200,
            autofocus=True,
            elem_id="box",
        )
        send = gr.Button("Send", variant="primary", scale=1, min_width=90, elem_id="send")
        stop = gr.Button("Stop", variant="stop", scale=1, min_width=90, visible=False, elem_id="stop")
    opened = gr.Textbox(visible="hidden", show_label=False, container=False)
    return {
        "mood": mood,
        "opened": opened,
        "file": file,
        "box": box,
        "send": send,
        "stop": stop,
    }


def _lay_out_buttons() -> dict[str, Any]:
    with gr.Row(elem_id="again"):
        retry = gr.Button("Retry", size="sm", min_width=80, elem_id="retry")
        resume = gr.Button("Continue", visible="hidden", elem_id="resume")
        undo = gr.Button("Undo", size="sm", min_width=80, elem_id="undo")
        attach = gr.UploadButton("Attach a text file", size="sm", min_width=130, elem_id="attach")
        detach = gr.Button("Remove the file", visible="hidden", elem_id="detach")
        compare = gr.Button("Compare two replies", size="sm", min_width=150, elem_id="other")
    return {
        "retry": retry,
        "resume": resume,
        "undo": undo,
        "attach": attach,
        "detach": detach,
        "compare": compare,
    }


# A click on a point of the mood shows the user's message that it is of
JUMP = f"""{BRING}element.addEventListener('click', event => {{
  const point = event.target.closest('a[data-turn]');
  if (!point) return;
  event.preventDefault();
  if (point.closest('#panel.open')) document.getElementById('details').click();
  const find = () => document.querySelectorAll('#chatbot .user.message')[point.dataset.turn];
  bring(find);
  find()?.animate([{{outline: '3px solid var(--accent)'}}, {{outline: '3px solid transparent'}}], 1500);
}});"""


def lay_out_side(pool: ModelPool, connect: Callable[[], None] | None = None) -> SideParts:
    """Lay out the mood, what the model sees, the fields of `connect`, and the settings, which are folded."""
    sentiment = gr.HTML("", js_on_load=JUMP, elem_id="mood", elem_classes="side")
    context = gr.HTML("", elem_id="context", elem_classes="side")
    file = gr.HTML("", elem_id="file-entry", elem_classes="side")
    if connect is not None:
        connect()
    names = pool.names
    is_choice = len(names) > 1
    with gr.Accordion("Model and persona", open=False, elem_id="persona"):
        run = gr.Dropdown(names, value=names[0], label="Model", interactive=is_choice, elem_id="run")
        other_run = gr.Dropdown(
            names, value=names[0], label="Compare with", visible=is_choice, elem_id="other-run"
        )
        system = gr.Textbox(
            label="System prompt", info="Saved with the conversation by itself",
            lines=4, max_lines=10, elem_id="system",
            placeholder="You are a patient teacher who answers in two sentences.",
        )  # fmt: skip
        sentiment_on = gr.Checkbox(
            False,
            label="Tell the model my mood",
            visible=pool.session.classifier is not None,
            elem_id="mood-on",
        )
    sampling = lay_out_sampling()
    return SideParts(
        sentiment=sentiment,
        context=context,
        file=file,
        run=run,
        other_run=other_run,
        system=system,
        sentiment_on=sentiment_on,
        sampling=sampling,
    )
