"""The label loop, simulated with hidden labels: each way to choose texts against a random choice.

A logistic regression on a sentence encoder's vectors learns from 50 random labels, then from 50 more in each
round. Results are written after each data set, and added to those of others.

Example: python -m benchmarks.labeling tweets=train.jsonl,val.jsonl banking=train.jsonl
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from benchmarks.labeling_page import page_of
from benchmarks.labeling_shares import shares
from benchmarks.machine import Machine
from benchmarks.results import FOLDER, earlier_tasks, save
from nlpkit.labeling.choice import first_of_each, gaps, uncertain
from nlpkit.labeling.rounds import THRESHOLD, WINDOWS, Gain
from nlpkit.labeling.strata import StrataSampler

COUNT = 50
AREA = 10
"""Rounds over which the area under the curve is taken; the stop rule sees all."""
CHUNK = 250
"""Texts that are embedded between two writes: a killed benchmark goes on from there."""

Array: TypeAlias = Any
Chooser: TypeAlias = Callable[[Array, Array, int], list[int]]
"""Probabilities and vectors of the texts without a label, and a seed -> the numbers of those to label."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Hidden:
    """Texts whose labels are shown when they are asked for, and held-out ones to measure on."""

    vectors: Array
    """(texts, size), at unit length, no two texts nearly equal."""
    labels: Array
    """(texts,): numbers."""
    test_vectors: Array
    test_labels: Array
    names: int
    """How many labels there are."""


def load(files: Sequence[Path], work: Path, *, encoder: str, pool: int, test: int) -> Hidden:
    """Read and embed a pool and test rows: a second file, then the rest of the first; vectors are cached."""
    first, *others = [_rows(file) for file in files]
    parts = [first[:pool], [*(row for rows in others for row in rows), *first[pool:]][:test]]
    texts = [text for part in parts for text, _ in part]
    names, numbers = np.unique([label for part in parts for _, label in part], return_inverse=True)
    vectors = _embedded(texts, work, encoder)
    kept = first_of_each(texts[: len(parts[0])], seed=1)
    rest = np.arange(len(parts[0]), len(texts))
    return Hidden(
        vectors=vectors[kept], labels=numbers[kept], names=len(names),
        test_vectors=vectors[rest], test_labels=numbers[rest],
    )  # fmt: skip


def _rows(file: Path) -> list[tuple[str, str]]:
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    order = np.random.default_rng(1).permutation(len(rows)).tolist()
    return [(rows[number]["text"], rows[number]["label"]) for number in order]


def _embedded(texts: Sequence[str], work: Path, source: str) -> Array:
    """Return (texts, size), at unit length."""
    work.mkdir(parents=True, exist_ok=True)
    chunks, encoder = [], None
    for start in range(0, len(texts), CHUNK):
        path = work / f"{start}.npy"
        if not path.is_file():
            if encoder is None:
                from nlpkit.models.encoder import Encoder

                encoder = Encoder.load(source)
            np.save(path, encoder.features(texts[start : start + CHUNK]))
        chunks.append(np.load(path))
    vectors = np.concatenate(chunks)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def as_numbers(chosen: Array) -> list[int]:
    """Return an array of whole numbers as a list."""
    numbers: list[int] = chosen.tolist()
    return numbers


def by_random(probabilities: Array, vectors: Array, seed: int) -> list[int]:
    """Choose at random."""
    return as_numbers(np.random.default_rng(seed).choice(len(vectors), COUNT, replace=False))


def by_gap(probabilities: Array, vectors: Array, seed: int) -> list[int]:
    """Choose those with the smallest gaps, alike or not."""
    return as_numbers(np.argsort(gaps(probabilities), kind="stable")[:COUNT])


def by_uncertainty(probabilities: Array, vectors: Array, seed: int) -> list[int]:
    """Choose as `nlpkit label next` does."""
    return uncertain(probabilities, lambda numbers: vectors[list(numbers)], COUNT, seed=seed)


def by_few(probabilities: Array, vectors: Array, seed: int) -> list[int]:
    """Choose so among twice as many texts only."""
    return uncertain(probabilities, lambda numbers: vectors[list(numbers)], COUNT, seed=seed, candidates=2)


def by_strata(probabilities: Array, vectors: Array, seed: int) -> list[int]:
    """Choose as `nlpkit label next --aim shares` does."""
    sampler = StrataSampler[int](COUNT, seed=seed)
    sampler.add(probabilities, range(len(vectors)))
    return [drawn.item for drawn in sampler.draw()]


LONG = ("uncertain",)
"""Choices whose loop goes on for the stop rule."""
CHOOSERS: Mapping[str, Chooser] = {
    "random": by_random,
    "uncertain": by_uncertainty,
    "uncertain, of twice as many": by_few,
    "gap alone": by_gap,
    "shares": by_strata,
}


def rights(hidden: Hidden, chooser: Chooser, seed: int, rounds: int = AREA) -> Array:
    """Return (rounds + 1, test rows): whether each test row is answered right after each round."""
    from sklearn.linear_model import LogisticRegression

    random = np.random.default_rng(seed)
    labeled = random.choice(len(hidden.labels), COUNT, replace=False).tolist()
    right = []
    for number in range(rounds + 1):
        model = LogisticRegression(C=10.0, max_iter=100, tol=1e-3)
        model.fit(hidden.vectors[labeled], hidden.labels[labeled])
        right.append(model.predict(hidden.test_vectors) == hidden.test_labels)
        if number < rounds:
            free = np.setdiff1d(np.arange(len(hidden.labels)), labeled)
            probabilities = np.zeros((len(free), hidden.names))
            probabilities[:, model.classes_] = model.predict_proba(hidden.vectors[free])
            labeled += free[chooser(probabilities, hidden.vectors[free], 1000 * seed + number)].tolist()
    return np.array(right)


