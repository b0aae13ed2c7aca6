"""Close the rating loop from an installed wheel: chat, rate, export, train on the ratings, promote or refuse.

Everything happens in a folder of its own, with an empty home and nothing of the checkout but the wheel and
`constraints.txt`. Each step's seconds are printed. Run it with `make wheel`; it takes some minutes.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]

QUESTIONS = [
    f"What is {thing}?"
    for thing in (
        *("a dog", "a bridge", "tea", "rain", "the sea", "bread", "a bicycle", "the moon"),
        *("snow", "a garden", "music", "a train", "coffee", "a river", "a book", "a lamp"),
    )
]
"""Each in a conversation of its own: a conversation's rows are never split."""

RATINGS = ("/rate good", "/rate bad too long")

TRAIN = "data.train={source: ratings.jsonl, conversation: conversation}"


class Folder:
    """An empty folder with an empty home, in which commands run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.work, home = path / "work", path / "home"
        self.work.mkdir()
        home.mkdir()
        # How pip reaches its index and how many threads there are is the machine's; nothing else is kept
        names = [name for name in os.environ if name.startswith("PIP_") or name == "OMP_NUM_THREADS"]
        kept = {name: os.environ[name] for name in names}
        self.environment = {"PATH": os.defpath, "HOME": str(home), "TMPDIR": str(path), **kept}

    def run(self, step: str, *words: str, typed: str = "") -> str:
        """Run a command, print its seconds, and return what it wrote; a failure ends the loop."""
        began = time.monotonic()
        done = subprocess.run(
            words, cwd=self.work, env=self.environment, input=typed, capture_output=True, text=True
        )
        print(f"{time.monotonic() - began:7.1f} s  {step}", flush=True)
        if done.returncode:
            sys.exit(f"{step}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout + done.stderr


def install(folder: Folder) -> str:
    """Build the wheel, install it into an empty environment, and return the program's path."""
    python = folder.path / "venv" / "bin" / "python"
    folder.run("python -m venv", sys.executable, "-m", "venv", str(python.parents[1]))
    pip = (str(python), "-m", "pip")
    folder.run("pip wheel --no-deps", *pip, "wheel", "-q", "--no-deps", "-w", str(folder.path), str(CHECKOUT))
    (wheel,) = folder.path.glob("nlpkit-*.whl")
    constraints = str(CHECKOUT / "constraints.txt")
    folder.run("pip install", *pip, "install", "-q", "-c", constraints, f"{wheel}[preference]")
    where = folder.run(
        "import nlpkit", str(python), "-c", "import nlpkit; print(nlpkit.__file__)"
    ).splitlines()[-1]
    assert where.startswith(str(python.parents[1])), f"the checkout was imported: {where}"
    return str(python.with_name("nlpkit"))


def close_loop(folder: Folder, nlpkit: str) -> str:
    """Chat, rate, export and train; return the verdict on the new run."""
    typed = "".join(f"{question}\n{RATINGS[number % 2]}\n/new\n" for number, question in enumerate(QUESTIONS))
    chat = (nlpkit, "chat", "--store", "ratings.sqlite", "--max-tokens", "24")
    talk = folder.run("nlpkit chat, /rate", *chat, typed=typed)
    assert talk.count("rated ") == len(QUESTIONS), talk

    output = folder.run("nlpkit feedback", nlpkit, "feedback", "ratings.sqlite", "-o", "ratings.jsonl")
    # A liked reply that reached its 24 tokens is left out, and said to be
    counts = [int(number) for number in re.findall(r"^(\d+) (?:rows?|left out)", output, re.MULTILINE)]
    assert sum(counts) == len(QUESTIONS), output

    train = (nlpkit, "train", "preference", "run=default-bot", TRAIN, "name=liked", "training.epochs=1")
    output = folder.run("nlpkit train preference", *train)
    run, promoted = folder.work / "runs" / "liked", folder.work / "runs" / "promoted.json"
    verdict = json.loads((run / "run.json").read_text(encoding="utf-8"))["data"]["comparison"]["verdict"]
    assert f"{verdict}: " in output, output
    assert promoted.exists() == (verdict == "promoted")

    answers = promoted if promoted.exists() else run
    talk = folder.run("nlpkit chat with the new run", nlpkit, "chat", str(answers), typed="hello\n")
    assert talk.strip(), "the new run said nothing"
    return str(verdict)


def main() -> None:
    """Print the seconds of each step, and the verdict."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as path:
        folder = Folder(Path(path))
        verdict = close_loop(folder, install(folder))
    print(f"{time.monotonic() - began:7.1f} s  in all: the new run was {verdict}")


if __name__ == "__main__":
    main()
