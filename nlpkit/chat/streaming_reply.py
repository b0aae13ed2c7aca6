"""A reply on its way from the chat model to a reader: read in chunks, and saved while it grows."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from nlpkit.chat.messages import INTERRUPTED, ChatMessage
from nlpkit.chat.text_limits import clean, is_visible
from nlpkit.generation.completion import Completion, FinishReason, Usage
from nlpkit.generation.context import Context

SAVE_EVERY = 0.05
"""Seconds between two saves of a growing reply: as often as a page is updated."""

SAVE_SHARE = 0.1
"""Saving takes at most this share of the time, on a slow disk too."""


class StreamingReply:
    """An iterator over chunks of text. The text so far is saved as it grows, and however it ends.

    `stop` and `close` may be called from another thread than the reader's.
    """

    def __init__(
        self,
        message: ChatMessage,
        answer: Completion,
        save: Callable[[str, str], ChatMessage],
        done: Callable[[], None],
        *,
        begun: str = "",
    ) -> None:
        """Begin to read.

        Args:
            message: the user's message that is answered.
            answer: the chat model's reply.
            save: saves the text so far and how it ended.
            done: is called once, at the end.
            begun: the text that the chat model continues.
        """
        self.message = message
        """The user's message that is answered."""
        self.reply: ChatMessage | None = None
        """The reply as it was last saved; None before that, and if no text came."""
        self._answer = answer
        self._save = save
        self._done = done
        self._begun = begun
        self._chunks = [begun]
        self._save_at = 0.0
        self._ended = False
        self._finish: FinishReason | None = None
        self._lock = threading.RLock()

    @property
    def context(self) -> Context | None:
        """Return which turns the chat model sees; None if a server decides."""
        return self._answer.context

    @property
    def usage(self) -> Usage | None:
        """Return token counts and times; None before the end."""
        return self._answer.usage

    @property
    def finish(self) -> FinishReason | None:
        """Return how it ended; None before the end, and if it was interrupted."""
        return self._finish or self._answer.finish

    @property
    def text(self) -> str:
        """Return the text so far."""
        return "".join(self._chunks)

    @property
    def saved(self) -> str:
        """Return the text that is saved: what no kill can take away."""
        return self.reply.text if self.reply else self._begun

    def __iter__(self) -> Iterator[str]:
        """Return the iterator itself."""
        return self

    def __next__(self) -> str:
        """Return the next chunk."""
        with self._lock:
            if self._ended:
                raise StopIteration
            try:
                chunk = next(self._answer)
                self._chunks.append(chunk)
                if time.monotonic() >= self._save_at:
                    self._save_text(INTERRUPTED)
            except StopIteration:
                self._end(self._answer.finish or "stop")
                raise
            except BaseException:
                self._answer.close()
                self._end(None)
                raise
            return chunk

    def stop(self) -> None:
        """Stop generation; the reader reaches the end, and the reply is saved as stopped."""
        self._answer.stop()

    def close(self) -> None:
        """Stop generation, and save the text so far as stopped, because nobody reads on."""
        self._answer.close()
        with self._lock:
            self._end("stopped")

    def __enter__(self) -> StreamingReply:
        """Return the reply itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the reply."""
        self.close()

    def __del__(self) -> None:
        """Close the reply, so that a reader who forgot it does not lock the conversation forever."""
        with contextlib.suppress(Exception):
            self.close()

    def _end(self, finish: FinishReason | None) -> None:
        """Save the reply with its end; None: it was interrupted by an error."""
        if self._ended:
            return
        self._ended, self._finish = True, finish  # the chat model may notice later that nobody reads on
        try:
            self._save_text(finish or INTERRUPTED)
        finally:
            self._done()

    def _save_text(self, finish: str) -> None:
        began = time.monotonic()
        # A chat model may write control characters too
        text = clean(self.text, len(self.text), what="the reply")
        if is_visible(text):
            self.reply = self._save(text, finish)
        now = time.monotonic()
        self._save_at = now + max(SAVE_EVERY, (now - began) / SAVE_SHARE)
