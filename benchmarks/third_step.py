"""A third, deliberate step for what a classifier doubts: several readings of a text, and their mean or vote.

Takes the predictions that an evaluation left in a run. The texts of which the run is least certain are read
again by parts, without some of their words, and with other spellings.

Example: python -m benchmarks.third_step runs/mine test
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pyarrow import parquet

from benchmarks.machine import Machine
from benchmarks.results import FOLDER, earlier_tasks, save, table
from nlpkit.classifiers.classifier import Classifier

DOUBTED = (0.1, 0.2, 0.3)
"""Shares of the texts, the least certain first."""

RESAMPLES = 2_000


def parts(text: str, random: np.random.Generator) -> list[str]:
    """Return its sentences and clauses of two words or more; the text where it has none."""
    pieces = re.split(r"(?<=[.!?;,])\s+|\s+(?=but\b)|\n", text)
    return [piece.strip() for piece in pieces if len(piece.split()) > 1] or [text]


def gaps(text: str, random: np.random.Generator) -> list[str]:
    """Return eight copies, each without about a seventh of the words."""
    words = text.split()
    return [" ".join(word for word in words if random.random() > 0.15) or text for _ in range(8)]


def spellings(text: str, random: np.random.Generator) -> list[str]:
    """Return it in lower case, without punctuation, without mentions and hashtags, and without `#`."""
    bare = re.sub(r"[^\w\s']", " ", text), re.sub(r"[@#]\w+", "", text)
    return [text.lower(), *(each.strip() or text for each in bare), text.replace("#", "")]


READINGS: Mapping[str, Callable[[str, np.random.Generator], list[str]]] = {
    "parts": parts, "gaps": gaps, "spellings": spellings,
}  # fmt: skip


def measure(
    texts: Sequence[str],
    truth: np.ndarray,
    first: np.ndarray,
    read: Callable[[list[str]], np.ndarray],
    *,
    seed: int,
) -> list[dict[str, Any]]:
    """Return what each way wins in accuracy on the doubted texts, a row for each share and way.

    Args:
        texts: all texts.
        truth: (texts,): numbers of labels.
        first: (texts, labels): the probabilities of the first reading.
        read: returns (texts, labels) for further texts.
        seed: draws the words that are left out, and the resamples.
    """
    random = np.random.default_rng(seed)
    certain = first.max(axis=1)
    rows = []
    for share in DOUBTED:
        doubted = np.flatnonzero(certain <= np.quantile(certain, share))
        before = first[doubted].argmax(axis=1) == truth[doubted]
        for name, way in READINGS.items():
            again = [way(texts[number], random) for number in doubted.tolist()]
            ends = np.cumsum([len(each) for each in again])
            further = read([text for each in again for text in each])
            pairs = list(zip(first[doubted], np.split(further, ends[:-1]), strict=True))
            answers = {
                "mean": np.array([(own + new.mean(axis=0)).argmax() for own, new in pairs]),
                "vote": np.array([_vote(own, new) for own, new in pairs]),
            }
            for how, given in answers.items():
                won = (given == truth[doubted]).astype(float) - before
                drawn = won[random.integers(0, len(won), size=(RESAMPLES, len(won)))].mean(axis=1)
                low, high = np.quantile(drawn, (0.025, 0.975))
                rows.append({
                    "doubted": share, "way": name, "joined": how, "readings": float(ends[-1] / len(again)),
                    "accuracy": float(before.mean()), "won": float(won.mean()),
                    "lowest": float(low), "highest": float(high),
                })  # fmt: skip
    return rows


def _vote(own: np.ndarray, new: np.ndarray) -> int:
    """Return the label that most readings give; the first reading's probabilities decide a tie."""
    votes = np.bincount([own.argmax(), *new.argmax(axis=1)], minlength=len(own))
    return int((votes + 0.5 * own).argmax())


def bench(run: Path, part: str, *, seed: int, results: Path, talk: Callable[[str], None]) -> dict[str, Any]:
    """Measure, add to third-step.json and third-step.md, and return the run's results."""
    classifier = Classifier.load(run)
    labels = list(classifier.predict(["one text"])[0].probabilities)
    held = parquet.read_table(run / "evaluation" / f"{part}.predictions.parquet").to_pylist()
    first = np.array([[row[f"p_{label}"] for label in labels] for row in held])
    truth = np.array([labels.index(row["truth"]) for row in held])

    def read(texts: list[str]) -> np.ndarray:
        rows = (answer.row() for answer in classifier.predict(texts))
        return np.array([[row[f"p_{label}"] for label in labels] for row in rows])

    measured = measure([row["text"] for row in held], truth, first, read, seed=seed)
    record = {
        "rows": len(held), "accuracy": float((first.argmax(axis=1) == truth).mean()), "measured": measured
    }  # fmt: skip
    tasks = {**earlier_tasks(results, "third-step"), run.name: record}
    page = save(
        results, "third-step", {"tasks": tasks}, title="A third step", machine=Machine(), lines=_page(tasks),
        timed=False,
    )  # fmt: skip
    talk(page)
    return record


def _page(tasks: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    head = (
        "doubted",
        "read again by",
        "joined by",
        "readings a text",
        "accuracy of the first",
        "won, in points",
    )
    for name, task in tasks.items():
        rows = [
            (
                f"{row['doubted']:.0%}", row["way"], row["joined"], f"{row['readings']:.1f}",
                f"{row['accuracy']:.1%}",
                f"{100 * row['won']:+.1f} ({100 * row['lowest']:+.1f} to {100 * row['highest']:+.1f})",
            )
            for row in task["measured"]
        ]  # fmt: skip
        about = f"`{name}`: {task['rows']:,} texts, accuracy {task['accuracy']:.1%}."
        lines += ["", about, "", *table(head, rows)]
    return lines[1:]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.third_step", description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("part", nargs="?", default="test", help="test or validation")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--results", type=Path, default=FOLDER)
    asked = parser.parse_args(arguments)
    bench(asked.run, asked.part, seed=asked.seed, results=asked.results, talk=print)


if __name__ == "__main__":
    main()
