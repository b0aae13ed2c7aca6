"""What training at several sites is worth: four of unequal mix, central, alone and federated.

Each site gets texts of the catalog's `sentiment-ratings`, none twice: mostly of one kind, some of another.
Then: the mean of LoRA matrices apart, FedProx, a site that drops out, and a poisoned site under three ways to
combine. A killed benchmark goes on.

Example: python -m benchmarks.federated --seeds 1 2 3
"""

from __future__ import annotations

import argparse
import csv
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.adaptation import compare
from benchmarks.machine import Machine
from benchmarks.results import FOLDER, save, table
from nlpkit.classifiers.classifier import Classifier
from nlpkit.data.records import read_records
from nlpkit.federated.rounds import recorded_rounds
from nlpkit.federated.site import CENTRAL, Site
from nlpkit.federated.weights import from_bytes, to_bytes
from nlpkit.metrics.score import PairedTest, Score
from nlpkit.run import Run
from nlpkit.sources import resolve
from nlpkit.training.runs import compared_run
from nlpkit.training.train import train_seeds

MIX: Mapping[str, Mapping[str, int]] = {
    "network": {"tweets": 2400, "amazon": 200},
    "cinema": {"movies": 1500, "tweets": 150},
    "paper": {"editorials": 700, "movies": 100},
    "shop": {"amazon": 300, "editorials": 50},
}
"""Texts of each kind at each site."""
LABEL = {"label": "mean", "bins": [-0.501, 0.5]}
"""As the built-in classifier reads the ratings."""

Harm = Callable[[int, bytes, bytes], bytes]
"""(round, the weights sent out, the site's) -> what the site sends in their place."""


def dropping(number: int, sent: bytes, trained: bytes) -> bytes:
    """Fail from the second round on."""
    if number > 1:
        raise OSError("the site is gone")
    return trained


def poisoned(number: int, sent: bytes, trained: bytes) -> bytes:
    """Send ten times the change in the opposite direction."""
    start, weights = from_bytes(sent), from_bytes(trained)
    return to_bytes({name: start[name] - 10 * (weights[name] - start[name]) for name in start})


@dataclass(frozen=True, kw_only=True)
class Way:
    """A way to train, or something that happens to a site."""

    federation: Mapping[str, Any]
    harm: Harm | None = None


WAYS: Mapping[str, Way] = {
    "federated": Way(federation={}),
    "matrices apart": Way(federation={"average": "matrices"}),
    "FedProx, mu 0.01": Way(federation={"proximal": 0.01}),
    "paper drops out": Way(federation={}, harm=dropping),
    "paper poisoned, clipped": Way(federation={}, harm=poisoned),
    "paper poisoned, median": Way(federation={"combine": "median"}, harm=poisoned),
    "paper poisoned, no bounds": Way(federation={"clip": None}, harm=poisoned),
}
"""The first is compared with central and alone, the others with the first."""
HARMED = "paper"


def write_sites(
    texts: Mapping[str, Sequence[tuple[str, float]]],
    mix: Mapping[str, Mapping[str, int]],
    folder: Path,
    *,
    seed: int,
) -> dict[str, Path]:
    """Write a file for each site; no row of a kind goes to two sites."""
    folder.mkdir(parents=True, exist_ok=True)
    order = {kind: random.Random(seed).sample(list(rows), len(rows)) for kind, rows in texts.items()}
    taken = dict.fromkeys(order, 0)
    files = {}
    for site, counts in mix.items():
        chosen: list[tuple[str, float]] = []
        for kind, count in counts.items():
            rows = order[kind][taken[kind] : taken[kind] + count]
            if len(rows) < count:
                raise SystemExit(f"{site}: {count} {kind}; {len(rows)} are left")
            taken[kind] += count
            chosen += rows
        files[site] = folder / f"{site}.csv"
        with files[site].open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([("text", "mean"), *chosen])
    return files


def ratings() -> dict[str, list[tuple[str, float]]]:
    """Return the catalog's texts by kind, with their mean ratings."""
    return {
        kind: [
            (str(record.fields["text"]), float(str(record.fields["mean"])))
            for record in read_records(resolve(f"sentiment-ratings/{kind}", kind="data"))
        ]
        for kind in ("tweets", "movies", "amazon", "editorials")
    }


@contextmanager
def harmed(harm: Harm | None) -> Iterator[None]:
    """Let something happen to what one site sends."""
    train = Site.train

    def trained(self: Site, number: int, sent: bytes) -> bytes:
        own = train(self, number, sent)
        return harm(number, sent, own) if harm and self.name == HARMED else own

    with patch.object(Site, "train", trained):
        yield


