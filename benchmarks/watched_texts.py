"""Real texts and what the built-in classifier answers to them, for `benchmarks.watch`."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from pathlib import Path

from benchmarks.texts import long_reviews
from benchmarks.tweets import unseen
from nlpkit.classifiers.classifier import Classifier
from nlpkit.files import write_whole

TWEETS, REVIEWS, TYPOS = 6_000, 600, 2_000
TYPO_SHARE = 0.3
"""Share of the words that get two letters exchanged."""


def with_typos(text: str, draws: random.Random) -> str:
    """Exchange two neighboring letters inside some words; links and names stay."""

    def swap(match: re.Match[str]) -> str:
        word = match[0]
        if draws.random() > TYPO_SHARE:
            return word
        at = draws.randrange(1, len(word) - 1)
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]

    return re.sub(r"(?<![\w@#/.])[A-Za-z]{4,}(?![\w/.])", swap, text)


def answered(path: Path, *, seed: int) -> dict[str, list[dict[str, object]]]:
    """Return texts of each kind with label and probabilities, from a file or computed into it.

    Args:
        path: JSON, made where it is missing.
        seed: draws the texts.
    """
    if path.is_file():
        kept: dict[str, list[dict[str, object]]] = json.loads(path.read_text(encoding="utf-8"))
        return kept
    _, tweets = unseen(TWEETS + TYPOS, seed=seed)
    draws = random.Random(seed)
    texts: dict[str, list[tuple[str, str]]] = {
        "tweets": [(tweet.text, str(tweet.label)) for tweet in tweets[:TWEETS]],
        "typos": [(with_typos(tweet.text, draws), str(tweet.label)) for tweet in tweets[TWEETS:]],
        "reviews": long_reviews(REVIEWS, seed=seed),
    }
    classifier = Classifier.load(threads=1)
    world = {name: _answers(classifier, rows) for name, rows in texts.items()}
    write_whole(path, json.dumps(world))
    return world


def _answers(classifier: Classifier, rows: Sequence[tuple[str, str]]) -> list[dict[str, object]]:
    answers = classifier.predict([text for text, _ in rows])
    return [
        {"text": text, "truth": label, **answer.row()}
        for (text, label), answer in zip(rows, answers, strict=True)
    ]
