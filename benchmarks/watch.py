"""How often `nlpkit watch` gives false alarms, and how soon and how rightly it names planted changes.

Answers of the built-in classifier to tweets that it was not trained on stand for the world. References and
streams are drawn from them, with replacement; then other texts are drawn from some text on.

Example: python -m benchmarks.watch --answers answers.json
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import Machine
from benchmarks.results import FOLDER, save, table
from benchmarks.watched_texts import answered
from nlpkit.classifiers.classifier import Classifier
from nlpkit.watching.naming import CONFIDENCE_LOSS, COVARIATE_SHIFT, LABEL_SHIFT, diagnose
from nlpkit.watching.reference import Reference, TextAnswers
from nlpkit.watching.watcher import Watcher

LABELS = ("negative", "neutral", "positive")
REFERENCE, BEFORE, AFTER = 1_000, 1_000, 3_000
"""Rows of a reference, and texts of a stream before and after a change."""
QUIET = 3_000
"""Texts of a stream without a change."""
RATES = (0.01, 0.05)
MORE = 300
"""Texts after an alarm until the change is named again."""
SHIFTS: Mapping[str, tuple[str, float]] = {
    "label shift, 5 points": (LABEL_SHIFT, 0.05),
    "label shift, 10 points": (LABEL_SHIFT, 0.10),
    "label shift, 20 points": (LABEL_SHIFT, 0.20),
    "film reviews": (COVARIATE_SHIFT, 1.0),
    "film reviews, a fifth": (COVARIATE_SHIFT, 0.2),
    "typos in a third of the words": (COVARIATE_SHIFT, 1.0),
    "typos, in half of the texts": (COVARIATE_SHIFT, 0.5),
    "more doubtful tweets": (CONFIDENCE_LOSS, 1.6),
    "far more doubtful tweets": (CONFIDENCE_LOSS, 3.2),
}
"""What changes: its kind, and how many points of neutral become negative, or the share of other texts, or how
strongly tweets of each label are drawn by their doubt: with a probability in proportion to
exp(-size * certainty)."""


def pool(rows: Sequence[Mapping[str, Any]], classifier: Classifier) -> TextAnswers:
    """Return kept answers as the watch reads them."""
    encoded = classifier.encode([str(row["text"]) for row in rows])
    return TextAnswers(
        probabilities=np.array([[row[f"p_{label}"] for label in LABELS] for row in rows]),
        tokens=[[token for window in each.windows for token in window] for each in encoded],
        truth=np.array([LABELS.index(str(row["truth"])) for row in rows]),
    )


def without_truth(texts: TextAnswers) -> TextAnswers:
    """Return texts as they come: nobody has labeled them."""
    return TextAnswers(probabilities=texts.probabilities, tokens=texts.tokens)


def watcher_for(world: TextAnswers, random: np.random.Generator, rate: float, seed: int) -> Watcher:
    """Return a watcher with a reference drawn from the world."""
    drawn = world.taken(random.integers(len(world), size=REFERENCE))
    reference = Reference.of(drawn, LABELS, source="reference", seed=seed)
    return Watcher(reference, rate=rate, with_truth=False, seed=seed)


def false_alarms(world: TextAnswers, streams: int, *, seed: int) -> dict[str, Any]:
    """Return how many streams without a change gave an alarm, at each rate."""
    highest = []
    for number in range(streams):
        random = np.random.default_rng([seed, number])
        watcher = watcher_for(world, random, 0.5, number)
        watcher.see(without_truth(world.taken(random.integers(len(world), size=QUIET))))
        # An alarm at another rate is the same evidence against another threshold
        highest.append(watcher.highest)
    return {
        "streams": streams,
        "texts": QUIET,
        "alarms": {str(rate): int((np.array(highest) >= np.log10(0.5 / rate)).sum()) for rate in RATES},
    }


def shifted(
    world: TextAnswers, others: Mapping[str, TextAnswers], name: str, count: int, random: np.random.Generator
) -> TextAnswers:
    """Return texts after a change."""
    kind, size = SHIFTS[name]
    truth = world.truth if world.truth is not None else np.zeros(0, dtype=int)
    if kind == LABEL_SHIFT:
        shares = np.bincount(truth, minlength=len(LABELS)) / len(world)
        labels = random.choice(len(LABELS), size=count, p=shares + np.array([size, -size, 0]))
        by_label = [np.flatnonzero(truth == label) for label in range(len(LABELS))]
        return world.taken(np.array([random.choice(by_label[label]) for label in labels]))
    if kind == CONFIDENCE_LOSS:
        doubt = np.exp(-size * world.probabilities.max(axis=1))
        of_label = np.bincount(truth, weights=doubt, minlength=len(LABELS))
        weights = doubt / of_label[truth] * np.bincount(truth, minlength=len(LABELS))[truth]
        return world.taken(random.choice(len(world), size=count, p=weights / weights.sum()))
    strange = others["reviews" if "reviews" in name else "typos"]
    is_strange = random.random(count) < size
    strange_rows = len(world) + random.integers(len(strange), size=count)
    rows = np.where(is_strange, strange_rows, random.integers(len(world), size=count))
    both = TextAnswers(
        probabilities=np.vstack([world.probabilities, strange.probabilities]),
        tokens=[*world.tokens, *strange.tokens],
    )
    return both.taken(rows)


def found(
    world: TextAnswers, others: Mapping[str, TextAnswers], name: str, streams: int, *, seed: int
) -> dict[str, Any]:
    """Return how soon a change is found, and how often it is named rightly."""
    kind, _ = SHIFTS[name]
    delays, off, at_once, later = [], [], [], []
    early = 0
    for number in range(streams):
        random = np.random.default_rng([seed, number])
        watcher = watcher_for(world, random, RATES[0], number)
        watcher.see(without_truth(world.taken(random.integers(len(world), size=BEFORE))))
        if watcher.alarms:
            early += 1
            continue
        after = without_truth(shifted(world, others, name, AFTER, random))
        for start in range(0, AFTER, 64):
            watcher.see(after.taken(slice(start, start + 64)))
            if watcher.alarms:
                break
        if not watcher.alarms:
            continue
        first = watcher.alarms[0]
        delays.append(first.text - BEFORE)
        off.append(first.since - BEFORE)
        at_once.append(is_right(diagnose(watcher).kinds, kind))
        watcher.see(after.taken(slice(start + 64, start + 64 + MORE)))
        later.append(is_right(diagnose(watcher).kinds, kind))
    return {
        "streams": streams - early,
        "early": early,
        "found": len(delays),
        "delay": np.quantile(delays, (0.5, 0.9)).tolist() if delays else None,
        "start_off": float(np.median(np.abs(off))) if off else None,
        "named_at_once": float(np.mean(at_once)) if at_once else None,
        "named_later": float(np.mean(later)) if later else None,
    }


def doubt_of(world: TextAnswers) -> list[float]:
    """Return how much less certain the doubtful tweets are on average."""
    certainty, random = world.probabilities.max(axis=1), np.random.default_rng(1)
    drawn = [
        shifted(world, {}, name, 100_000, random)
        for name, (kind, _) in SHIFTS.items() if kind == CONFIDENCE_LOSS
    ]  # fmt: skip
    return [float(certainty.mean() - each.probabilities.max(axis=1).mean()) for each in drawn]


def is_right(kinds: Sequence[str], planted: str) -> bool:
    """Return whether a change is named as it is.

    A label shift is nothing else; other texts may be harder to read too.
    """
    return tuple(kinds) == (planted,) if planted == LABEL_SHIFT else planted in kinds


def lines_of(measured: Mapping[str, Any]) -> list[str]:
    """Return the page."""
    quiet = measured["quiet"]
    alarms = quiet["alarms"]
    rows = [
        (
            name,
            f"{each['found']} of {each['streams']}",
            *((f"{delay:,.0f}" for delay in each["delay"]) if each["delay"] else ("", "")),
            "" if each["start_off"] is None else f"{each['start_off']:,.0f}",
            "" if each["named_at_once"] is None else f"{each['named_at_once']:.0%}",
            "" if each["named_later"] is None else f"{each['named_later']:.0%}",
        )
        for name, each in measured["shifts"].items()
    ]
    return [
        f"{quiet['streams']} streams of {quiet['texts']:,} tweets without a change, each against "
        f"{REFERENCE:,} tweets of its own: "
        + "; ".join(
            f"at an alarm rate of {rate}, {count} gave a false alarm ({count / quiet['streams']:.1%})"
            for rate, count in alarms.items()
        )
        + ".",
        "",
        f"A change after {BEFORE:,} tweets, alarm rate {RATES[0]}, at most {AFTER:,} texts after it; nobody "
        "labels the stream. A label shift is named rightly where nothing else is named; film reviews and "
        "typos where covariate shift is among the names, doubtful tweets where loss of confidence is. "
        "Reviews also have other shares of labels; typos lower the certainty by 1.5 points only, of 79.0; "
        f"the doubtful tweets by {100 * measured['doubt'][0]:.1f} and "
        f"{100 * measured['doubt'][1]:.1f} points.",
        "",
        *table(
            ("change", "found", "texts until the alarm, median", "90%", "start off by, median",
             "named rightly at the alarm", f"{MORE} texts later"), rows,
        ),
    ]  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.watch", description=__doc__)
    parser.add_argument("--answers", type=Path, required=True, help="where answers are kept")
    parser.add_argument("--streams", type=int, default=500, help="streams without a change")
    parser.add_argument("--changes", type=int, default=30, help="streams with each change")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--results", type=Path, default=FOLDER)
    args = parser.parse_args(arguments)
    machine = Machine()
    kept = answered(args.answers, seed=args.seed)
    classifier = Classifier.load(threads=1)
    texts = {name: pool(rows, classifier) for name, rows in kept.items()}
    world = texts.pop("tweets")
    shifts = {}
    for name in SHIFTS:
        shifts[name] = found(world, texts, name, args.changes, seed=args.seed)
        print(name, shifts[name], flush=True)
    measured = {
        "shifts": shifts,
        "doubt": doubt_of(world),
        "quiet": false_alarms(world, args.streams, seed=args.seed),
    }
    page = save(
        args.results, "watch", measured, title="Watching a stream", machine=machine, lines=lines_of(measured),
        timed=False,
    )  # fmt: skip
    print(page)


if __name__ == "__main__":
    main()
