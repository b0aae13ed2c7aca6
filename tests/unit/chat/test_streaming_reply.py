"""How often a growing reply is saved."""

from __future__ import annotations

from typing import Any

from nlpkit.chat import streaming_reply
from nlpkit.chat.messages import ChatMessage
from nlpkit.chat.streaming_reply import StreamingReply
from tests.fakes import FakeAnswer

QUESTION = ChatMessage(id="q", role="user", text="question", created=0.0)


class Clock:
    """A clock that moves only by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


def test_d3_saving_takes_a_tenth_of_the_time_on_a_slow_disk(monkeypatch: Any) -> None:
    clock, saves = Clock(), []
    monkeypatch.setattr(streaming_reply, "time", clock)

    def save(text: str, finish: str) -> ChatMessage:
        saves.append(clock.now)
        clock.now += 1.0
        return ChatMessage(id="r", role="assistant", text=text, created=0.0, finish=finish)

    words = [f"w{number}" for number in range(250)]
    reply = StreamingReply(QUESTION, FakeAnswer(" ".join(words), None, 0.0, None, 999), save, lambda: None)
    for number, chunk in enumerate(reply):
        assert chunk.strip() == words[number]
        assert reply.text.startswith(reply.saved)
        clock.now += 0.125
    # The first chunk at once; that takes 1 second, so that the next save begins 10 seconds later
    assert saves == [100.0, 111.0, 122.0, 133.0, 135.25]
    assert reply.saved == " ".join(words)
