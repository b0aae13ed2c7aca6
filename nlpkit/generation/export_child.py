"""Make the export of a chat model for `fast_runtime`, in a process of its own with low priority.

It reads the model from a line of stdin, ends when stdin does, and writes what is wrong as the last line of
stderr.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path

from nlpkit.errors import NlpkitError
from nlpkit.generation.chatbot import Chatbot
from nlpkit.generation.runtimes import FAST


def make_export(*, source: str, window: int | None, threads: int | None) -> None:
    """Make and verify the export of a run's folder, or of a base where a window is given."""
    if window is None:
        Chatbot.load(Path(source), runtime=FAST, threads=threads).close()
    else:
        Chatbot.default(source, window=window, runtime=FAST, threads=threads).close()


def _end_with_stdin() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Make the export."""
    if hasattr(os, "nice"):
        os.nice(10)
    model = json.loads(sys.stdin.readline())
    # An exit cleans up: it ends the exporter, and deletes the unfinished folder
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    try:
        make_export(**model)
    except NlpkitError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
