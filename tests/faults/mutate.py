"""Mutation testing of guarded code: `python -m tests.faults.mutate intervals --sample 25 --seed 0`.

Small faults are tried on the unit tests of their module. One that they don't notice is a survivor: a line
that no test holds fast, or a change that changes nothing. The score goes into mutated.json, and from there
into the table of docs/hardening.md.
"""

from __future__ import annotations

import argparse
import datetime
import random
import sys
from pathlib import Path
from typing import NamedTuple

from nlpkit.files import write_whole
from tests.faults import tables
from tests.faults.operators import mutants
from tests.faults.patched import ROOT, Patched


class Guarded(NamedTuple):
    """A module, and the unit tests that hold it fast."""

    module: str
    tests: tuple[str, ...]


RESULTS = Path(__file__).with_name("mutated.json")
UNIT = "tests/unit"
GUARDED = {
    "intervals": Guarded(
        "nlpkit/metrics/intervals.py", (f"{UNIT}/metrics/test_intervals.py", f"{UNIT}/metrics/test_ratio.py")
    ),
    "metrics": Guarded(
        "nlpkit/metrics/labels.py",
        (f"{UNIT}/metrics/test_metrics.py", f"{UNIT}/metrics/test_intervals.py"),
    ),
    "probabilities": Guarded(
        "nlpkit/metrics/label_probabilities.py",
        tuple(f"{UNIT}/metrics/test_{name}.py" for name in ("metrics", "calibration", "intervals")),
    ),
    "calibration": Guarded(
        "nlpkit/metrics/calibration.py",
        (
            f"{UNIT}/metrics/test_calibration.py",
            f"{UNIT}/metrics/test_intervals.py",
            f"{UNIT}/tasks/test_calibrator.py",
        ),
    ),
    "journal": Guarded(
        "nlpkit/scoring/journal.py", (f"{UNIT}/scoring/test_journal.py", f"{UNIT}/scoring/test_score.py")
    ),
    "state": Guarded(
        "nlpkit/scoring/state.py", (f"{UNIT}/scoring/test_score.py", f"{UNIT}/scoring/test_journal.py")
    ),
    "prompts": Guarded(
        "nlpkit/prompts/build.py", (f"{UNIT}/prompts/test_prompt.py", "-k", "not any_conversation")
    ),
    "template": Guarded(
        "nlpkit/prompts/template.py", (f"{UNIT}/prompts/test_prompt.py", "-k", "not any_conversation")
    ),
    "safe_tokenizer": Guarded(
        "nlpkit/prompts/safe_tokenizer.py", (f"{UNIT}/prompts/test_special_tokens.py",)
    ),
    "refusal": Guarded(
        "nlpkit/sources/refusal.py", (f"{UNIT}/sources/test_refusal.py", f"{UNIT}/models/test_run_base.py")
    ),
    "checkpoints": Guarded(
        "nlpkit/training/checkpoints.py",
        (
            f"{UNIT}/training/test_trainer.py",
            "-k",
            "checkpoint or fresh_start",
        ),
    ),
    "store": Guarded("nlpkit/chat/store.py", (f"{UNIT}/chat/test_store.py",)),
    "labels_journal": Guarded("nlpkit/labeling/journal.py", (f"{UNIT}/labeling/test_raters.py",)),
}


def page() -> str:
    """Return the page with today's table."""
    rows = [
        "| module | changes | tried | noticed | survivors | measured |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for name, result in tables.read_results(RESULTS).items():
        survivors = len(result["survivors"])
        rows.append(
            f"| `{GUARDED[name].module.removeprefix('nlpkit/')}` | {result['known']} | {result['tried']} "
            f"| {result['tried'] - survivors} | {survivors} | {result['date']} |"
        )
    return tables.with_table("make mutate", rows)


def main() -> int:
    """Print each survivor and the score; end with 1 where there is a survivor."""
    parser = argparse.ArgumentParser(description="Try small faults on the tests of a module.")
    parser.add_argument("module", choices=sorted(GUARDED))
    parser.add_argument("--sample", type=int, default=25, help="faults to try, at most; default: 25")
    parser.add_argument("--seed", type=int, default=0, help="draws them")
    given = parser.parse_args()
    guarded = GUARDED[given.module]
    path = ROOT / guarded.module
    known = list(mutants(path.read_text(encoding="utf-8")))
    chosen = random.Random(given.seed).sample(known, min(given.sample, len(known)))
    tests = Patched(guarded.tests)
    survivors = []
    for mutant in sorted(chosen):
        if not tests.tried_on(path, mutant.text).failed:
            survivors.append(f"{mutant.line}: {mutant.what}")
            print(f"survived: {guarded.module}:{survivors[-1]}", flush=True)
    caught = len(chosen) - len(survivors)
    print(f"{guarded.module}: {caught} of {len(chosen)} faults caught, {len(known)} known")
    result = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "known": len(known),
        "tried": len(chosen),
        "survivors": survivors,
    }
    tables.write_results(RESULTS, tables.read_results(RESULTS) | {given.module: result})
    write_whole(tables.PAGE, page())
    return int(bool(survivors))


if __name__ == "__main__":
    sys.exit(main())
