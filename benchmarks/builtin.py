"""The built-in classifier compared with VADER: on its held-out rows, source by source, and on the suites."""

from __future__ import annotations

import dataclasses
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import vader
from benchmarks.machine import Machine
from benchmarks.results import save, table
from benchmarks.sentences import METRICS, outcomes_of
from benchmarks.training import Trained, open_run
from nlpkit.classifiers.classifier import default_run
from nlpkit.data.examples import LabeledText
from nlpkit.evaluation.behavior import SUITES, Rate, SuiteResult, load_suite, run_suite
from nlpkit.metrics.intervals import bootstrap, paired
from nlpkit.metrics.labels import MACRO_F1
from nlpkit.reports.wording import difference, p_value
from nlpkit.run import Run

SEED = 1
_CACHED = re.compile(r"([^/\\]+)-[0-9a-f]{12}[/\\]data[/\\]([^/\\]+)\.parquet$")


def bench(run: str | None, *, results: Path, talk: Callable[[str], None]) -> dict[str, Any]:
    """Measure, write default.json and default.md, and return the results."""
    machine = Machine()
    trained = open_run(Run.open(run) if run else default_run())
    groups = {name: _held_out(trained, rows) for name, rows in sorted(by_source(trained.rows.test).items())}
    suites = {name: _suite(trained, name) for name in SUITES}
    record = {
        "run": trained.run.name,
        "held_out": {name: _dump_group(group) for name, group in groups.items()},
        "suites": {
            name: {who: _dump_suite(result) for who, result in pair.items()} for name, pair in suites.items()
        },
    }
    lines = [
        *_groups_table(groups),
        "",
        "Share of wrong answers, and of templates whose label changes with the group that they name:",
        "",
    ]
    title = "The built-in classifier, compared with VADER"
    talk(
        save(
            results,
            "default",
            record,
            title=title,
            machine=machine,
            lines=[*lines, *_suites_table(suites)],
            timed=False,
        )
    )
    return record


def by_source(examples: Sequence[LabeledText]) -> dict[str, list[LabeledText]]:
    """Group examples by the catalog's name of their file, such as `sentiment-ratings/editorials`."""
    groups: dict[str, list[LabeledText]] = defaultdict(list)
    for example in examples:
        groups[source_of(example.where)].append(example)
    return dict(groups)


def source_of(where: str) -> str:
    """Return the catalog's name of a cached file; for any other file its name without the extension."""
    file = where.rpartition(", row ")[0] or where
    cached = _CACHED.search(file)
    return f"{cached[1]}/{cached[2]}" if cached else Path(file).stem


def _held_out(trained: Trained, rows: Sequence[LabeledText]) -> dict[str, Any]:
    texts = [row.text for row in rows]
    ours = outcomes_of(rows, [prediction.probabilities for prediction in trained.classifier.predict(texts)])
    theirs = outcomes_of(rows, [{vader.label_of(compound): 1.0} for compound in vader.compounds(texts)])
    return {
        "rows": len(rows),
        "nlpkit": bootstrap(ours, METRICS, seed=SEED),
        "vader": bootstrap(theirs, METRICS, seed=SEED),
        "test": paired(MACRO_F1, ours, theirs, seed=SEED),
    }


def _suite(trained: Trained, name: str) -> dict[str, SuiteResult]:
    suite = load_suite(name)
    return {"nlpkit": run_suite(trained.classifier.predict, suite), "vader": run_suite(vader.predict, suite)}


def _dump_group(group: dict[str, Any]) -> dict[str, Any]:
    scores = {
        who: {name: score.model_dump() for name, score in group[who].items()} for who in ("nlpkit", "vader")
    }
    return {"rows": group["rows"], **scores, "test": group["test"].model_dump()}


def _dump_suite(result: SuiteResult) -> dict[str, Any]:
    fields = dataclasses.asdict(dataclasses.replace(result, cases=(), is_wrong=()))
    return {
        **fields,
        "failures": [
            {"text": failure.case.text, "label": failure.label, "score": failure.score}
            for failure in result.failures
        ],
    }


def _groups_table(groups: dict[str, dict[str, Any]]) -> list[str]:
    rows = []
    for name, group in groups.items():
        scores = [group[who]["macro_f1"] for who in ("nlpkit", "vader")]
        shown = [score.shown_with_interval for score in scores]
        rows.append(
            [name, f"{group['rows']:,}", *shown, difference(scores[0], group["test"]), p_value(group["test"])]
        )
    return table(("Held-out rows of", "Texts", "Macro-F1 of nlpkit", "of VADER", "Difference", "p"), rows)


def _suites_table(suites: dict[str, dict[str, SuiteResult]]) -> list[str]:
    rows = []
    for name, pair in suites.items():
        unequal = [_rate(pair[who].groups.unequal) if pair[who].groups else "" for who in ("nlpkit", "vader")]  # type: ignore[union-attr]
        rows.append([name, *(_rate(pair[who].failed) for who in ("nlpkit", "vader")), *unequal])
    return table(("Suite", "nlpkit wrong", "VADER wrong", "nlpkit unequal", "VADER unequal"), rows)


def _rate(rate: Rate) -> str:
    low, high = rate.interval
    return f"{rate.value:.1%} ({low:.1%} to {high:.1%})"
