"""Explain the last reply of each conversation in a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from nlpkit.data.conversations import conversations_in
from nlpkit.data.examples import Conversation
from nlpkit.data.records import Record
from nlpkit.errors import DataError
from nlpkit.settings.data import ConversationSource
from nlpkit.trust.explained_file import ExplainedRow
from nlpkit.trust.reply_explainer import ReplyExplainer

COLUMNS = ("conversation", "messages")
"""What stands next to the explanations: the conversation's id or row, and its messages."""


def explained_conversations(
    explainer: ReplyExplainer,
    source: ConversationSource,
    *,
    skipped: Callable[[str, int], None] = lambda message, conversations: None,
) -> Iterator[ExplainedRow]:
    """Yield the conversations of a file with the explanation of each last reply, as they are done.

    Args:
        explainer: explains them.
        source: a file in any shape that `nlpkit check` reads. Its `on_bad` also says what happens with a
            conversation whose reply cannot be explained.
        skipped: gets what is wrong with conversations that are passed over, and their number.

    Raises:
        DataError: the file or a conversation is wrong.
    """
    reading = conversations_in(source.source, source)
    if reading.left_out:
        skipped("; ".join(reading.skipped), reading.left_out)
    for number, conversation in enumerate(reading.conversations, 1):
        try:
            explanation = explainer.explain(conversation)
        except DataError as error:
            if source.on_bad == "stop":
                raise
            skipped(str(error), 1)
            continue
        record = Record(fields=_fields(conversation, source.source), file=source.source, row=number)
        yield ExplainedRow(record=record, explanations=[explanation])


def _fields(conversation: Conversation, file: str) -> dict[str, object]:
    """Return the id without the file's folder, or the row, and the messages."""
    name = conversation.id.removeprefix(f"{file}#").removeprefix(f"{file}, ")
    messages = [{"role": "system", "content": conversation.system}] if conversation.system else []
    messages += [{"role": turn.role, "content": turn.text} for turn in conversation.turns]
    return dict(zip(COLUMNS, (name, messages), strict=True))
