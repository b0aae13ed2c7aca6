"""Rows of conversations and messages: found, added and changed inside a transaction of the database."""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from nlpkit.chat import message_queries
from nlpkit.chat.database import Database
from nlpkit.chat.feedback import RatedChat
from nlpkit.chat.messages import Chat, ChatMessage, Rating, as_json, chat_of, message_of
from nlpkit.chat.refusals import LimitError, MissingError
from nlpkit.chat.search import Search
from nlpkit.chat.text_limits import storable, title_of
from nlpkit.data.examples import Role

if TYPE_CHECKING:
    from nlpkit.chat.sentiment import Sentiment
    from nlpkit.generation.context import Context


class ChatRows:
    """Reads and writes the rows of conversations; the caller has opened a transaction."""

    def __init__(self, database: Database) -> None:
        self.select: Callable[..., list[sqlite3.Row]] = database.rows
        """Runs a statement and returns its rows."""

    def find_chat(self, id: object, owner: str) -> sqlite3.Row:
        """Return the row of one of the owner's conversations.

        Raises:
            MissingError: there is none, or it belongs to somebody else: both give the same message.
        """
        known = isinstance(id, str) and message_queries.is_id(id)
        query = "SELECT * FROM chats WHERE id = ? AND owner = ?"
        rows = self.select(query, id, storable(owner, "the owner")) if known else []
        if not rows:
            raise MissingError("there is no such conversation")
        return rows[0]

    def find_chats(self, owner: str, search: Search | None, limit: int) -> list[Chat]:
        """Return the owner's conversations that match, last changed first, without their messages."""
        condition, values = (search.in_chat, search.values) if search else ("1", ())
        order = "ORDER BY chats.updated DESC, chats.number DESC LIMIT ?"
        query = f"SELECT * FROM chats WHERE owner = ? AND {condition} {order}"  # noqa: S608
        return [chat_of(row) for row in self.select(query, owner, *values, limit)]

    def find_matches(self, chat: sqlite3.Row, search: Search) -> list[str]:
        """Return the ids of the messages that match, oldest first."""
        query = f"SELECT id FROM messages WHERE chat = ? AND {search.in_message} ORDER BY number"  # noqa: S608
        return [row["id"] for row in self.select(query, chat["number"], *search.message_values)]

    def find_message(self, chat: sqlite3.Row, id: object) -> sqlite3.Row:
        """Return the row of a message of the conversation.

        Raises:
            MissingError: the conversation has no such message.
        """
        known = isinstance(id, str) and message_queries.is_id(id)
        query = "SELECT * FROM messages WHERE id = ? AND chat = ?"
        rows = self.select(query, id, chat["number"]) if known else []
        if not rows:
            raise MissingError("there is no such message in this conversation")
        return rows[0]

    def read_chat(self, row: sqlite3.Row, last: int | None) -> Chat:
        """Return the conversation with its messages up to one."""
        return chat_of(row, [message_of(message) for message in self.path_to(last)])

    def read_message(self, number: int) -> ChatMessage:
        """Return the message with this number."""
        return message_of(self.select(message_queries.ONE, number)[0])

    def path_to(self, number: int | None) -> list[sqlite3.Row]:
        """Return the rows of the messages up to one, from the first."""
        return self.select(message_queries.PATH, number)

    def last_user_message(self, number: int | None) -> sqlite3.Row | None:
        """Return the row of the user's last message on the path to a message."""
        return next((row for row in reversed(self.path_to(number)) if row["role"] == "user"), None)

    def siblings(self, chat: sqlite3.Row, message: sqlite3.Row) -> list[sqlite3.Row]:
        """Return the rows of all messages of the same role that follow the same message, oldest first."""
        return self.select(message_queries.SIBLINGS, chat["number"], message["parent"], message["role"])

    def show_branch(self, chat: sqlite3.Row, message: sqlite3.Row) -> None:
        """Make the newest path that leads on from the message the current one."""
        self.set_head(chat, self.select(message_queries.LAST_AFTER, message["number"])[0]["number"])

    def set_head(self, chat: sqlite3.Row, number: int | None) -> None:
        """Make the message the last current one; None shows no message."""
        self.select(
            "UPDATE chats SET head = ?, updated = ? WHERE number = ?", number, time.time(), chat["number"]
        )

    def set_reply(self, reply: sqlite3.Row, text: str, finish: str, context: Context | None) -> ChatMessage:
        """Replace the text of a reply, in the search index too, how it ended, and what the model saw."""
        number = reply["number"]
        self.select("INSERT INTO found (found, rowid, text) VALUES ('delete', ?, ?)", number, reply["text"])
        changed = "text = ?, finish = ?, context = coalesce(?, context)"
        query = f"UPDATE messages SET {changed} WHERE number = ?"  # noqa: S608
        self.select(query, text, finish, as_json(context), number)
        self.select("INSERT INTO found (rowid, text) VALUES (?, ?)", number, text)
        return self.read_message(number)

    def set_rating(self, reply: sqlite3.Row, rating: Rating | None, reason: str) -> ChatMessage:
        """Rate a reply; None removes the rating."""
        query = "UPDATE messages SET rating = ?, reason = ? WHERE number = ?"
        self.select(query, rating, reason, reply["number"])
        return self.read_message(reply["number"])

    def add_choice(
        self, chat: sqlite3.Row, better: sqlite3.Row, worse: sqlite3.Row, reason: str
    ) -> ChatMessage:
        """Save which of two replies is better, and make that one current."""
        query = "INSERT INTO choices (chat, chosen, rejected, reason, created) VALUES (?, ?, ?, ?, ?)"
        self.select(query, chat["number"], better["number"], worse["number"], reason, time.time())
        self.show_branch(chat, better)
        return self.read_message(better["number"])

    def rated_chats(self, owner: str | None) -> list[RatedChat]:
        """Return the conversations of one owner, or of all, in which a reply was rated or chosen."""
        condition, values = ("owner = ?", (owner,)) if owner is not None else ("1", ())
        query = f"SELECT * FROM chats WHERE {condition} AND {message_queries.IS_RATED} ORDER BY number"  # noqa: S608
        return [
            RatedChat(
                id=chat["id"],
                messages={row["number"]: row for row in self.select(message_queries.ALL, chat["number"])},
                choices=[
                    (choice["chosen"], choice["rejected"], choice["reason"])
                    for choice in self.select(message_queries.CHOICES, chat["number"])
                ],
            )
            for chat in self.select(query, *values)
        ]

    def set_pinned(self, chat: sqlite3.Row, is_pinned: bool) -> None:
        """Pin a conversation to the top of the list, or unpin it; it does not count as changed."""
        self.select("UPDATE chats SET pinned = ? WHERE number = ?", is_pinned, chat["number"])

    def set_column(self, chat: sqlite3.Row, column: str, value: str) -> None:
        """Change the title, the system prompt, the run or the settings of a conversation."""
        query = f"UPDATE chats SET {column} = ?, updated = ? WHERE number = ?"  # noqa: S608
        self.select(query, value, time.time(), chat["number"])

    def add_chat(self, owner: str, title: str, system: str, run: str, settings: str) -> str:
        """Add a conversation, and return its id."""
        now, id = time.time(), secrets.token_hex(12)
        columns = "id, owner, title, system, run, settings, created, updated"
        query = f"INSERT INTO chats ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
        self.select(query, id, owner, title, system, run, settings, now, now)
        return id

    def add_message(
        self,
        chat: sqlite3.Row,
        parent: int | None,
        role: Role,
        text: str,
        *,
        chat_model: str = "",
        finish: str = "",
        sentiment: Sentiment | None = None,
        context: Context | None = None,
        instead_of: int | None = None,
    ) -> ChatMessage:
        """Add a message after another one.

        The last current message moves on only if that was the last one, or `instead_of` was.
        """
        if not storable(text, "the message"):
            raise LimitError("the message is empty; expected text")
        # A reply keeps its system prompt, because a rating is about it and the conversation's may change
        system = chat["system"] if role == "assistant" else ""
        values = (chat["number"], parent, role, text, time.time(), system, chat_model, finish)
        notes = (as_json(sentiment), as_json(context))
        number = self.select(message_queries.ADD, secrets.token_hex(12), *values, *notes)[0]["number"]
        if chat["head"] == parent or (instead_of is not None and chat["head"] == instead_of):
            self.set_head(chat, number)
        if not chat["title"] and role == "user":
            self.select("UPDATE chats SET title = ? WHERE number = ?", title_of(text), chat["number"])
        return self.read_message(number)
