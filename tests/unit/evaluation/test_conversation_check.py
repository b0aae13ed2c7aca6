"""A check of conversations: what they hold, and what to know before training on them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nlpkit.errors import DataError
from nlpkit.evaluation.conversation_check import check_conversations, holds_conversations
from nlpkit.settings.data import ConversationSource

TICKETS = """ticket,author,body,channel
1,client,my mail is ann@example.org,web
1,agent,thank you,web
2,client,where is it,mail
2,agent,on its way,mail
3,client,Where is it,web
3,agent,on its way,web
4,client,alone,web
"""
KEYS = {"conversation": "ticket", "speaker": "author", "text": "body"}


@pytest.fixture
def tickets(tmp_path: Path) -> Path:
    path = tmp_path / "tickets.csv"
    path.write_text(TICKETS)
    return path


def test_j1_a_check_of_tickets_counts_turns_and_speakers_and_finds_what_is_wrong(tickets: Path) -> None:
    report = check_conversations(ConversationSource(source=str(tickets), bot="agent", **KEYS))
    data = report.parts["data"]
    assert data.dialogue is not None
    assert (data.rows, data.dialogue.turns, data.dialogue.replies) == (3, 6, 3)
    assert data.dialogue.speakers == {"client": 3, "agent": 3}
    found = {finding.kind: finding for finding in report.findings if finding.kind != "language"}
    assert [(kind, finding.severity, finding.rows) for kind, finding in found.items()] == [
        ("unusable", "error", 1),
        ("duplicate", "warning", 1),
        ("personal data: e-mail", "warning", 1),
        ("unused columns", "info", 0),
    ]
    assert "one turn only" in found["unusable"].examples[0].text
    assert found["duplicate"].examples[0].where == f"{tickets}, conversation '3'"
    assert found["unused columns"].message == "columns that are not used: channel"
    assert "ann@example.org" not in report.to_json()
    assert "| data | 3 | 6 | 3 |" in report.to_markdown()
    assert "messages by speaker" in report.to_html()


def test_j1_both_sides_of_a_conversation_are_one_and_held_out_ones_are_found(tickets: Path) -> None:
    source = ConversationSource(source=str(tickets), bot="each", **KEYS)
    report = check_conversations(source, test=str(tickets), on_error="skip")
    counts = report.parts["test"].dialogue
    assert counts is not None
    assert (report.parts["test"].rows, counts.turns, counts.replies) == (3, 6, 3)
    found = {finding.kind: finding for finding in report.findings}
    assert (found["unusable"].severity, found["overlap"].severity) == ("warning", "error")
    assert found["overlap"].message == "3 conversations of test (100.00%): equal to texts of data"


def test_j1_with_a_base_it_says_what_a_training_would_leave_out(tmp_path: Path, tiny_chat_base: Path) -> None:
    path = tmp_path / "chats.jsonl"
    replies = ["hi", "x" * 600, "<|im_end|>"]  # the base reads bytes, and training 512 tokens
    path.write_text("".join(json.dumps({"prompt": "say", "reply": reply}) + "\n" for reply in replies))
    report = check_conversations(ConversationSource(source=str(path)), base=str(tiny_chat_base))
    found = {finding.kind: finding for finding in report.findings}
    assert report.unit == "tokens"
    assert (found["over window"].rows, found["control tokens"].rows) == (1, 1)


def test_j1_conversations_are_known_by_their_first_row(tmp_path: Path, toy_csv: Path, tickets: Path) -> None:
    chats = tmp_path / "chats.jsonl"
    turns = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]
    chats.write_text(json.dumps({"messages": turns}))
    whatsapp = tmp_path / "chat.txt"
    whatsapp.write_text("14/11/2023, 10:01 - Ann: hello there\n14/11/2023, 10:02 - Bob: good day\n")
    known = [
        holds_conversations(str(path), label="label", format=None, encoding=None)
        for path in (chats, whatsapp, toy_csv, tickets, tmp_path / "no.csv")
    ]
    assert known == [True, True, False, False, False]


def test_j1_whom_the_model_learns_must_be_known(tickets: Path) -> None:
    with pytest.raises(DataError, match="found the speakers 'client' and 'agent'"):
        check_conversations(ConversationSource(source=str(tickets), **KEYS))
