"""All handlers of the chat tab, bound to its components."""

from __future__ import annotations

from typing import Any

from demo.attaching import Attaching
from demo.chat_list import ChatList
from demo.chat_tab import ChatTab
from demo.comparing import Comparing
from demo.drafts import keep_drafts
from demo.replies import Replies
from demo.view import View


def wire_chat(view: View, page: Any) -> None:
    """Bind the handlers of replies, comparisons, files, drafts, and the list of conversations."""
    replies = Replies(view)
    replies.wire()
    Comparing(view, replies).wire()
    Attaching(view, replies).wire()
    keep_drafts(view.talk)
    ChatTab(view, replies).wire()
    ChatList(view, replies).wire(page)
