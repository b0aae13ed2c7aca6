"""Our own sentences that the default learns from share nothing with the half of the suites that judges it."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from pathlib import Path

from nlpkit.evaluation.behavior import SUITES, load_suite

FILE = Path(__file__).parents[3] / "recipes" / "data" / "plain-sentences.jsonl"
ROWS = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]


def pairs(text: str) -> set[tuple[str, str]]:
    words = re.findall(r"[a-z0-9']+", text.lower())
    return set(itertools.pairwise(words))


def test_the_sentences_are_distinct_and_hold_each_label() -> None:
    assert len({row["text"] for row in ROWS}) == len(ROWS) > 2000
    assert all(count > 300 for count in Counter(row["label"] for row in ROWS).values())
    assert {row["label"] for row in ROWS} == {"negative", "neutral", "positive"}


def test_no_sentence_is_one_of_the_suites_or_close_to_one_that_is_reported_on() -> None:
    learned = [pairs(row["text"]) for row in ROWS]
    texts = {row["text"] for row in ROWS}
    for name in SUITES:
        assert not texts & {case.text for case in load_suite(name, half=None).cases}
        for case in load_suite(name, half="report").cases:
            found = pairs(case.text)
            assert not any(len(found & other) / len(found | other) >= 0.6 for other in learned if other), (
                case.text
            )


def test_no_group_that_is_reported_on_is_named() -> None:
    groups = {case.group for case in load_suite("named-groups", half="report").cases if case.group}
    named = re.compile(rf"\b({'|'.join(map(re.escape, groups))})\b")
    assert not [row["text"] for row in ROWS if row["kind"] == "group" and named.search(row["text"])]
