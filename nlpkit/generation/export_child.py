"""Make the export of a chat model for `fast_runtime`, in a process of its own with low priority.

It reads the model from stdin, and writes what is wrong as the last line of stderr.
"""

from __future__ import annotations

import json
import os
import sys
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


def main() -> None:
    """Make the export."""
    if hasattr(os, "nice"):
        os.nice(10)
    try:
        make_export(**json.load(sys.stdin))
    except NlpkitError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
