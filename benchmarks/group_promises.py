"""Whether promises about errors hold in every group alike, in draws from real answers.

All rows stand for the world: of each topic of tweets, labeled rows are drawn, and independently the texts of
a file, both with replacement. Compared with a promise about the file as a whole.

Example: python -m benchmarks.group_promises --draws 200
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import Machine
from benchmarks.results import FOLDER, save, table
from benchmarks.trust import certain, errors, shown
from benchmarks.tweets import by_built_in, unseen
from nlpkit.trust.calibration_rows import CalibrationRows, joined
from nlpkit.trust.group_promises import bounds_by_group
from nlpkit.trust.promise import Bounds, lowest_threshold
from nlpkit.trust.shares import Tally

MAX_ERRORS = (0.05, 0.1, 0.15, 0.2)
ROWS, LABELED, FILE_ROWS = 3_000, 500, 500
"""Of the world; and of each group the labeled rows, and the texts of a file."""
RULES = ("in every group", "in the whole file")


Outcome = Mapping[float, Mapping[str, Mapping[str, tuple[bool, float]]]]
"""Share of errors -> rule -> group with a promise -> whether it is kept, and the share that is answered."""


def outcome(draw: int, *, rows: CalibrationRows, seed: int) -> Outcome:
    """Return what becomes of the promises in one draw."""
    random = np.random.default_rng((seed, draw))
    held, file = (
        {group: of.taken(random.integers(len(of), size=size)) for group, of in rows.by_group().items()}
        for size in (LABELED, FILE_ROWS)
    )
    bounds_of = _bounds(held, file, seed)
    outcomes: dict[float, dict[str, dict[str, tuple[bool, float]]]] = {}
    for error in MAX_ERRORS:
        outcomes[error] = {rule: {} for rule in RULES}
        for rule, bounds in bounds_of.items():
            for group, of in bounds.items():
                least = lowest_threshold(of.thresholds, of.bounds, error)
                if least is not None:
                    given = certain(file[group]) >= least
                    outcomes[error][rule][group] = errors(file[group], given) <= error, float(given.mean())
    return outcomes


def measure(rows: CalibrationRows, *, draws: int, seed: int, processes: int) -> dict[str, Any]:
    """Return for each share of errors and each rule how often all groups keep it, and what is answered."""
    with ProcessPoolExecutor(processes) as pool:
        outcomes = list(pool.map(partial(outcome, rows=rows, seed=seed), range(draws)))
    world = rows.by_group()
    return {
        "groups": {
            group: {"rows": len(of), "errors": errors(of, np.ones(len(of), dtype=bool))}
            for group, of in world.items()
        },
        "promises": {
            f"{error:.0%}": {
                "rules": {rule: _rule([each[error][rule] for each in outcomes]) for rule in RULES},
                "groups": {
                    group: _group([each[error][RULES[0]] for each in outcomes], group) for group in world
                },
            }
            for error in MAX_ERRORS
        },
    }


def _bounds(
    held: Mapping[str, CalibrationRows], file: Mapping[str, CalibrationRows], seed: int
) -> dict[str, dict[str, Bounds]]:
    """Return for each rule the bounds of each group that has them."""
    tallies = {group: _tally(of) for group, of in file.items()}
    by_group, _ = bounds_by_group(joined(held), tallies, groups=held, max_error=1, seed=seed)
    every, whole = {"all": _tally(joined(file))}, replace(joined(held), groups=("all",) * LABELED * len(held))
    of_file, _ = bounds_by_group(whole, every, groups=every, max_error=1, seed=seed)
    return {RULES[0]: by_group, RULES[1]: dict.fromkeys(file, of_file["all"]) if of_file else {}}


def curve(rows: CalibrationRows, *, seed: int) -> dict[str, list[float]]:
    """Return, for thresholds, the share of the rows that are answered, their errors, and the bound for a file
    like them: what a model card's promises come from.
    """
    bounds = Bounds.of(rows, _tally(rows), is_set=False, seed=seed)
    answered = [certain(rows) >= least for least in bounds.thresholds]
    return {
        "answered": [float(each.mean()) for each in answered],
        "errors": [errors(rows, each) for each in answered],
        "bound": bounds.bounds.tolist(),
    }


def _tally(rows: CalibrationRows) -> Tally:
    tally = Tally(len(rows.labels), seed=1)
    tally.add(rows.probabilities, rows.given)
    return tally


def _rule(made: Sequence[Mapping[str, tuple[bool, float]]]) -> dict[str, float | None]:
    kept = [all(is_kept for is_kept, _ in of.values()) for of in made if of]
    return {"made": len(kept) / len(made), "kept": float(np.mean(kept)) if kept else None}


def _group(made: Sequence[Mapping[str, tuple[bool, float]]], group: str) -> dict[str, float | None]:
    answered = [of[group][1] for of in made if group in of]
    return {
        "made": len(answered) / len(made),
        "kept": float(np.mean([of[group][0] for of in made if group in of])) if answered else None,
        "answered": float(np.mean(answered)) if answered else None,
    }


def _page(record: Mapping[str, Any]) -> list[str]:
    head = ("errors at most", "promised", "made in", "kept in all groups, of these")
    rules = [
        (error, rule, shown(of["made"]), shown(of["kept"]))
        for error, made in record["promises"].items()
        for rule, of in made["rules"].items()
    ]
    errors_of = list(record["promises"])
    groups = [
        (
            group,
            f"{of['rows']:,}",
            shown(of["errors"]),
            *(
                f"{shown(made['groups'][group]['made'])}, {shown(made['groups'][group]['answered'])}"
                for made in record["promises"].values()
            ),
        )
        for group, of in record["groups"].items()
    ]
    titles = ("topic", "tweets", "errors without a promise", *(f"at most {error}" for error in errors_of))
    return [
        f"{record['rows']:,} tweets that the built-in classifier was not trained on, in "
        f"{len(record['groups'])} topics; of each {LABELED} labeled rows, and {FILE_ROWS} texts of a file; "
        f"{record['draws']} draws.",
        "",
        *table(head, rules),
        "",
        "By topic, where it is promised in every group: how often there is a promise, and the share of the "
        "texts that get a label then.",
        "",
        *table(titles, groups),
    ]


def bench(
    rows: CalibrationRows,
    *,
    draws: int,
    processes: int,
    results: Path,
    talk: Callable[[str], None],
) -> dict[str, Any]:
    """Measure, write group-promises.json and .md, and return the results; the rows have groups."""
    machine = Machine()
    record = {
        "rows": len(rows),
        "draws": draws,
        "curve": curve(rows, seed=1),
        **measure(rows, draws=draws, seed=1, processes=processes),
    }
    title = "Promises about errors in every group, in draws from real answers"
    page = _page(record)
    talk(save(results, "group-promises", record, title=title, machine=machine, lines=page, timed=False))
    return record


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.group_promises", description=__doc__)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--processes", type=int, default=1, help="that share the draws")
    parser.add_argument("--results", type=Path, default=FOLDER)
    asked = parser.parse_args(arguments)
    _, tweets = unseen(ROWS, seed=1)
    bench(
        by_built_in(tweets),
        draws=asked.draws,
        processes=asked.processes,
        results=asked.results,
        talk=print,
    )


if __name__ == "__main__":
    main()
