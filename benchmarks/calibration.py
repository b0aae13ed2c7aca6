"""Calibration error and log loss of each way to calibrate, on real answers, by cross-fitting.

Takes the predictions that an evaluation left in a run which calibrates by a temperature only, or of several
labels a text by slope and offset, and takes them back. Each row is then answered by what the rows of other
folds fitted. Of a run that finds opinions: the run and a labeled file.

Example: python -m benchmarks.calibration sst2=runs/a/evaluation/validation.predictions.parquet
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit, logit

from benchmarks.machine import Machine
from benchmarks.opinion_calibration import measure_opinions
from benchmarks.results import FOLDER, earlier_tasks, save, table
from nlpkit.errors import RunError
from nlpkit.metrics.calibration import EQUAL_MASS_ERROR
from nlpkit.metrics.intervals import bootstrap
from nlpkit.metrics.label_probabilities import LOG_LOSS
from nlpkit.metrics.label_sets import CALIBRATION_ERROR
from nlpkit.metrics.label_sets import LOG_LOSS as SET_LOG_LOSS
from nlpkit.metrics.labels import ACCURACY
from nlpkit.metrics.outcomes import LabelOutcomes, LabelSetOutcomes
from nlpkit.metrics.thresholds import fit_scale
from nlpkit.tasks.calibrator import FOLDS, METHODS, crossfitted, fit_calibration
from nlpkit.trust.calibration_rows import kept_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

MEASURED = (ACCURACY, EQUAL_MASS_ERROR, LOG_LOSS)


def outputs_of(path: Path) -> tuple[tuple[str, ...], NDArray[Any], NDArray[Any]]:
    """Return labels, (rows, labels) logits up to a constant for each row, and (rows,) the true labels."""
    rows = kept_rows(path, source=path.name)
    task = json.loads((path.parent.parent / "run.json").read_text(encoding="utf-8"))["task"]
    if task.get("calibrator"):
        raise RunError(f"{path}: a {task['calibrator']['method']} calibration can't be taken back")
    # What is outside of all labels has a probability of its own, whatever the calibration of theirs
    columns = [number for number, label in enumerate(rows.labels) if label != task.get("outside")]
    known = rows.truth[:, columns].any(axis=1)
    probabilities, truth = rows.probabilities[known][:, columns], rows.truth[known][:, columns]
    shares = probabilities / probabilities.sum(axis=1, keepdims=True)
    logits = task.get("temperature", 1.0) * np.log(np.maximum(shares, np.finfo(float).tiny))
    return tuple(rows.labels[number] for number in columns), logits, truth.argmax(axis=1)


def measure_several(path: Path, task: Mapping[str, Any], *, seed: int) -> dict[str, Any]:
    """Return the same for several labels a text: with and without slope and offset."""
    rows = kept_rows(path, source=path.name)
    tiny = np.finfo(float).eps
    logits = (logit(rows.probabilities.clip(tiny, 1 - tiny)) - task["offset"]) / task["slope"]
    fold = np.random.default_rng(seed).permutation(len(rows)) % FOLDS
    answers = {"none": expit(logits), "slope and offset": np.empty_like(logits)}
    for number in range(FOLDS):
        slope, offset = fit_scale(logits[fold != number], rows.truth[fold != number])
        answers["slope and offset"][fold == number] = expit(slope * logits[fold == number] + offset)
    methods = {}
    for method, probabilities in answers.items():
        outcomes = LabelSetOutcomes(
            labels=rows.labels, truth=rows.truth, probabilities=probabilities, given=probabilities > 0.5
        )
        scores = bootstrap(outcomes, (CALIBRATION_ERROR, SET_LOG_LOSS), seed=seed)
        error, loss = scores[CALIBRATION_ERROR.name], scores[SET_LOG_LOSS.name]
        methods[method] = {
            ACCURACY.name: {"value": float((outcomes.given == rows.truth).mean())},
            EQUAL_MASS_ERROR.name: {"value": error.value, "low": error.low, "high": error.high},
            LOG_LOSS.name: {"value": loss.value, "low": loss.low, "high": loss.high},
        }
    return {"rows": len(rows), "labels": len(rows.labels), "chosen": "slope and offset", "methods": methods}


def measure(path: Path, *, seed: int) -> dict[str, Any]:
    """Return for each method accuracy, calibration error and log loss, and which one a training chooses."""
    task = json.loads((path.parent.parent / "run.json").read_text(encoding="utf-8"))["task"]
    if "slope" in task:
        return measure_several(path, task, seed=seed)
    labels, logits, truth = outputs_of(path)
    methods = {}
    for method, probabilities in crossfitted(logits, truth, METHODS).items():
        outcomes = LabelOutcomes(labels=labels, truth=truth, probabilities=probabilities)
        scores = bootstrap(outcomes, MEASURED, seed=seed)
        methods[method] = {
            name: {"value": score.value, "low": score.low, "high": score.high}
            for name, score in scores.items()
        }
    fitted = fit_calibration(logits, truth)
    plain = "none" if fitted["temperature"] == 1 else "temperature"
    chosen = fitted["calibrator"].method if fitted["calibrator"] else plain
    return {"rows": len(truth), "labels": len(labels), "chosen": chosen, "methods": methods}


def _page(record: Mapping[str, Any]) -> list[str]:
    lines = [
        "Calibration error: 15 bins of equally many texts. In brackets: 95% intervals. Of several "
        "labels a text every label of every text counts, in bins of equal width. Of opinions the rows are "
        "candidates, right or wrong."
    ]
    for name, task in record["tasks"].items():
        rows = []
        for method, scores in task["methods"].items():
            accuracy, error, loss = (scores[metric.name] for metric in MEASURED)
            rows.append(
                (
                    method + (" (chosen)" if method == task["chosen"] else ""),
                    f"{accuracy['value']:.1%}",
                    f"{error['value']:.1%} ({error['low']:.1%} to {error['high']:.1%})",
                    f"{loss['value']:.4f}",
                )
            )
        lines += ["", f"## {name}: {task['rows']:,} rows, {task['labels']} labels", ""]
        lines += table(("method", "accuracy", "calibration error", "log loss"), rows)
    return lines


def bench(predictions: Mapping[str, str], *, results: Path, talk: Callable[[str], None]) -> dict[str, Any]:
    """Measure, write calibration.json and .md, and return the results; earlier ones of other data stay."""
    machine, measured = Machine(), {}
    for name, paths in predictions.items():
        first, *others = map(Path, paths.split(","))
        measured[name] = measure_opinions(first, *others, seed=1) if others else measure(first, seed=1)
    record = {"tasks": earlier_tasks(results, "calibration") | measured}
    title = "Ways to calibrate, by cross-fitting on real answers"
    talk(save(results, "calibration", record, title=title, machine=machine, lines=_page(record), timed=False))
    return record


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calibration", description=__doc__)
    parser.add_argument("predictions", nargs="+", metavar="NAME=FILE.parquet|RUN,FILE")
    parser.add_argument("--results", type=Path, default=FOLDER)
    asked = parser.parse_args(arguments)
    named = dict(each.split("=", 1) for each in asked.predictions)
    bench(named, results=asked.results, talk=print)


if __name__ == "__main__":
    main()
