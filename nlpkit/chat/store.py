"""Conversations in an SQLite file, which survives a kill, is shared by processes, and keeps owners apart.

* Store
  x chat_rows     rows of conversations and messages: edits and retries are branches, one path is current
  x database      transactions, and the removal of deleted data; x schema, x lock below it
  x search        a search query as conditions; x summaries, the rows of a list
  x attached_file a text file of a conversation
  x transcripts, feedback     what leaves the store
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from nlpkit.chat import feedback, transcripts
from nlpkit.chat.attached_file import AttachedFiles
from nlpkit.chat.chat_rows import ChatRows
from nlpkit.chat.database import Database
from nlpkit.chat.lock import ReplyLock
from nlpkit.chat.messages import Chat, ChatMessage, Rating, message_of
from nlpkit.chat.refusals import LimitError
from nlpkit.chat.search import search_of
from nlpkit.chat.summaries import ChatSummary, read_summaries
from nlpkit.chat.text_limits import settings_json, storable
from nlpkit.data.examples import Role

if TYPE_CHECKING:
    from nlpkit.chat.sentiment import Sentiment
    from nlpkit.generation.context import Context


class Store:
    """Conversations of any number of owners; "" is the only user's. For any thread, and several processes.

    Every method takes the owner. A conversation of somebody else, and one that does not exist, is a
    MissingError with the same message.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = ChatRows(database)
        self.files: AttachedFiles = AttachedFiles(database, self._rows)
        """The text files that users have attached."""
        self.path: Path = database.path

    @classmethod
    def open(cls, path: Path | str, *, timeout: float = 5.0) -> Store:
        """Open the store in a file, which is created if it does not exist, readable by its user only.

        Args:
            path: the SQLite file.
            timeout: seconds to wait for other programs.

        Raises:
            DataError: it is locked, read-only, damaged, no store, or was written by a newer nlpkit.
        """
        return cls(Database(Path(path).expanduser().absolute(), timeout))

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def __enter__(self) -> Store:
        """Return the store itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    def together(self) -> AbstractContextManager[None]:
        """Return a context in which all changes are written at once: all of them, or none if it fails."""
        return self._database.writing()

    def create(
        self,
        owner: str,
        *,
        title: str = "",
        system: str = "",
        run: str = "",
        settings: Mapping[str, object] | None = None,
    ) -> Chat:
        """Create a conversation. Without a title it takes the first words of the first message."""
        with self._database.writing():
            id = self._rows.add_chat(
                storable(owner, "the owner"), storable(title, "the title"),
                storable(system, "the system prompt"), storable(run, "the run"),
                settings_json(settings or {}),
            )  # fmt: skip
        return self.read(id, owner)

    def chats(self, owner: str, query: str = "", *, limit: int = 1000) -> list[Chat]:
        """Return the owner's conversations that match the query, last changed first, without their messages.

        The words are searched in the title and in all messages, also in branches that are not current.
        """
        with self._database.reading():
            return self._rows.find_chats(storable(owner, "the owner"), search_of(query), limit)

    def summaries(self, owner: str, query: str = "", *, limit: int = 50) -> list[ChatSummary]:
        """Return the rows of a list: what matches, pinned ones first, each with a line of a message."""
        with self._database.reading():
            return read_summaries(self._database, storable(owner, "the owner"), search_of(query), limit)

    def matches(self, id: str, owner: str, query: str) -> list[str]:
        """Return the ids of the messages with the words of a query, oldest first; branches are included."""
        with self._database.reading():
            chat, search = self._rows.find_chat(id, owner), search_of(query)
            return self._rows.find_matches(chat, search) if search else []

    def read(self, id: str, owner: str, *, until: str | None = None) -> Chat:
        """Return the conversation with its current messages, or with those up to the message `until`."""
        with self._database.reading():
            chat = self._rows.find_chat(id, owner)
            last = chat["head"] if until is None else self._rows.find_message(chat, until)["number"]
            return self._rows.read_chat(chat, last)

    def append(
        self, id: str, owner: str, role: Role, text: str, *, after: str | None = None,
        chat_model: str = "", finish: str = "",
        sentiment: Sentiment | None = None, context: Context | None = None, instead_of: str = "",
    ) -> ChatMessage:  # fmt: skip
        """Add a message after the last current one, or after the message `after`; it is on disk on return.

        It becomes the last current message, unless the conversation went on from `after` meanwhile: then it
        is a branch. It also takes the place of `instead_of`, if that is still the last current message.
        """
        if role not in get_args(Role):
            raise LimitError("the role is unknown; expected user or assistant")
        with self._database.writing():
            chat = self._rows.find_chat(id, owner)
            parent = chat["head"] if after is None else self._rows.find_message(chat, after)["number"]
            replaced = self._rows.find_message(chat, instead_of)["number"] if instead_of else None
            return self._rows.add_message(
                chat, parent, role, text, chat_model=chat_model, finish=finish,
                sentiment=sentiment, context=context, instead_of=replaced,
            )  # fmt: skip

    def set_reply(
        self, id: str, owner: str, message: str, text: str, finish: str, context: Context | None = None
    ) -> ChatMessage:
        """Replace the text of a reply that grows, how it ended, and what the model saw, if that is given.

        It is on disk on return.

        Raises:
            DataError: there is no such message, or it is no reply.
        """
        with self._database.writing():
            reply = self._rows.find_message(self._rows.find_chat(id, owner), message)
            if reply["role"] != "assistant":
                raise LimitError("only replies grow")
            return self._rows.set_reply(reply, storable(text, "the reply"), finish, context)

    def edit(
        self, id: str, owner: str, message: str, text: str, *, sentiment: Sentiment | None = None
    ) -> ChatMessage:
        """Replace a message of the user and what follows it. The old message becomes a branch.

        Raises:
            DataError: there is no such message, or it is a reply.
        """
        with self._database.writing():
            chat = self._rows.find_chat(id, owner)
            old = self._rows.find_message(chat, message)
            if old["role"] != "user":
                raise LimitError("only messages of the user can be edited")
            self._rows.set_head(chat, old["parent"])
            chat = self._rows.find_chat(id, owner)
            return self._rows.add_message(chat, old["parent"], "user", text, sentiment=sentiment)

    def question(self, id: str, owner: str, message: str | None = None) -> ChatMessage:
        """Return the user's message before `message`, or the last one; the conversation stays as it is.

        Raises:
            DataError: there is no such message, or no message of the user before it.
        """
        with self._database.reading():
            chat = self._rows.find_chat(id, owner)
            last = chat["head"] if message is None else self._rows.find_message(chat, message)["number"]
            question = self._rows.last_user_message(last)
        if question is None:
            raise LimitError("there is no message of the user to answer again")
        return message_of(question)

    def undo(self, id: str, owner: str) -> Chat:
        """Remove the user's last message and its reply from the current path; they become a branch."""
        with self._database.writing():
            chat = self._rows.find_chat(id, owner)
            question = self._rows.last_user_message(chat["head"])
            self._rows.set_head(chat, question["parent"] if question else None)
        return self.read(id, owner)

    def end_at(self, id: str, owner: str, message: str) -> Chat:
        """Make this message the last current one; "" shows no message."""
        with self._database.writing():
            chat = self._rows.find_chat(id, owner)
            self._rows.set_head(chat, self._rows.find_message(chat, message)["number"] if message else None)
        return self.read(id, owner)

    def branches(self, id: str, owner: str, message: str) -> list[ChatMessage]:
        """Return all versions of a message, oldest first: edits of a question, or replies to one question."""
        with self._database.reading():
            chat = self._rows.find_chat(id, owner)
            siblings = self._rows.siblings(chat, self._rows.find_message(chat, message))
            return [message_of(row) for row in siblings]

    def switch(self, id: str, owner: str, message: str) -> Chat:
        """Make the branch that leads on from this message the current one."""
        with self._database.writing():
            chat = self._rows.find_chat(id, owner)
            self._rows.show_branch(chat, self._rows.find_message(chat, message))
        return self.read(id, owner)

    def rename(self, id: str, owner: str, title: str) -> Chat:
        """Change the title."""
        return self._set(id, owner, "title", storable(title, "the title"))

    def pin(self, id: str, owner: str, is_pinned: bool = True) -> None:
        """Pin the conversation to the top of the list, or unpin it; it does not count as changed."""
        with self._database.writing():
            self._rows.set_pinned(self._rows.find_chat(id, owner), bool(is_pinned))

    def set_system(self, id: str, owner: str, system: str) -> Chat:
        """Change the system prompt."""
        return self._set(id, owner, "system", storable(system, "the system prompt"))

    def set_run(self, id: str, owner: str, run: str) -> Chat:
        """Change the chat model that answers from now on."""
        return self._set(id, owner, "run", storable(run, "the run"))

    def set_settings(self, id: str, owner: str, settings: Mapping[str, object]) -> Chat:
        """Change the settings, such as those of sampling."""
        return self._set(id, owner, "settings", settings_json(settings))

    def rate(self, id: str, owner: str, message: str, rating: Rating | None, reason: str = "") -> ChatMessage:
        """Rate a reply; None removes the rating.

        Raises:
            DataError: there is no such message, it is no reply, or the rating is unknown.
        """
        if rating not in (*get_args(Rating), None):
            raise LimitError("the rating is unknown; expected up, down or none")
        with self._database.writing():
            reply = self._rows.find_message(self._rows.find_chat(id, owner), message)
            if reply["role"] != "assistant":
                raise LimitError("only replies can be rated")
            return self._rows.set_rating(reply, rating, storable(reason, "the reason") if rating else "")

    def choose(self, id: str, owner: str, chosen: str, rejected: str, reason: str = "") -> ChatMessage:
        """Save which of two replies to one message is better, and make that one current.

        Raises:
            DataError: they are not two replies to one message.
        """
        with self._database.writing():
            chat = self._rows.find_chat(id, owner)
            better, worse = self._rows.find_message(chat, chosen), self._rows.find_message(chat, rejected)
            if (
                better["number"] == worse["number"]
                or better["parent"] != worse["parent"]
                or {better["role"], worse["role"]} != {"assistant"}
            ):
                raise LimitError("expected two different replies to one message")
            return self._rows.add_choice(chat, better, worse, storable(reason, "the reason"))

    def delete(self, id: str, owner: str) -> None:
        """Delete the conversation, so that no trace of it remains in any of the store's files."""
        with self._database.reading():
            number = self._rows.find_chat(id, owner)["number"]
        self._database.erase("number = ? AND owner = ?", number, owner)

    def forget(self, owner: str) -> int:
        """Delete all conversations of the owner without a trace, and return how many there were."""
        return self._database.erase("owner = ?", storable(owner, "the owner"))

    def export_jsonl(self, id: str, owner: str) -> str:
        """Return the conversation as a row of a training file.

        Raises:
            DataError: there is no reply in it to learn from.
        """
        return transcripts.jsonl([self.read(id, owner)])

    def export_all(self, owner: str) -> str:
        """Return the owner's conversations that have a reply, oldest first, as rows of a training file."""
        return transcripts.jsonl(
            [self.read(chat.id, owner) for chat in reversed(self.chats(owner, limit=-1))]
        )

    def export_markdown(self, id: str, owner: str) -> str:
        """Return the conversation as Markdown.

        Its texts are escaped, so that no markup or HTML comes of them.
        """
        return transcripts.markdown(self.read(id, owner))

    def preferences(self, owner: str | None = None) -> feedback.Feedback:
        """Return the ratings and choices of one owner, or of all, as rows of the preference recipe."""
        with self._database.reading():
            chats = self._rows.rated_chats(owner)
        return feedback.feedback_of(chats, source=str(self.path))

    def hold(self, id: str, owner: str) -> ReplyLock:
        """Acquire the right to answer the conversation, until it is released.

        Raises:
            MissingError: the owner has no such conversation.
            BusyError: it is being answered.
        """
        with self._database.reading():
            self._rows.find_chat(id, owner)
        return ReplyLock(self.path.with_name(f"{self.path.name}.holds"), id)

    def _set(self, id: str, owner: str, column: str, value: str) -> Chat:
        with self._database.writing():
            self._rows.set_column(self._rows.find_chat(id, owner), column, value)
        return self.read(id, owner)
