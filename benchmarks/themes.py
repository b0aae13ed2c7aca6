"""Whether themes are found that are known, how stable they are, and whether what drives a change is right.

Tweets have the topics of `benchmarks.tweets`, which only the comparison knows. Changes are made: of each
theme, a share and a rate before and after are fixed, texts are drawn, and the change is decomposed.

Example: python -m benchmarks.themes --texts 20000 --labeled intents.jsonl
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import adjusted_rand_score

from benchmarks.machine import Machine
from benchmarks.results import FOLDER, save, table
from benchmarks.tweets import OTHER, SOURCE, topic_of
from nlpkit.analysis.clusters import Clusters, find_clusters, stability_of
from nlpkit.analysis.drivers import corrected, decompose, split
from nlpkit.analysis.theme_counts import SAMPLE
from nlpkit.analysis.theme_names import names_of, terms_of
from nlpkit.analysis.themes import BASE, vectors_of
from nlpkit.data.records import read_records
from nlpkit.models.encoder import Encoder
from nlpkit.sources import resolve

COUNTS: tuple[int | None, ...] = (None, 6, 12)
"""Themes that are asked for; None for as many as there are."""
PARTS = ("A", "B", "C", "D", "E")
SHARES = np.array([[0.3, 0.25, 0.2, 0.15, 0.1], [0.2, 0.25, 0.2, 0.15, 0.2]])
RATES = np.array([[0.5, 0.3, 0.3, 0.1, 0.6], [0.5, 0.45, 0.3, 0.1, 0.6]])
"""Before and after: A is spoken of less, E more, and the rate of B rises. Nothing else changes."""
SIZES = (200, 1_000, 5_000)
"""Texts of a period."""


@dataclass(frozen=True, kw_only=True)
class World:
    """Texts, the known theme of each, and their vectors."""

    name: str
    texts: Sequence[str]
    known: Sequence[str]
    """Empty where it is not known: such texts are not compared."""
    vectors: Any
    milliseconds: float
    """Of processor time to read a text."""


def tweets(count: int, *, seed: int) -> tuple[list[str], list[str]]:
    """Return different tweets with their topics; empty where none is known."""
    texts = list(dict.fromkeys(str(row.fields["text"]) for row in read_records(resolve(SOURCE, kind="data"))))
    chosen = random.Random(seed).sample(texts, min(count, len(texts)))
    topics = [topic_of(text) for text in chosen]
    return chosen, ["" if topic == OTHER else topic for topic in topics]


def labeled(path: Path) -> tuple[list[str], list[str]]:
    """Return the texts of a file with their labels."""
    rows = list(read_records(path, columns=("text", "label")))
    return [str(row.fields["text"]) for row in rows], [str(row.fields["label"] or "") for row in rows]


def world(
    name: str, texts: Sequence[str], known: Sequence[str], encoder: Encoder, work: Path | None
) -> World:
    """Return texts with their vectors; those of earlier are taken from the folder, if there is one."""
    kept = work / f"{name}-{len(texts)}.npz" if work else None
    if kept and kept.is_file():
        held = np.load(kept)
        return World(
            name=name, texts=texts, known=known, vectors=held["vectors"], milliseconds=float(held["spent"])
        )
    started = time.process_time()
    vectors = vectors_of(texts, encoder)
    spent = 1000 * (time.process_time() - started) / len(texts)
    if kept:
        np.savez(kept, vectors=vectors, spent=spent)
    return World(name=name, texts=texts, known=known, vectors=vectors, milliseconds=spent)


def found_in(of: World, count: int | None, *, seed: int) -> dict[str, Any]:
    """Find themes in a sample, give each text one, and compare them with the known ones."""
    sample = np.random.default_rng(seed).permutation(len(of.texts))[:SAMPLE]
    started = time.process_time()
    clusters = find_clusters(of.vectors[sample], count=count, seed=seed)
    finding = time.process_time() - started
    stability = stability_of(clusters, of.vectors[sample], count=count, seed=seed)
    return {
        "data": of.name,
        "texts": len(of.texts),
        "asked": count,
        "method": clusters.method,
        "themes": len(clusters),
        "stability": stability.ari,
        "stability_low": stability.lowest,
        "stability_high": stability.highest,
        "finding_seconds": finding,
        "stability_seconds": time.process_time() - started - finding,
        **_compared(of, clusters),
    }


def _compared(of: World, clusters: Clusters) -> dict[str, Any]:
    assigned = clusters.assign(of.vectors)
    is_known = np.array([bool(name) for name in of.known])
    return {
        "ari": float(adjusted_rand_score(np.array(of.known)[is_known], assigned[is_known])),
        "no_theme": float((assigned < 0).mean()),
        "no_theme_of_unknown": float((assigned[~is_known] < 0).mean()) if not is_known.all() else None,
        "names": names_of(terms_of(of.texts, assigned, len(clusters))),
    }


def driven(size: int, *, draws: int, seed: int) -> dict[str, Any]:
    """Decompose made changes, and count how often intervals hold the truth and which effects are named."""
    generator = np.random.default_rng((seed, size))
    true = np.concatenate(split(SHARES, RATES))
    is_none = np.isclose(true, 0)
    held, named, false, gaps = [], [], 0, []
    for draw in range(draws):
        texts = np.stack([generator.multinomial(size, row) for row in SHARES])
        before, after = np.stack([texts, generator.binomial(texts, RATES)], axis=1)
        (change,) = corrected([decompose(before, after, PARTS, seed=draw)])
        ordered = sorted(change.drivers, key=lambda driver: driver.part)
        effects = [driver.mix for driver in ordered] + [driver.rate for driver in ordered]
        held.append([each.low <= value <= each.high for each, value in zip(effects, true, strict=True)])
        stars = np.array([each.is_significant for each in effects])
        named.append(stars[~is_none])
        false += bool(stars[is_none].any())
        gaps.append(abs(sum(each.value for each in effects) - change.whole.value))
    return {
        "texts": size,
        "draws": draws,
        "coverage": float(np.mean(held)),
        "lowest_coverage": float(np.mean(held, axis=0).min()),
        "named": float(np.mean(named)),
        "false": false / draws,
        "largest_gap": float(max(gaps)),
    }


def bench(
    *,
    texts: int,
    draws: int,
    data: Path | None,
    work: Path | None,
    seed: int,
    results: Path,
    talk: Callable[[str], None],
) -> None:
    """Measure all, and write it."""
    encoder, machine = Encoder.load(BASE), Machine()
    sources = [("tweets", *tweets(texts, seed=seed))]
    sources += [(data.stem, *labeled(data))] if data else []
    worlds = []
    for source in sources:
        worlds.append(world(*source, encoder, work))
        talk(f"{source[0]}: {worlds[-1].milliseconds:.1f} ms a text")
    rows = [found_in(of, count, seed=seed) for of in worlds for count in COUNTS]
    talk(str([(row["data"], row["method"], row["themes"], row["ari"]) for row in rows]))
    made = [driven(size, draws=draws, seed=seed) for size in SIZES]
    measured = {
        "seed": seed,
        "milliseconds_a_text": {of.name: of.milliseconds for of in worlds},
        "found": rows,
        "driven": made,
    }
    talk(
        save(
            results,
            "themes",
            measured,
            title="Themes, and what drives a change",
            machine=machine,
            lines=_lines(measured),
        )
    )


def _lines(measured: dict[str, Any]) -> list[str]:
    return [*_found_lines(measured), "", *_driven_lines(measured["driven"])]


def _found_lines(measured: dict[str, Any]) -> list[str]:
    reading = ", ".join(f"{name} {spent:.1f} ms" for name, spent in measured["milliseconds_a_text"].items())
    lines = [f"Processor time to read a text with {BASE}, one thread: {reading}.", ""]
    lines += table(
        [
            "data",
            "texts",
            "asked for",
            "found by",
            "themes",
            "against known",
            "stability",
            "no theme",
            "seconds",
        ],
        [
            (
                row["data"],
                f"{row['texts']:,}",
                row["asked"] or "auto",
                row["method"],
                row["themes"],
                f"{row['ari']:.2f}",
                f"{row['stability']:.2f} ({row['stability_low']:.2f} to {row['stability_high']:.2f})",
                f"{row['no_theme']:.0%}",
                f"{row['finding_seconds']:.1f} + {row['stability_seconds']:.1f}",
            )
            for row in measured["found"]
        ],
    )
    lines += ["", "Against known themes and stability: the adjusted Rand index, 1 is the same, 0 is chance. "
              "Seconds of processor time: to find themes in the sample, and for bootstraps.", ""]  # fmt: skip
    lines += [
        f"- {row['data']}, {row['asked'] or 'auto'}: {'; '.join(row['names'])}" for row in measured["found"]
    ]
    return lines


def _driven_lines(rows: Sequence[dict[str, Any]]) -> list[str]:
    head = "Made changes, with three effects that are not zero and seven that are:"
    made = table(
        ["texts a period", "draws", "intervals that hold the truth", "of the worst effect",
         "true effects starred", "draws with a false star", "largest gap to the whole"],
        [
            (
                f"{row['texts']:,}",
                row["draws"],
                f"{row['coverage']:.1%}",
                f"{row['lowest_coverage']:.1%}",
                f"{row['named']:.0%}",
                f"{row['false']:.1%}",
                f"{row['largest_gap']:.0e}",
            )
            for row in rows
        ],
    )  # fmt: skip
    return [head, "", *made]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.themes", description=__doc__)
    parser.add_argument("--texts", type=int, default=20_000)
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--labeled", type=Path, help="texts with a label each; empty for none")
    parser.add_argument("--work", type=Path, help="a folder that keeps the vectors")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--results", type=Path, default=FOLDER)
    args = parser.parse_args(arguments)
    bench(
        texts=args.texts,
        draws=args.draws,
        data=args.labeled,
        work=args.work,
        seed=args.seed,
        results=args.results,
        talk=print,
    )


if __name__ == "__main__":
    main()
