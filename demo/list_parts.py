"""The components of the list of conversations, and their layout. What they do is in chat_list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from demo.list_keys import LIST_KEYS
from demo.list_page import PAGE


@dataclass(frozen=True, kw_only=True)
class ListParts:
    """The list of conversations, and the actions on the open one."""

    new: Any
    query: Any
    chats: Any
    limit: Any
    """How many conversations are listed."""
    changed: Any
    """A new value lists the conversations again."""
    landing: Any
    """The message that a search found in the open conversation, as ROLE NUMBER."""
    title: Any
    """Names the page."""
    delete: Any
    confirm: Any
    sure: Any
    keep: Any
    as_markdown: Any
    as_jsonl: Any


def lay_out_list() -> ListParts:
    """Lay out the list of conversations, for the side of the page."""
    limit, changed, landing, title = (
        gr.Textbox(value, visible="hidden", show_label=False, container=False)
        for value in (str(PAGE), "", "", "")
    )
    new = gr.Button("New conversation", variant="primary", elem_id="new-chat")
    query = gr.Textbox(
        label="Search", show_label=False, container=False, placeholder="Search your messages",
        max_length=200, elem_id="search",
    )  # fmt: skip
    chats = gr.HTML("", js_on_load=LIST_KEYS, elem_id="chats", padding=False)
    with gr.Accordion("This conversation", open=False, elem_id="this-chat"):
        with gr.Row():
            as_markdown = gr.Button("Save as Markdown", size="sm", elem_id="as-markdown")
            as_jsonl = gr.Button("Save as JSONL", size="sm", elem_id="as-jsonl")
        delete = gr.Button("Delete ...", size="sm", elem_id="delete")
        with gr.Group(visible=False, elem_id="confirm") as confirm:
            gr.HTML(
                '<p role="alert" class="confirm">'
                "Delete this conversation permanently? This cannot be undone.</p>"
            )
            with gr.Row():
                sure = gr.Button("Delete permanently", variant="stop", size="sm", elem_id="sure")
                keep = gr.Button("Keep it", size="sm", elem_id="keep")
    return ListParts(
        new=new,
        query=query,
        chats=chats,
        limit=limit,
        changed=changed,
        landing=landing,
        title=title,
        delete=delete,
        confirm=confirm,
        sure=sure,
        keep=keep,
        as_markdown=as_markdown,
        as_jsonl=as_jsonl,
    )