def right_rows(run: Run, alone: bool) -> dict[tuple[str, str], np.ndarray]:
    """Return which test rows are right, (rows,), by what answers and by site."""
    from pyarrow import parquet

    columns = parquet.read_table(run.evaluation / "test.predictions.parquet").to_pydict()
    truth, sites = np.array(columns["truth"]), np.array(columns["group"])
    answers = {"federated": np.array(columns["label"])}
    if alone:
        for name in (CENTRAL, *dict.fromkeys(columns["group"])):
            predictions = Classifier.load(compared_run(run, name)).predict(columns["text"])
            answers[name] = np.array([prediction.label for prediction in predictions])
    return {
        (name if name in ("federated", CENTRAL) else "alone", site): (truth == labels)[sites == site]
        for name, labels in answers.items()
        for site in dict.fromkeys(columns["group"])
        if name in ("federated", CENTRAL, site)
    }


@dataclass(frozen=True, kw_only=True)
class Setup:
    """How long, on what, and where."""

    base: str
    ways: Sequence[str]
    seeds: Sequence[int]
    others: int
    """How many of the seeds the other ways are trained with."""
    rounds: int
    folder: Path
    settings: Mapping[str, Any]
    """More of the recipe's settings."""


def train_way(name: str, files: Mapping[str, Path], setup: Setup, seed: int) -> Run:
    """Train one way with one seed, unless it is there."""
    way = WAYS[name]
    config = {
        "recipe": "federated",
        "name": f"{name.replace(', ', '-').replace(' ', '-')}-{seed}",
        "output": str(setup.folder / "runs"),
        "sites": {
            site: {"train": {"source": str(path), **LABEL}, "validation": 0.1, "test": 0.3}
            for site, path in files.items()
        },
        "task": {"kind": "polarity", "labels": ["negative", "neutral", "positive"]},
        "base": {"source": setup.base, "max_tokens": 96},
        "federation": {"rounds": setup.rounds, "engine": "here", **way.federation},
        "seeds": [seed],
        "compare": name == "federated",
    }
    with harmed(way.harm):
        (run,) = train_seeds({**config, **setup.settings})
    return run


def bench(
    files: Mapping[str, Path], setup: Setup, *, results: Path, talk: Callable[[str], None]
) -> dict[str, Any]:
    """Measure, and write federated.json and federated.md after each way; return the comparisons."""
    machine, measured, page = Machine(), {}, ""
    plain: dict[tuple[str, str], list[np.ndarray]] = {}
    wire = 0
    for name in setup.ways:
        seeds = setup.seeds if name == "federated" else setup.seeds[: setup.others]
        runs = [train_way(name, files, setup, seed) for seed in seeds]
        right: dict[tuple[str, str], list[np.ndarray]] = {}
        for run in runs:
            for key, rows in right_rows(run, alone=name == "federated").items():
                right.setdefault(key, []).append(rows)
        rounds = recorded_rounds(runs[0].read().data)
        wire = wire or sum(site.sent + site.received for site in rounds[0].sites)
        if name == "federated":
            plain = right
            pairs = {f"federated against {way}": (way, right) for way in ("alone", CENTRAL)}
        else:
            pairs = {f"{name}, against federated": ("federated", plain)}
        for title, (way, before) in pairs.items():
            measured[title] = {
                site: compare(before[way, site][: len(seeds)], right["federated", site]) for site in files
            }
        page = save(
            results, "federated", {"compared": measured, "bytes_a_round": wire},
            title="Training at several sites", machine=machine, lines=_page(measured, wire), timed=False,
        )  # fmt: skip
    talk(page)
    return measured


def _page(measured: Mapping[str, Mapping[str, Any]], wire: int) -> list[str]:
    rows = []
    for title, sites in measured.items():
        for site, result in sites.items():
            old, new, gain = Score(**result["before"]), Score(**result["after"]), PairedTest(**result["gain"])
            ends = 100 * (gain.low or 0.0), 100 * (gain.high or 0.0)
            points = f"{100 * (gain.difference or 0.0):+.1f} ({ends[0]:+.1f} to {ends[1]:+.1f})"
            each = ", ".join(f"{100 * value:+.1f}" for value in result["by_seed"])
            shown = new.shown_with_interval, old.shown_with_interval
            rows.append((title, site, *shown, points, each, f"{new.count:,}"))
    head = ("compared", "site", "accuracy", "of the other", "difference, in points", "by seed", "test rows")
    return [
        *table(head, rows),
        "",
        "Means over seeds; intervals from resampling test rows, on which nothing was chosen. "
        f"Adapters and heads of one round, out and back at all sites: {wire:,} bytes.",
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.federated", description=__doc__)
    parser.add_argument("--base", default="minilm-l6")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS), help="federated first")
    parser.add_argument("--seeds", type=int, nargs="+", default=(1, 2, 3))
    parser.add_argument("--others", type=int, default=3, help="so many seeds of the ways after federated")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=Path("runs/bench-federated"))
    parser.add_argument("--results", type=Path, default=FOLDER)
    asked = parser.parse_args(arguments)
    setup = Setup(
        base=asked.base, ways=asked.ways, seeds=asked.seeds, others=asked.others, rounds=asked.rounds,
        folder=asked.folder, settings={"training": {"precision": "fastest"}},
    )  # fmt: skip
    files = write_sites(ratings(), MIX, asked.folder / "sites", seed=1)
    bench(files, setup, results=asked.results, talk=print)


if __name__ == "__main__":
    main()
