"""Conversations on disk: an SQLite file that survives a kill, is shared by processes, and gives nobody what is somebody else's.

* Store
  x database    reads, writes, and the removal of what was deleted; x schema, x lock below it
  x tree        messages with their parents: edits and retries are branches, and one path is seen
  x search      what people type, as a condition
  x export, feedback     what leaves the store
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from nlpkit.chat import feedback, message_queries, transcripts
from nlpkit.chat.database import Database
from nlpkit.chat.lock import Hold
from nlpkit.chat.messages import Chat, ChatMessage, Rating, as_json, chat_of, message_of
from nlpkit.chat.refusals import LimitError, MissingError
from nlpkit.chat.search import where_found
from nlpkit.chat.sentiment import Sentiment
from nlpkit.chat.text_limits import settings_json, storable, title_of
from nlpkit.data.examples import Role

if TYPE_CHECKING:
    from nlpkit.generation.context import Context


class Store:
    """Conversations of any number of owners; "" is the only user's. For any thread, and several processes.

    Every method takes the owner. What is somebody else's, and what there is not, is a MissingError in the same words.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.path = database.path
        self._rows = database.rows
        self._reading = database.reading
        self._writing = database.writing

    @classmethod
    def open(cls, path: Path | str, *, timeout: float = 5.0) -> Store:
        """The store in a file, made where there was none, readable by its user only. `timeout`: seconds to wait for other programs.

        Raises:
            DataError: it is locked, read-only, damaged, no store, or was written by a newer nlpkit.
        """
        return cls(Database(Path(path).expanduser().absolute(), timeout))

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def __enter__(self) -> Store:
        """The store itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the file."""
        self.close()

    def create(
        self,
        owner: str,
        *,
        title: str = "",
        system: str = "",
        run: str = "",
        settings: Mapping[str, object] | None = None,
    ) -> Chat:
        """A new conversation. Without a title it is called by the first words that are said."""
        now, id = time.time(), secrets.token_hex(12)
        told = {"the owner": owner, "the title": title, "the system prompt": system, "the run": run}
        values = (id, *(storable(text, what) for what, text in told.items()))
        with self._writing():
            self._rows(
                "INSERT INTO chats (id, owner, title, system, run, settings, created, updated) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                *values,
                settings_json(settings or {}),
                now,
                now,
            )
        return self.read(id, owner)

    def chats(self, owner: str, query: str = "", *, limit: int = 1000) -> list[Chat]:
        """The owner's conversations without their messages, the one last changed first; those in which the query's words are found.

        The words are looked for in the title and in all messages, also in those of branches that are not seen now.
        """
        with self._reading():
            sql, values = where_found(query)
            order = "ORDER BY chats.updated DESC, chats.number DESC LIMIT ?"
            rows = self._rows(
                f"SELECT * FROM chats WHERE owner = ? AND {sql} {order}",  # noqa: S608
                storable(owner, "the owner"),
                *values,
                limit,
            )
        return [chat_of(row) for row in rows]

    def read(self, id: str, owner: str) -> Chat:
        """The conversation, with the messages that are seen."""
        with self._reading():
            row = self._own(id, owner)
            return chat_of(row, [message_of(one) for one in self._rows(message_queries.PATH, row["head"])])

    def append(
        self, id: str, owner: str, role: Role, text: str, *, after: str | None = None,
        bot: str = "", finish: str = "", mood: Sentiment | None = None, context: Context | None = None,
    ) -> ChatMessage:  # fmt: skip
        """The message, safe on the disk, behind the last one that is seen, or behind the message `after`.

        It is then the last one seen, but where the conversation went on from `after` meanwhile: there it is kept as a branch.
        """
        if role not in get_args(Role):
            raise LimitError("the role is unknown; expected user or assistant")
        with self._writing():
            chat = self._own(id, owner)
            parent = chat["head"] if after is None else self._message(chat, after)["number"]
            return self._add(chat, parent, role, text, bot=bot, finish=finish, mood=mood, context=context)

    def edit(
        self, id: str, owner: str, message: str, text: str, *, mood: Sentiment | None = None
    ) -> ChatMessage:
        """The user's message in other words, and the last one that is seen. What was said before and after it is kept as a branch.

        Raises:
            DataError: there is no such message, or it is a reply.
        """
        with self._writing():
            chat = self._own(id, owner)
            old = self._message(chat, message)
            if old["role"] != "user":
                raise LimitError("only what the user said can be edited")
            self._head(chat, old["parent"])
            return self._add(self._own(id, owner), old["parent"], "user", text, mood=mood)

    def retry(self, id: str, owner: str, message: str | None = None) -> ChatMessage:
        """The user's message that is to be answered again, now the last one seen: what a reply, or the last one, replied to.

        Raises:
            DataError: there is no such message, or nobody said anything before it.
        """
        with self._writing():
            chat = self._own(id, owner)
            path = self._rows(
                message_queries.PATH,
                chat["head"] if message is None else self._message(chat, message)["number"],
            )
            asked = next((one for one in reversed(path) if one["role"] == "user"), None)
            if asked is None:
                raise LimitError("nothing was said that could be answered again")
            self._head(chat, asked["number"])
            return message_of(asked)

    def undo(self, id: str, owner: str) -> Chat:
        """The conversation as it was before the user spoke last; what was said since is kept as a branch."""
        with self._writing():
            chat = self._own(id, owner)
            asked = next(
                (
                    one
                    for one in reversed(self._rows(message_queries.PATH, chat["head"]))
                    if one["role"] == "user"
                ),
                None,
            )
            self._head(chat, asked["parent"] if asked else None)
        return self.read(id, owner)

    def end_at(self, id: str, owner: str, message: str) -> Chat:
        """The conversation with this message as the last one seen; "" shows none."""
        with self._writing():
            chat = self._own(id, owner)
            self._head(chat, self._message(chat, message)["number"] if message else None)
        return self.read(id, owner)

    def branches(self, id: str, owner: str, message: str) -> list[ChatMessage]:
        """The message and those that follow the same one, oldest first: its edits, or the replies to one question."""
        with self._reading():
            one = self._message(chat := self._own(id, owner), message)
            return [
                message_of(row)
                for row in self._rows(message_queries.SIBLINGS, chat["number"], one["parent"], one["role"])
            ]

    def switch(self, id: str, owner: str, message: str) -> Chat:
        """The conversation as it went on from this message."""
        with self._writing():
            chat = self._own(id, owner)
            self._head(
                chat,
                self._rows(message_queries.LAST_AFTER, self._message(chat, message)["number"])[0]["number"],
            )
        return self.read(id, owner)

    def rename(self, id: str, owner: str, title: str) -> Chat:
        """The conversation under another title."""
        return self._set(id, owner, "title", storable(title, "the title"))

    def set_system(self, id: str, owner: str, system: str) -> Chat:
        """The conversation with other words that the bot is told beforehand."""
        return self._set(id, owner, "system", storable(system, "the system prompt"))

    def set_run(self, id: str, owner: str, run: str) -> Chat:
        """The conversation, answered by another bot from now on."""
        return self._set(id, owner, "run", storable(run, "the run"))

    def set_settings(self, id: str, owner: str, settings: Mapping[str, object]) -> Chat:
        """The conversation with other settings, such as how replies are drawn."""
        return self._set(id, owner, "settings", settings_json(settings))

    def rate(self, id: str, owner: str, message: str, rating: Rating | None, reason: str = "") -> ChatMessage:
        """The reply, rated; None takes a rating back.

        Raises:
            DataError: there is no such message, it is no reply, or the rating is unknown.
        """
        if rating not in (*get_args(Rating), None):
            raise LimitError("the rating is unknown; expected up, down or none")
        with self._writing():
            one = self._message(self._own(id, owner), message)
            if one["role"] != "assistant":
                raise LimitError("only replies can be rated")
            why = storable(reason, "the reason") if rating else ""
            self._rows(
                "UPDATE messages SET rating = ?, reason = ? WHERE number = ?", rating, why, one["number"]
            )
            return message_of(self._rows(message_queries.ONE, one["number"])[0])

    def choose(self, id: str, owner: str, chosen: str, rejected: str, reason: str = "") -> ChatMessage:
        """The chosen one of two replies to one message, now seen; the choice is kept.

        Raises:
            DataError: they are not two replies to one message.
        """
        with self._writing():
            chat = self._own(id, owner)
            one, other = self._message(chat, chosen), self._message(chat, rejected)
            if (
                one["number"] == other["number"]
                or one["parent"] != other["parent"]
                or {one["role"], other["role"]} != {"assistant"}
            ):
                raise LimitError("expected two different replies to one message")
            self._rows(
                "INSERT INTO choices (chat, chosen, rejected, reason, created) VALUES (?, ?, ?, ?, ?)",
                chat["number"], one["number"], other["number"], storable(reason, "the reason"), time.time(),
            )  # fmt: skip
            self._head(chat, self._rows(message_queries.LAST_AFTER, one["number"])[0]["number"])
            return message_of(self._rows(message_queries.ONE, one["number"])[0])

    def delete(self, id: str, owner: str) -> None:
        """Nothing is left of the conversation in any of the store's files."""
        with self._reading():
            number = self._own(id, owner)["number"]
        self._database.erase("number = ? AND owner = ?", number, owner)

    def forget(self, owner: str) -> int:
        """How many conversations the owner had; nothing is left of them in any of the store's files."""
        return self._database.erase("owner = ?", storable(owner, "the owner"))

    def export_jsonl(self, id: str, owner: str) -> str:
        """The conversation as a row of the file that training reads.

        Raises:
            DataError: there is no reply in it to learn from.
        """
        return transcripts.jsonl([self.read(id, owner)])

    def export_all(self, owner: str) -> str:
        """The owner's conversations in which there is a reply, oldest first, a row each as `export_jsonl` gives it."""
        return transcripts.jsonl([self.read(one.id, owner) for one in reversed(self.chats(owner, limit=-1))])

    def export_markdown(self, id: str, owner: str) -> str:
        """The conversation for people to read; nothing in it is taken for Markdown or HTML."""
        return transcripts.markdown(self.read(id, owner))

    def preferences(self, owner: str | None = None) -> feedback.Feedback:
        """What was liked and what was not, of one owner or of all, as rows of the preference recipe."""
        with self._reading():
            trees = feedback.trees_in(self._rows, owner)
        return feedback.rows_of(trees)

    def hold(self, id: str, owner: str) -> Hold:
        """The right to answer the conversation, until it is released.

        Raises:
            MissingError: the owner has no such conversation.
            BusyError: it is being answered.
        """
        with self._reading():
            self._own(id, owner)
        return Hold(self.path.with_name(f"{self.path.name}.holds"), id)

    def _add(self, chat: sqlite3.Row, parent: int | None, role: Role, text: str, **more: Any) -> ChatMessage:
        if not storable(text, "the message"):
            raise LimitError("the message is empty; expected text")
        # What the bot was told is kept with its reply: it may be told otherwise later, and a rating speaks of then
        system = chat["system"] if role == "assistant" else ""
        values = (
            chat["number"],
            parent,
            role,
            text,
            time.time(),
            system,
            more.get("bot", ""),
            more.get("finish", ""),
        )
        notes = (as_json(more.get("mood")), as_json(more.get("context")))
        number = self._rows(message_queries.ADD, secrets.token_hex(12), *values, *notes)[0]["number"]
        if chat["head"] == parent:
            self._head(chat, number)
        if not chat["title"] and role == "user":
            self._rows("UPDATE chats SET title = ? WHERE number = ?", title_of(text), chat["number"])
        return message_of(self._rows(message_queries.ONE, number)[0])

    def _own(self, id: object, owner: str) -> sqlite3.Row:
        """The row of a conversation of the owner's. What is somebody else's is missing in the same words as what never was."""
        known = isinstance(id, str) and message_queries.is_id(id)
        rows = (
            self._rows("SELECT * FROM chats WHERE id = ? AND owner = ?", id, storable(owner, "the owner"))
            if known
            else []
        )
        if not rows:
            raise MissingError("there is no such conversation")
        return rows[0]

    def _message(self, chat: sqlite3.Row, id: object) -> sqlite3.Row:
        known = isinstance(id, str) and message_queries.is_id(id)
        rows = (
            self._rows("SELECT * FROM messages WHERE id = ? AND chat = ?", id, chat["number"])
            if known
            else []
        )
        if not rows:
            raise MissingError("there is no such message in this conversation")
        return rows[0]

    def _head(self, chat: sqlite3.Row, number: int | None) -> None:
        self._rows(
            "UPDATE chats SET head = ?, updated = ? WHERE number = ?", number, time.time(), chat["number"]
        )

    def _set(self, id: str, owner: str, column: str, value: str) -> Chat:
        with self._writing():
            number = self._own(id, owner)["number"]
            self._rows(
                f"UPDATE chats SET {column} = ?, updated = ? WHERE number = ?",  # noqa: S608
                value,
                time.time(),
                number,
            )
        return self.read(id, owner)
