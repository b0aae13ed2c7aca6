"""Private training: accuracy at several epsilons, the worst group's, and what an attack finds out about each.

Half of the drawn rows are trained on; the attack tells them from the other half. With --shadows, as many runs
are trained on other halves, for attacks by likelihood ratio: use a small base. Results are written after each
epsilon, and added to those of other data and epsilons. A killed benchmark goes on from --work.

Example: python -m benchmarks.privacy sst2=train.jsonl,dev.jsonl --base minilm-l6 --rows 10000
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.machine import Machine
from benchmarks.results import FOLDER, earlier_tasks, save, table
from nlpkit.classifiers.classifier import Classifier
from nlpkit.data.near import normalized
from nlpkit.errors import NlpkitError, RunError
from nlpkit.files import fingerprint
from nlpkit.reports.report import Report
from nlpkit.run import Run
from nlpkit.settings.data import DataSource
from nlpkit.tasks.polarity import Polarity
from nlpkit.tasks.reading import read_examples
from nlpkit.training.train import train
from nlpkit.trust.membership import (
    attack,
    confidences,
    highest_auc,
    likelihood_ratios,
    log_probabilities,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

INFINITY = math.inf
"""The epsilon of a training that is not private."""

Row = tuple[str, str]
"""A text and its label."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What is trained on, with what, and where the runs lie."""

    pool: Sequence[Row]
    """Half of them are trained on, the other half is not."""
    validation: Sequence[Row]
    test: DataSource
    """Measured on, with a column `by` of groups or without."""
    labels: tuple[str, ...]
    base: str
    training: Mapping[str, Any]
    work: Path

    def halves(self, number: int) -> NDArray[Any]:
        """Return (pool,) whether a row is trained on. 0 is the attacked run; 3 has the rows that 2 lacks."""
        order = np.random.default_rng(number // 2).permutation(len(self.pool))
        inside = np.zeros(len(self.pool), dtype=bool)
        inside[order[: len(order) // 2]] = True
        return inside if number % 2 == 0 else ~inside


def draw_rows(path: str, labels: tuple[str, ...], count: int, held: int, *, seed: int) -> list[Row]:
    """Return twice `count` rows and `held` more, each text once, in random order.

    Raises:
        RunError: there are fewer.
    """
    examples = read_examples(Polarity(labels=labels), [DataSource(source=path)], seed=seed).examples
    distinct = {normalized(example.text): (example.text, str(example.label)) for example in examples}
    if len(distinct) < 2 * count + held:
        raise RunError(
            f"{path}: {len(distinct):,} different texts; expected {2 * count + held:,}; hint: fewer --rows"
        )
    return random.Random(seed).sample(list(distinct.values()), 2 * count + held)


def trained(setup: Setup, epsilon: float, number: int) -> Run:
    """Return the run of one half at an epsilon; one that is there already is kept."""
    inside = setup.halves(number)
    folder = setup.work / f"epsilon-{epsilon:g}"
    rows = [row for row, is_inside in zip(setup.pool, inside, strict=True) if is_inside]
    config: dict[str, Any] = {
        "recipe": "sentiment", "name": f"half-{number}", "output": str(folder), "seeds": [number + 1],
        "task": {"kind": "polarity", "labels": list(setup.labels)},
        "data": {
            "train": _write(folder / f"train-{number}.csv", rows),
            "validation": [_write(folder / "validation.csv", setup.validation)],
            "test": [setup.test.model_dump(exclude_unset=True)] if number == 0 else 0.0,
        },
        "base": {"source": setup.base, "dropout": 0.0},
        "training": {"precision": "fp32", **setup.training},
        "text_hashes": False,
    }  # fmt: skip
    private = {} if epsilon == INFINITY else {"private": {"epsilon": epsilon}}
    return train(config | private)


def _write(path: Path, rows: Sequence[Row]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    return str(path)


def measure(setup: Setup, epsilon: float, shadows: int, talk: Callable[[str], None]) -> dict[str, Any]:
    """Train at one epsilon, and return what the run is worth and what is found out about its rows.

    A private training that is refused is one of the results: its reason is.
    """
    try:
        run = trained(setup, epsilon, 0)
    except NlpkitError as error:
        talk(f"epsilon {epsilon:g}: refused: {error}")
        return {"refused": str(error)}
    privacy = run.read().privacy
    report = Report.from_json((run.evaluation / "test.json").read_text(encoding="utf-8"))
    worst = [section.caption for section in report.sections if section.id == "groups"]  # type: ignore[union-attr]
    logits, truth = _answers(setup, run)
    inside = setup.halves(0)
    by_loss = log_probabilities(logits, truth)
    measured: dict[str, Any] = {
        "accuracy": report.scores["accuracy"].shown_with_interval,
        "worst_group": worst[0] if worst else "",
        "noise": privacy.get("noise", 0.0),
        "delta": privacy.get("delta", 0.0),
        "highest_auc": highest_auc(epsilon, privacy.get("delta", 0.0)),
        "loss": asdict(attack(by_loss[inside], by_loss[~inside])),
    }
    if shadows:
        measured["ratio"] = _by_ratio(setup, epsilon, shadows, confidences(logits, truth))
    return measured


def _by_ratio(setup: Setup, epsilon: float, shadows: int, target: NDArray[Any]) -> dict[str, Any]:
    numbers = range(2, 2 + shadows)
    try:
        runs = [trained(setup, epsilon, number) for number in numbers]
        answers = np.array([confidences(*_answers(setup, run)) for run in runs])
        inside = np.array([setup.halves(number) for number in numbers])
        ratios, members = likelihood_ratios(target, answers, inside), setup.halves(0)
        return asdict(attack(ratios[members], ratios[~members]))
    except NlpkitError as error:
        return {"refused": str(error)}


def _answers(setup: Setup, run: Run) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the logits of all rows of the pool, and the numbers of their labels."""
    texts, labels = zip(*setup.pool, strict=True)
    return Classifier.load(run).logits(list(texts)), np.array([setup.labels.index(each) for each in labels])


def summary(measured: Mapping[str, Mapping[str, Any]]) -> list[Sequence[str]]:
    """Return a row for each epsilon, the smallest first."""
    rows: list[Sequence[str]] = []
    for epsilon, each in sorted(measured.items(), key=lambda item: float(item[0])):
        if reason := each.get("refused"):
            rows.append((epsilon, f"refused: {reason.split(';')[0]}", "–", "–", "–", "–", "–"))
            continue
        loss, ratio = each["loss"], each.get("ratio", {})
        worst = each["worst_group"].removeprefix("Worst: ") or "–"
        highest = f"{each['highest_auc']:.3f}"
        rows.append(
            (epsilon, each["accuracy"], worst, _auc(loss), f"{loss['recall']:.1%}", _auc(ratio), highest)
        )
    return rows


def _auc(result: Mapping[str, Any]) -> str:
    if "auc" not in result:
        return "–"
    return f"{result['auc']:.3f} ({result['low']:.3f} to {result['high']:.3f})"


def _page(tasks: Mapping[str, Any]) -> list[str]:
    head = (
        "epsilon", "accuracy", "worst group", "AUC by loss", "members found at 1% false alarms",
        "AUC by likelihood ratio", "highest AUC that epsilon permits",
    )  # fmt: skip
    lines = []
    for name, task in tasks.items():
        shadows = f", {task['shadows']} shadow runs" if task["shadows"] else ""
        about = f"{task['members']:,} rows trained on, {task['others']:,} not; {task['test']}{shadows}."
        lines += [f"## {name}", "", about, "", *table(head, summary(task["measured"])), ""]
    return lines[:-1]


def bench(
    name: str,
    setup: Setup,
    *,
    epsilons: Sequence[float],
    shadows: int,
    results: Path,
    talk: Callable[[str], None],
) -> dict[str, Any]:
    """Measure each epsilon, write privacy.json and privacy.md, and return the results."""
    machine, tasks, page = Machine(), earlier_tasks(results, "privacy"), ""
    settings: dict[str, Any] = {"base": setup.base, "training": dict(setup.training)}
    settings |= {"members": len(setup.pool) // 2, "shadows": shadows}
    key = f"{name}, {setup.base}, {settings['members']:,} rows, {fingerprint(settings)[:6]}"
    task = tasks.setdefault(key, {**settings, "measured": {}})
    task |= {"others": len(setup.pool) - settings["members"], "test": Path(setup.test.source).name}
    for epsilon in epsilons:
        task["measured"][f"{epsilon:g}"] = measure(setup, epsilon, shadows, talk)
        talk(json.dumps({f"epsilon {epsilon:g}": task["measured"][f"{epsilon:g}"]}))
        page = save(
            results, "privacy", {"tasks": tasks},
            title="Private training: accuracy, and what attacks find out", machine=machine,
            lines=_page(tasks), timed=False,
        )  # fmt: skip
    talk(page)
    return tasks


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.privacy", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("data", metavar="NAME=TRAIN,TEST", help="files with the columns text and label")
    parser.add_argument("--labels", nargs="+", default=["negative", "positive"])
    parser.add_argument("--by", help="the column of TEST with groups")
    parser.add_argument("--base", default="minilm-l6")
    parser.add_argument("--rows", type=int, default=2_000, help="to train on; as many are left out")
    parser.add_argument("--validation", type=int, default=500)
    parser.add_argument("--epsilon", type=float, nargs="+", default=[INFINITY, 8, 4, 1])
    parser.add_argument("--shadows", type=int, default=0, help="an even number, four or more; 0 for none")
    parser.add_argument("--epochs", type=float, default=10)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--work", type=Path, default=Path("runs/privacy"))
    parser.add_argument("--results", type=Path, default=FOLDER)
    asked = parser.parse_args(arguments)
    name, files = asked.data.split("=", 1)
    source, test = files.split(",")
    labels = tuple(asked.labels)
    rows = draw_rows(source, labels, asked.rows, asked.validation, seed=1)
    groups = {"by": asked.by} if asked.by else {}
    setup = Setup(
        pool=rows[: 2 * asked.rows], validation=rows[2 * asked.rows :],
        test=DataSource.model_validate({"source": test, **groups}), labels=labels, base=asked.base,
        training={"epochs": asked.epochs, "batch_size": asked.batch_size, "lr": asked.lr},
        work=asked.work / name,
    )  # fmt: skip
    bench(name, setup, epsilons=asked.epsilon, shadows=asked.shadows, results=asked.results, talk=print)


if __name__ == "__main__":
    main()
