"""`nlpkit serve` or the demo with a bot that says back what it heard: its arguments are KIND STORE PORT.

Only the model is replaced, so that each client can recognize the reply to its own message.
"""

from __future__ import annotations

import sys
import tempfile
from collections import deque
from pathlib import Path
from typing import Any
from unittest.mock import patch

import tests.browser.fake
import tests.fakes

PLENTY = 10**6
"""Requests a minute: all clients of a test have one address."""


class Echo(tests.fakes.FakeBot):
    """Keeps none of its calls, so that what grows is the server's."""

    def __init__(self) -> None:
        super().__init__("echo", delay=0.01)
        none: Any = deque(maxlen=0)
        self.asked = self.samplings = self.formats = self.sessions = self.answers = none


class DemoEcho(tests.browser.fake.FakeBot):
    def __init__(self) -> None:
        super().__init__("echo")
        none: Any = deque(maxlen=1)
        self.asked = none


def serve(store: Path, port: str) -> None:
    from nlpkit.cli.app import main

    limits = ("--classifier", "none", "--rate", str(PLENTY))
    sys.argv = ["nlpkit", "serve", "--port", port, "--store", str(store), *limits]
    with patch("nlpkit.chat.serving.load_chat_model", return_value=Echo()):
        main()


def demo(store: Path, port: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        from demo.app import build
        from demo.gradio_server import quiet_gradio, serve

        quiet_gradio(Path(folder))
        from demo.guard import DemoLimits
        from demo.model_pool import ModelPool
        from nlpkit.chat.store import Store

        scorer = tests.browser.fake.FakeScorer()
        pool = ModelPool(Store.open(store), {"echo": DemoEcho}, scorer)
        limits = DemoLimits(messages_a_minute=PLENTY)
        page = build(pool, scorer, runs=Path(folder) / "runs", folder=Path(folder) / "scored", limits=limits)
        serve(page, host="127.0.0.1", port=int(port), limits=limits)


if __name__ == "__main__":
    {"serve": serve, "demo": demo}[sys.argv[1]](Path(sys.argv[2]), sys.argv[3])
