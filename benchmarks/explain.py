"""How faithful explanations are to the built-in classifier, compared with random orders of the same words.

Each text is explained by each method. What is measured is kept in a file; a killed benchmark goes on from it.

Example: python -m benchmarks.explain dev.jsonl --texts 200
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import Machine
from benchmarks.results import FOLDER, save, table
from nlpkit.classifiers.classifier import Classifier
from nlpkit.data.records import read_records, text_of
from nlpkit.trust.explainer import Explainer, Method
from nlpkit.trust.explanation import Explanation

METHODS: tuple[Method, ...] = ("occlusion", "gradients")
BATCH = 100
ASKED = 0.01
"""The completeness error that is asked for at most."""
RESAMPLES = 2000


def drawn(path: Path, count: int, *, seed: int) -> list[str]:
    """Return different texts of a file in random order."""
    texts = list(dict.fromkeys(text_of(record, "text") for record in read_records(path)))
    return random.Random(seed).sample(texts, min(count, len(texts)))


def measured(explanation: Explanation) -> dict[str, Any]:
    """Return the numbers of an explanation."""
    kept, changed = explanation.keeps, explanation.changes
    return {
        "about": explanation.about,
        "share": explanation.share,
        "words": len(explanation.words),
        **dataclasses.asdict(explanation.faithfulness),
        "kept": None if kept is None else len(kept.words),
        "changed": None if changed is None else len(changed.words),
    }


def first_of(explainer: Explainer, texts: Sequence[str]) -> dict[str, float]:
    """Return how long the first explanation of a batch takes: on the clock, and of processor time."""
    started = time.perf_counter(), time.process_time()
    next(explainer.explain(texts))
    return {
        "seconds": time.perf_counter() - started[0],
        "processor_seconds": time.process_time() - started[1],
    }


def collect(
    texts: Sequence[str], work: Path, explainers: Mapping[str, Explainer], talk: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Return the numbers of each text by each method: those in the file, and the missing ones."""
    rows = [json.loads(line) for line in work.read_text().splitlines()] if work.is_file() else []
    known = {row["text"] for row in rows}
    with work.open("a", encoding="utf-8") as file:
        for number, text in enumerate(texts, 1):
            if text in known:
                continue
            row: dict[str, Any] = {"text": text}
            for name, explainer in explainers.items():
                before = time.process_time()
                row[name] = measured(next(explainer.explain([text]))[0])
                row[name]["processor_seconds"] = time.process_time() - before
            rows.append(row)
            file.write(json.dumps(row) + "\n")
            file.flush()
            talk(f"{number} of {len(texts)}")
    return rows


def summary(rows: Sequence[Mapping[str, Any]], name: str) -> dict[str, Any]:
    """Return the means of a method, of random orders, and the interval of their difference over texts."""
    record: dict[str, Any] = {"texts": len(rows)}
    draws = np.random.default_rng(1).integers(len(rows), size=(RESAMPLES, len(rows)))
    for score in ("comprehensiveness", "sufficiency", "deletion"):
        ours, theirs = (np.array([row[name][of][score] for row in rows]) for of in ("scores", "random"))
        ends = np.quantile((ours - theirs)[draws].mean(axis=1), (0.025, 0.975))
        better = ours > theirs if score == "comprehensiveness" else ours < theirs
        record[score] = {
            "mean": float(ours.mean()),
            "random": float(theirs.mean()),
            "difference": [float(end) for end in ends],
            "better": float(better.mean()),
        }
    for what in ("kept", "changed"):
        sizes = [row[name][what] for row in rows if row[name][what] is not None]
        record[what] = {"texts": len(sizes), "median": float(np.median(sizes)) if sizes else None}
    record["words"] = float(np.mean([row[name]["words"] for row in rows]))
    record["processor_seconds"] = float(np.mean([row[name]["processor_seconds"] for row in rows]))
    errors = [row[name]["completeness_error"] for row in rows if row[name]["completeness_error"] is not None]
    if errors:
        record["completeness_error"] = {
            "median": float(np.median(errors)),
            "most": max(errors),
            "within": float(np.mean([error < ASKED for error in errors])),
        }
    return record


def _page(record: Mapping[str, Any]) -> list[str]:
    methods = record["methods"]
    count = next(iter(methods.values()))["texts"]
    lines = [f"{count} texts of {record['data']} in random order, by the built-in classifier (torch).", ""]
    for score, title in (
        ("comprehensiveness", "Comprehensiveness: higher is better"),
        ("sufficiency", "Sufficiency: lower is better"),
        ("deletion", "Area under the deletion curve: lower is better"),
    ):
        rows = [
            (
                name,
                f"{of[score]['mean']:.3f}",
                f"{of[score]['random']:.3f}",
                "{:+.3f} to {:+.3f}".format(*of[score]["difference"]),
                f"{of[score]['better']:.0%}",
            )
            for name, of in methods.items()
        ]
        head = ("method", "mean", "of random orders", "difference, 95% interval", "texts where better")
        lines += [f"## {title}", "", *table(head, rows), ""]
    lines += ["## Smallest sets, and time", "", *_costs(record), ""]
    for name, of in methods.items():
        if error := of.get("completeness_error"):
            lines.append(
                f"Completeness error of {name}: median {error['median']:.2%}, at most {error['most']:.2%}, "
                f"under {ASKED:.0%} in {error['within']:.1%} of the texts."
            )
    return lines


def _costs(record: Mapping[str, Any]) -> list[str]:
    costs = [
        (
            name,
            f"{of['words']:.1f}",
            f"{of['kept']['median']:.0f}",
            f"{of['changed']['median']:.0f} ({of['changed']['texts']})",
            f"{of['processor_seconds']:.2f}",
            f"{record['first'][name]['seconds']:.1f} ({record['first'][name]['processor_seconds']:.1f})",
        )
        for name, of in record["methods"].items()
    ]
    heads = (
        "method",
        "words a text",
        "words that keep the answer (median)",
        "words that change it (median; texts where any do)",
        "processor seconds a text",
        f"seconds to the first of {BATCH} (processor seconds)",
    )
    return table(heads, costs)


def bench(
    data: Path, *, texts: int, work: Path, results: Path, talk: Callable[[str], None]
) -> dict[str, Any]:
    """Measure, write explain.json and explain.md, and return the results."""
    machine = Machine()
    classifier = Classifier.load(runtime="torch")
    explainers: dict[str, Explainer] = {
        method: Explainer(classifier, method=method, orders=1) for method in METHODS
    }
    chosen = drawn(data, texts, seed=1)
    first = {name: first_of(explainer, chosen[:BATCH]) for name, explainer in explainers.items()}
    rows = collect(chosen, work, explainers, talk)
    record = {
        "data": data.name,
        "first": first,
        "methods": {name: summary(rows, name) for name in METHODS},
    }
    title = "Explanations of the built-in classifier: how faithful they are"
    talk(save(results, "explain", record, title=title, machine=machine, lines=_page(record)))
    return record


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.explain", description=__doc__)
    parser.add_argument("data", type=Path, help="texts, such as dev.jsonl of SST-2")
    parser.add_argument("--texts", type=int, default=200)
    parser.add_argument("--work", type=Path, default=Path("explain.work.jsonl"))
    parser.add_argument("--results", type=Path, default=FOLDER)
    asked = parser.parse_args(arguments)
    bench(asked.data, texts=asked.texts, work=asked.work, results=asked.results, talk=print)


if __name__ == "__main__":
    main()
