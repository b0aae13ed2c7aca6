"""The demo with a scripted model and classifier: `python -m tests.browser.fake STORE RUNS PORT [USERS]`."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from nlpkit.data.examples import Conversation
from nlpkit.generation.completion import FinishReason, Usage
from nlpkit.generation.context import Context
from nlpkit.generation.sampling import Sampling
from nlpkit.tasks.answers.one_label import OneLabel
from nlpkit.tasks.answers.showing import Shown
from nlpkit.tasks.prediction import Prediction
from nlpkit.trust.explanation import Explanation, Word
from nlpkit.trust.faithfulness import Faithfulness, Scores

SLOW = "tell me a long story"
SEES = 6
"""Turns that the bot reads."""


class FakeAnswer:
    """Words, one by one."""

    def __init__(self, words: Sequence[str], pause: float, context: Context) -> None:
        self.context: Context | None = context
        self.usage: Usage | None = None
        self.finish: FinishReason | None = None
        self._words: Iterator[str] = iter(words)
        self._pause = pause
        self._stopped = threading.Event()
        self.made = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._stopped.wait(self._pause):
            self.finish = "stopped"
            raise StopIteration
        try:
            word = next(self._words)
        except StopIteration:
            self.finish = self.finish or "stop"
            raise
        self.made += 1
        return word

    def stop(self) -> None:
        self._stopped.set()

    def close(self) -> None:
        self.stop()


class FakeBot:
    """Says back what was said, with the number of the turn and, where it may draw, of the try."""

    def __init__(self, name: str = "echo", pause: float = 0.01, late: float = 0.0) -> None:
        """`late`: seconds before it accepts a message."""
        self.name = name
        self.pause = pause
        self.late = late
        self.asked: list[Conversation] = []

    window = 500

    def tokens(self, text: str) -> int:
        return len(text.split())

    def stream(
        self,
        conversation: Conversation,
        *,
        sampling: Sampling | None = None,
        session: str = "",
        reply_format: object = None,
    ) -> FakeAnswer:
        time.sleep(self.late)
        self.asked.append(conversation)
        said = conversation.turns[-1].text
        count = len(conversation.turns)
        start = max(0, count - SEES)
        context = Context(
            seen=tuple(range(start, count)),
            recalled=(),
            dropped=tuple(range(start)),
            tokens=20 * (count - start) + 10,
            token_budget=200,
        )
        if conversation.turns[-1].role == "assistant":
            begun = len(said.split())
            return FakeAnswer([f" word{begun + number}" for number in range(3)], self.pause, context)
        if said == SLOW:
            return FakeAnswer([f"word{number} " for number in range(2000)], 0.05, context)
        persona = f"[{conversation.system}] " if conversation.system else ""
        words = f"{persona}{self.name} {len(self.asked)} heard: {said}"
        return FakeAnswer([words[at : at + 7] for at in range(0, len(words), 7)], self.pause, context)


class FakeScorer:
    """Good words raise, bad words lower."""

    name = "fake"
    fingerprint = "fake"
    columns: ClassVar = {"label": "string", "score": "float", "p_negative": "float", "p_positive": "float"}

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        return [self._one(text) for text in texts]

    def shown(self, answer: Prediction) -> Shown:
        return OneLabel(labels=("negative", "positive"), ordered=True).shown(answer)

    def _one(self, text: str) -> Prediction:
        words = text.lower().split()
        time.sleep(0.02 * words.count("slowly"))
        score = sum(word.strip(".,!") in ("good", "great", "lovely", "love") for word in words)
        score -= sum(word.strip(".,!") in ("bad", "awful", "sad", "hate") for word in words)
        share = max(-0.9, min(0.9, 0.6 * score))
        chance = {"negative": (1 - share) / 2, "positive": (1 + share) / 2}
        return Prediction(label="positive" if share > 0 else "negative", score=share, probabilities=chance)


class FakeExplainer:
    """Good words add 1, bad words take 0.5; a word with markup was not read."""

    def check(self, text: str, where: str) -> int:
        return len(text.split())

    def explain(self, texts: Sequence[str]) -> Iterator[list[Explanation]]:
        scores = Scores(comprehensiveness=0.0, sufficiency=0.0, deletion=0.0)
        for text in texts:
            (answer,) = FakeScorer().predict([text])
            yield [
                Explanation(
                    text=text,
                    about=str(answer.label),
                    method="occlusion",
                    answer=answer,
                    headline=str(answer.label),
                    share=0.8,
                    words=tuple(
                        Word(start=found.start(), end=found.end(), text=found[0], weight=worth(found[0]))
                        for found in re.finditer(r"\S+", text)
                    ),
                    base=0.0,
                    keeps=None,
                    changes=None,
                    faithfulness=Faithfulness(scores=scores, random=scores),
                )
            ]


def worth(word: str) -> float | None:
    return {"lovely": 1.0, "good": 1.0, "awful": -0.5, "bad": -0.5}.get(word, None if "<" in word else 0.0)


def end_with(parent: int) -> None:
    """End when the tests have ended, however they did."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(0)


def main() -> None:
    threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    store, runs, port = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    from demo.guard import DemoLimits
    from demo.login import checker
    from nlpkit.chat.store import Store
    from nlpkit.generation.remote import RemoteBot

    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        from demo.app import build
        from demo.gradio_server import quiet_gradio, serve

        quiet_gradio(Path(folder))
        from demo.model_pool import ModelPool

        # Nobody listens on port 9
        chat_models = {
            "echo": FakeBot,
            "other": lambda: FakeBot("other"),
            "late": lambda: FakeBot("late", 0.1, late=0.6),
            "gone": lambda: RemoteBot("http://127.0.0.1:9/v1", "parrot"),
        }
        import demo.score_tab
        from demo.servers import Servers

        demo.score_tab.explainer_of = lambda scorer: FakeExplainer()  # type: ignore[assignment,return-value]

        opened, file = Store.open(store), store.with_name("servers.json")
        # With a login the page connects no servers
        servers = Servers(file if len(sys.argv) <= 4 else None)
        pool = ModelPool(
            opened, lambda: chat_models | servers.offer, FakeScorer(), can_connect=servers.can_connect
        )
        limits = DemoLimits(messages_a_minute=1000, scorings_a_minute=1000, rows=500)
        scored = Path(folder) / "scored"
        page = build(pool, FakeScorer(), runs=runs, folder=scored, limits=limits, servers=servers)
        print(f"built in {time.perf_counter() - begun:.1f} s", flush=True)
        users = checker(Path(sys.argv[4])) if len(sys.argv) > 4 else None
        serve(page, host="127.0.0.1", port=port, limits=limits, check=users, mcp=users is None)


if __name__ == "__main__":
    main()
