"""Times and memory of the demo's list of conversations: with 100 conversations, and with 10,000.

Each store is in a process of its own. The calls are those of the page: list, search, open.

Example: python -m benchmarks.chat_store --chats 100 10000
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from benchmarks.machine import Machine, run_child
from benchmarks.results import FOLDER, save, table
from nlpkit.chat.store import Store
from nlpkit.errors import NlpkitError

CHATS = (100, 10_000)
PAGE = 50
"""Conversations that the page lists at first."""

MESSAGES = 20
WORDS = 40
"""Words of a message."""

VOCABULARY = 5_000
LIST = f"list, the first {PAGE}"
SEARCHES = {
    "search, a rare word": "needle",
    "search, a word in every 10th message": "often",
    "search, the beginning of a word": "of",
    "search, two words": "often needle",
    "search, an emoji": "🔑",
}
"""Queries by name; `fill` says how often each word occurs."""


@dataclass(frozen=True, kw_only=True)
class StoreTimes:
    """What the calls took on one store, in milliseconds: the median of all rounds."""

    chats: int
    file_mb: float
    milliseconds: dict[str, float]
    memory_mb: float
    """The most memory of the process that was resident at once."""


def fill(path: Path, chats: int, *, seed: int = 0) -> None:
    """Write a store of conversations of 20 messages of 40 words each; every 500th holds a rare word.

    Rows are written without the checks of `Store.append`, which would take minutes.
    """
    draw = random.Random(seed)
    words = ["".join(draw.choices("abcdeghijklmnprstuvw", k=draw.randint(2, 9))) for _ in range(VOCABULARY)]
    shares = [1 / rank for rank in range(1, VOCABULARY + 1)]
    Store.open(path).close()
    database = sqlite3.connect(path)
    for chat in range(1, chats + 1):
        texts = [draw.choices(words, shares, k=WORDS) for _ in range(MESSAGES)]
        for text in texts[3::10]:
            text[20] = "often"
        if chat % 500 == 7:
            texts[13][30:] = ["needle", "🔑"]
        last = chat * MESSAGES
        database.execute(
            "INSERT INTO chats VALUES (?, ?, '', ?, '', 'bench', '{}', ?, ?, ?, 0)",
            (chat, f"{chat:024x}", " ".join(texts[0][:8]), last, chat, chat),
        )
        database.executemany(
            "INSERT INTO messages (number, id, chat, parent, role, text, created) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    number := last - MESSAGES + 1 + index, f"{number:024x}", chat,
                    number - 1 if index else None, "assistant" if index % 2 else "user",
                    " ".join(text), chat,
                )
                for index, text in enumerate(texts)
            ],
        )  # fmt: skip
    database.commit()
    database.close()


def measure(path: Path, rounds: int) -> StoreTimes:
    """Open the store, and time the calls of the page."""
    began = time.perf_counter()
    with Store.open(path) as store:
        took = {"open the store": [time.perf_counter() - began]}
        ids = [f"{chat:024x}" for chat in range(1, int(path.stem) + 1)]
        draw = random.Random(1)
        calls: dict[str, Callable[[], object]] = {
            LIST: partial(store.summaries, "", limit=PAGE + 1),
            **{name: partial(store.summaries, "", query, limit=PAGE + 1) for name, query in SEARCHES.items()},
            "open a conversation": lambda: store.read(draw.choice(ids), ""),
            "find the message in it": lambda: store.matches(draw.choice(ids), "", "often"),
            "pin": lambda: store.pin(draw.choice(ids), "", draw.random() < 0.5),
        }
        for _ in range(rounds):
            for name, call in calls.items():
                began = time.perf_counter()
                call()
                took.setdefault(name, []).append(time.perf_counter() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    return StoreTimes(
        chats=len(ids),
        file_mb=path.stat().st_size / 1e6,
        milliseconds={name: 1000 * statistics.median(seconds) for name, seconds in took.items()},
        memory_mb=peak,
    )


def bench(chats: Sequence[int], *, rounds: int, results: Path, talk: Callable[[str], None]) -> None:
    """Measure, and write chat_store.json and chat_store.md.

    Raises:
        NlpkitError: a child process failed.
    """
    machine = Machine()
    measured: list[StoreTimes] = []
    with tempfile.TemporaryDirectory() as folder:
        for count in chats:
            path = Path(folder) / f"{count}.sqlite"
            fill(path, count)
            words = ["-m", "benchmarks.chat_store", "--measure", str(path), "--rounds", str(rounds)]
            measured.append(times := StoreTimes(**json.loads(run_child(words, threads=1).output)))
            talk(
                f"{count:,} conversations: {times.memory_mb:,.0f} MB, list {times.milliseconds[LIST]:.1f} ms"
            )
    names = measured[0].milliseconds
    cells = [
        *((f"{name}, ms", *(f"{times.milliseconds[name]:,.1f}" for times in measured)) for name in names),
        ("memory of the process, MB", *(f"{times.memory_mb:,.0f}" for times in measured)),
        ("file, MB", *(f"{times.file_mb:,.1f}" for times in measured)),
    ]
    head = ("Conversations of 20 messages", *(f"{times.chats:,}" for times in measured))
    record = {"rounds": rounds, "stores": [asdict(times) for times in measured]}
    title = "The demo's list of conversations"
    talk(save(results, "chat_store", record, title=title, machine=machine, lines=table(head, cells)))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--chats", type=int, nargs="+", default=list(CHATS))
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--results", type=Path, default=FOLDER, help="the folder for the results")
    parser.add_argument("--measure", type=Path, help="measure this store in this process, and print JSON")
    args = parser.parse_args(arguments)
    try:
        if args.measure:
            print(json.dumps(asdict(measure(args.measure, args.rounds))))
        else:
            bench(args.chats, rounds=args.rounds, results=args.results, talk=print)
    except NlpkitError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
