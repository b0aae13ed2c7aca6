"""Bots and a classifier that answer at once and by rule, for tests of what stands around the real ones."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

from nlpkit.data.examples import Conversation
from nlpkit.errors import NlpkitError
from nlpkit.generation.completion import FinishReason, Usage
from nlpkit.generation.context import Context
from nlpkit.generation.reply_format import ReplyFormat
from nlpkit.generation.sampling import Sampling
from nlpkit.tasks.encoding import Encoded
from nlpkit.tasks.prediction import Prediction


def echo(conversation: Conversation, sampling: Sampling) -> str:
    """Repeat the user's last text after the number of turns, so that mixed up conversations show."""
    return f"{len(conversation.turns)}: {conversation.turns[-1].text}"


class FakeAnswer:
    """A text streamed word by word; `delay` seconds before each word, and an error instead of one."""

    def __init__(
        self,
        text: str,
        context: Context | None,
        delay: float,
        fails: tuple[int, NlpkitError] | None,
        most: int,
    ) -> None:
        words = text.split(" ")
        self._pieces = [word if index == 0 else f" {word}" for index, word in enumerate(words)]
        self.context = context
        self.usage: Usage | None = None
        self.finish: FinishReason | None = None
        self.stopped = threading.Event()
        self._delay, self._fails, self._most = delay, fails, most
        self._given = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self.finish is not None:
            raise StopIteration
        if self._fails and self._given == self._fails[0]:
            raise self._fails[1]
        if self._delay:
            self.stopped.wait(self._delay)
        if self.stopped.is_set():
            self._end("stopped")
        elif self._given == len(self._pieces):
            self._end("stop")
        elif self._given == self._most:
            self._end("length")
        else:
            self._given += 1
            return self._pieces[self._given - 1]
        raise StopIteration

    def _end(self, finish: FinishReason) -> None:
        self.finish = finish
        self.usage = Usage(
            prompt_tokens=1,
            cached_tokens=0,
            new_tokens=self._given,
            first_token_seconds=0.0,
            seconds=time.perf_counter(),
        )

    def stop(self) -> None:
        self.stopped.set()

    def close(self) -> None:
        self.stopped.set()


class FakeBot:
    """A chat model that answers by a rule.

    It keeps its calls in `asked`, `samplings`, `formats`, `sessions` and `answers`.
    `fails`: (the number of chunks before the error, the error). `refuses`: the error that `stream` raises.
    """

    def __init__(
        self, name: str = "fake", *, says: Callable[[Conversation, Sampling], str] = echo, delay: float = 0.0,
        fails: tuple[int, NlpkitError] | None = None, refuses: NlpkitError | None = None,
    ) -> None:  # fmt: skip
        self.name = name
        self.says, self.delay, self.fails, self.refuses = says, delay, fails, refuses
        self.asked: list[Conversation] = []
        self.samplings: list[Sampling] = []
        self.formats: list[ReplyFormat | None] = []
        self.sessions: list[str] = []
        self.answers: list[FakeAnswer] = []

    def stream(
        self,
        conversation: Conversation,
        *,
        sampling: Sampling,
        session: str = "",
        reply_format: ReplyFormat | None = None,
    ) -> FakeAnswer:
        if self.refuses is not None:
            raise self.refuses
        self.asked.append(conversation)
        self.samplings.append(sampling)
        self.formats.append(reply_format)
        self.sessions.append(session)
        count = len(conversation.turns)
        context = Context(seen=tuple(range(count)), recalled=(), dropped=(), tokens=count, token_budget=1000)
        answer = FakeAnswer(
            self.says(conversation, sampling), context, self.delay, self.fails, sampling.max_new_tokens
        )
        self.answers.append(answer)
        return answer


class FakeClassifier:
    """A classifier whose score is the mean of the scores of the known words; other words don't count."""

    WORDS: ClassVar = {"great": 0.9, "good": 0.6, "fine": 0.3, "dull": -0.3, "bad": -0.6, "awful": -0.9}

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        self.batches.append(list(texts))
        return [self._one(text) for text in texts]

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        return [Encoded(windows=[[1]], tokens=1, partial=False) for _ in texts]

    def _one(self, text: str) -> Prediction:
        found = [score for word in text.lower().split() if (score := self.WORDS.get(word.strip(".,!?")))]
        score = sum(found) / len(found) if found else 0.0
        up = (1 + score) / 2
        label = "positive" if score > 0.2 else "negative" if score < -0.2 else "neutral"
        return Prediction(label=label, score=score, probabilities={"negative": 1 - up, "positive": up})