def stopped(right: Array, windows: Sequence[int], *, estimate: bool = False) -> int:
    """Return the round after which the rule stops over any of the windows; the last one where over none.

    Args:
        right: (rounds + 1, test rows).
        windows: over how many rounds the gain is measured.
        estimate: whether the estimate itself decides, once there were so many rounds; else the upper end.
    """
    for number in range(1, len(right)):
        for window in windows:
            since = max(0, number - window)
            gain = Gain.between(
                right[since], right[number], since="", rounds=window, labels=COUNT * (number - since)
            )
            value = gain.per_100().value or 0.0
            if value < THRESHOLD and number >= window if estimate else gain.is_below(THRESHOLD):
                return number
    return len(right) - 1


def regrets(rights: Sequence[Array], stops: Sequence[int]) -> list[float]:
    """Return how many points less each stop is worth than the best one, on the mean curve of all draws.

    A round is worth its accuracy less the price of its labels, which the threshold gives.
    """
    accuracies = 100 * np.mean(rights, axis=(0, 2))
    worth = accuracies - THRESHOLD * COUNT * np.arange(len(accuracies)) / 100
    return [float(worth.max() - worth[stop]) for stop in stops]


def mean_interval(values: Sequence[float]) -> list[float]:
    """Return the mean over draws and the ends of its 95% interval (Student's t)."""
    from scipy.stats import t

    mean, half = float(np.mean(values)), 0.0
    if len(values) > 1:
        half = float(t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return [mean, mean - half, mean + half]


def stops_of(loop: Sequence[Array]) -> dict[str, dict[str, Any]]:
    """Return for each stop rule how many labels it takes on average, and its regret."""
    last = len(loop[0]) - 1
    rules = {
        "upper end, last round": [stopped(each, (1,)) for each in loop],
        "upper end, last 4": [stopped(each, (4,)) for each in loop],
        "upper end, any: stop": [stopped(each, WINDOWS) for each in loop],
        "estimate, last 4: likely enough": [stopped(each, (4,), estimate=True) for each in loop],
        "after round 1": [1 for _ in loop],
        "never": [last for _ in loop],
    }
    return {
        name: {
            "labels": COUNT * float(np.mean(stops)),
            "regret": mean_interval(regrets(loop, stops)),
        }
        for name, stops in rules.items()
    }


def _curve(right: Sequence[Array]) -> Array:
    """Return (AREA + 1,): the mean accuracy after each of the first rounds."""
    return np.mean([each[: AREA + 1] for each in right], axis=(0, 2))


def measure(
    hidden: Hidden, ways: Sequence[str], *, draws: int, rounds: int, talk: Callable[[str], None]
) -> dict[str, Any]:
    """Return the curves, the areas under them and the stop rule's regret."""
    right: dict[str, list[Array]] = {way: [] for way in ways}
    for seed in range(1, draws + 1):
        for way in ways:
            right[way].append(rights(hidden, CHOOSERS[way], seed, rounds if way in LONG else AREA))
        talk(f"draw {seed}: " + ", ".join(f"{way} {right[way][-1][1 : AREA + 1].mean():.1%}" for way in ways))
    areas = {way: [100 * float(each[1 : AREA + 1].mean()) for each in right[way]] for way in ways}
    return {
        "pool": len(hidden.labels), "test": len(hidden.test_labels), "labels": hidden.names,
        "draws": draws, "rounds": rounds,
        "curves": {way: [100 * float(each) for each in _curve(right[way])] for way in ways},
        "areas": areas,
        "against_random": {
            way: mean_interval(np.subtract(areas[way], areas["random"]).tolist())
            for way in ways
            if way != "random"
        },
        "stops": stops_of(right["uncertain"]),
        "shares": shares(hidden.vectors, hidden.labels, count=100, draws=200),
    }  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.labeling", description=__doc__)
    parser.add_argument("data", nargs="+", metavar="NAME=POOL[,TEST]")
    parser.add_argument("--encoder", default="minilm-l6")
    parser.add_argument("--pool", type=int, default=2000)
    parser.add_argument("--test", type=int, default=1600)
    parser.add_argument("--rounds", type=int, default=AREA, help="of the loop that the stop rule sees")
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--ways", nargs="+", choices=CHOOSERS, default=tuple(CHOOSERS))
    parser.add_argument("--work", type=Path, default=Path("runs/bench-labeling"))
    parser.add_argument("--results", type=Path, default=FOLDER)
    asked = parser.parse_args(arguments)
    machine, tasks = Machine(), earlier_tasks(asked.results, "labeling")
    for data in asked.data:
        name, files = data.split("=", 1)
        hidden = load(
            [Path(file) for file in files.split(",")], asked.work / name,
            encoder=asked.encoder, pool=asked.pool, test=asked.test,
        )  # fmt: skip
        ways = ("random", "uncertain", *(way for way in asked.ways if way not in ("random", "uncertain")))
        tasks[name] = measure(hidden, ways, draws=asked.draws, rounds=asked.rounds, talk=print)
        page = save(
            asked.results, "labeling", {"tasks": tasks}, title="The label loop, simulated with hidden labels",
            machine=machine, lines=page_of(tasks), timed=False,
        )  # fmt: skip
        print(page)


if __name__ == "__main__":
    main()
