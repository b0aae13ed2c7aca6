"""One answer on its way from the bot to a reader: read piece by piece, and saved however it ends."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from nlpkit.chat.messages import ChatMessage
from nlpkit.chat.text_limits import clean, is_visible
from nlpkit.generation.completion import Completion, FinishReason, Usage
from nlpkit.generation.context import Context


class StreamingReply:
    """Pieces of text as they come. What was read when it ends, is stopped, fails, or when its reader goes away, is saved as the reply.

    `stop` and `close` may be called from another thread than the reader's.
    """

    def __init__(
        self,
        message: ChatMessage,
        answer: Completion,
        save: Callable[[str, FinishReason], ChatMessage],
        done: Callable[[bool], None],
    ) -> None:
        self.message = message
        """The user's turn that is answered."""
        self.reply: ChatMessage | None = None
        """The answer as it was saved; None before the end, and where nothing came."""
        self._answer = answer
        self._save = save
        self._done = done
        self._pieces: list[str] = []
        self._ended = False
        self._finish: FinishReason | None = None
        self._lock = threading.RLock()

    @property
    def context(self) -> Context | None:
        """What of the conversation the bot sees; None where a server decides."""
        return self._answer.context

    @property
    def usage(self) -> Usage | None:
        """What it cost; None before the end."""
        return self._answer.usage

    @property
    def finish(self) -> FinishReason | None:
        """Why it ended; None before the end."""
        return self._finish or self._answer.finish

    @property
    def text(self) -> str:
        """What was read so far."""
        return "".join(self._pieces)

    def __iter__(self) -> Iterator[str]:
        """The pieces."""
        return self

    def __next__(self) -> str:
        """The next piece."""
        with self._lock:
            if self._ended:
                raise StopIteration
            try:
                piece = next(self._answer)
            except StopIteration:
                self._end(self._answer.finish or "stop")
                raise
            except BaseException:
                self._end("stopped")
                raise
            self._pieces.append(piece)
            return piece

    def stop(self) -> None:
        """End the answer and its computing; who reads on comes to its end, and it is saved as stopped."""
        self._answer.stop()

    def close(self) -> None:
        """Nobody reads on: the computing ends, and what was read is saved as stopped."""
        self._answer.close()
        with self._lock:
            self._end("stopped")

    def __enter__(self) -> StreamingReply:
        """The answer itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def __del__(self) -> None:
        """Close it; a reader that forgot it must not hold the conversation for ever."""
        with contextlib.suppress(Exception):
            self.close()

    def _end(self, finish: FinishReason) -> None:
        if self._ended:
            return
        self._ended, self._finish = True, finish  # the bot may notice later that nobody reads on
        try:
            # A model may spell control characters too
            text = clean(self.text, len(self.text), what="the reply")
            if is_visible(text):
                self.reply = self._save(text, finish)
        finally:
            self._done(self.reply is not None)
