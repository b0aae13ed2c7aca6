"""Tweets that the built-in classifier was not trained on, by topic, and what two readers answer to them.

Its training drew some of the tweets by its seed. The others are the world of `group_promises` and
`cascade_promises`.
"""

from __future__ import annotations

import json
import random
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.sentences import tfidf
from nlpkit.classifiers.classifier import Classifier, default_run
from nlpkit.config import read_config
from nlpkit.data.examples import LabeledText
from nlpkit.data.records import read_records
from nlpkit.sources import resolve
from nlpkit.trust.calibration_rows import CalibrationRows, calibration_rows, rows_of

SOURCE = "tweets"
FAST_ROWS = 2_000
"""Tweets that the fast reader is trained on."""
TOPICS: Mapping[str, str] = {
    "airlines": r"@(united|usairways|americanair|southwestair|jetblue|virginamerica|delta)\b",
    "self-driving cars": r"driverless|self.?driving|autonomous|google.? car",
    "Apple": r"\bapple\b|iphone|ipad|#aapl",
    "football": r"deflate|brady|belichick|super ?bowl|patriots|nfl",
}
"""Topic -> a pattern that its tweets match, tried in this order; the rest is OTHER."""
OTHER = "other"


def unseen(count: int, *, seed: int) -> tuple[list[LabeledText], list[LabeledText]]:
    """Return tweets that the built-in classifier was trained on or chosen by, and so many others, drawn by
    the seed. The group of each is its topic.
    """
    tweets = [
        LabeledText(
            text=str(record.fields["text"]),
            label=str(record.fields["label"]),
            group=topic_of(str(record.fields["text"])),
        )
        for record in read_records(resolve(SOURCE, kind="data"))
    ]
    tree, _ = read_config(default_run().config, [])
    (limit,) = (source["limit"] for source in tree["data"]["train"] if source["source"] == SOURCE)
    chosen = set(random.Random(tree["seed"]).sample(range(len(tweets)), limit))
    draws = random.Random(seed)
    seen = draws.sample([tweet for row, tweet in enumerate(tweets) if row in chosen], limit)
    known = {_letters(tweet.text) for tweet in seen}
    others = [tweet for tweet in tweets if _letters(tweet.text) not in known]
    return seen, draws.sample(others, count)


@dataclass(frozen=True, kw_only=True)
class World:
    """What two readers answer to the same tweets."""

    fast: CalibrationRows
    """Logistic regression on TF-IDF."""
    slow: CalibrationRows
    """The built-in classifier; its rows have groups."""


def world(count: int, *, seed: int) -> World:
    """Return the answers to so many tweets that neither was trained on."""
    seen, tweets = unseen(count, seed=seed)
    slow = by_built_in(tweets)
    return World(fast=by_tfidf(seen[:FAST_ROWS], tweets, slow.labels), slow=slow)


def by_built_in(tweets: Sequence[LabeledText]) -> CalibrationRows:
    """Return what the built-in classifier answers."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tweets.jsonl"
        rows = ({"text": tweet.text, "label": tweet.label, "topic": tweet.group} for tweet in tweets)
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return calibration_rows(default_run(), Classifier.load(), file, by="topic")


def by_tfidf(
    seen: Sequence[LabeledText], tweets: Sequence[LabeledText], labels: Sequence[str]
) -> CalibrationRows:
    """Return what logistic regression on TF-IDF answers, trained on nine tenths of `seen`."""
    cut = len(seen) * 9 // 10
    probabilities, _ = tfidf(seen[:cut], seen[cut:], [tweet.text for tweet in tweets])
    answers = [
        {"label": max(each, key=lambda name: each[name]), **{f"p_{name}": p for name, p in each.items()}}
        for each in probabilities
    ]
    return rows_of(SOURCE, answers, [str(tweet.label) for tweet in tweets], tuple(labels))


def topic_of(text: str) -> str:
    matching = (topic for topic, words in TOPICS.items() if re.search(words, text, re.IGNORECASE))
    return next(matching, OTHER)


def _letters(text: str) -> str:
    """Return what near-equal tweets, such as retweets, share: the words without links."""
    return " ".join(re.findall(r"[a-z']+", re.sub(r"http\S+|\brt\b", "", text.lower())))
