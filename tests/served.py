"""A bot that computes nothing, and a server on a free port: what tests of the API stand on."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from nlpkit.data.examples import Conversation
from nlpkit.inference.answer import Finish, Usage
from nlpkit.inference.context import Context
from nlpkit.inference.sampling import Sampling


class FixedAnswer:
    """Pieces given beforehand, one a `pause`."""

    def __init__(self, pieces: list[str], conversation: Conversation, *, pause: float = 0, most: int = 4096) -> None:
        self.context: Context | None = Context(seen=tuple(range(len(conversation.turns))), recalled=(), dropped=(), tokens=1, room=9)
        self.usage: Usage | None = None
        self.finish: Finish | None = None
        self.stopped = threading.Event()
        self._pieces, self._pause, self._most, self._turns = pieces, pause, most, len(conversation.turns)
        self._texts = self._run()

    def _run(self) -> Iterator[str]:
        made = 0
        for piece in self._pieces[: self._most]:
            if self._pause and self.stopped.wait(self._pause):
                break
            if self.stopped.is_set():
                break
            made += 1
            yield piece
        self.finish = "stopped" if self.stopped.is_set() else "length" if made < len(self._pieces) else "stop"
        self.usage = Usage(prompt_tokens=10 * self._turns, cached_tokens=4, new_tokens=made, first_token_seconds=0.01, seconds=0.02)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        return next(self._texts)

    def stop(self) -> None:
        self.stopped.set()

    def close(self) -> None:
        self.stop()


def repeat_last(conversation: Conversation) -> list[str]:
    """The last turn's words, a piece each."""
    words = conversation.turns[-1].text.split(" ")
    return [word if place == 0 else f" {word}" for place, word in enumerate(words)]


@dataclass
class FixedBot:
    """Answers what `says` makes of a conversation, and keeps what it was asked."""

    says: Callable[[Conversation], list[str]] = repeat_last
    pause: float = 0
    name: str = "parrot"
    asked: list[tuple[Conversation, Sampling, str]] = field(default_factory=list)
    answers: list[FixedAnswer] = field(default_factory=list)

    def stream(self, conversation: Conversation, *, sampling: Sampling, session: str = "") -> FixedAnswer:
        answer = FixedAnswer(self.says(conversation), conversation, pause=self.pause, most=sampling.max_new_tokens)
        self.asked.append((conversation, sampling, session))
        self.answers.append(answer)
        return answer


def until(true: Callable[[], bool], seconds: float = 10) -> bool:
    """Whether it becomes true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.005)
    return true()


@contextmanager
def live(app: Any) -> Iterator[str]:
    """The app on a free port, its address; ended at the end."""
    import uvicorn

    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=1, ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    assert until(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(15)
        listener.close()
        assert not thread.is_alive()
