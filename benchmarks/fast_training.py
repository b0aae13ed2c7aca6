"""Cost of `training.preset: fast` and of the plain recipe, and their speed against a plain Trainer with PEFT.

Plain, fast and the peer take turns, each in a process of its own. Every measurement is kept in --work; when
started again, the benchmark runs only what is missing.

Example: python -m benchmarks.fast_training --data SST2 --work /tmp/fast
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import Machine, run_child
from benchmarks.results import FOLDER, save, table
from nlpkit.errors import NlpkitError
from nlpkit.files import write_whole

CONFIGS = Path(__file__).parent.parent / "recipes" / "configs"
RECIPES = {"plain": CONFIGS / "sst2-minilm.yaml", "fast": CONFIGS / "sst2-fast.yaml"}
SPEEDS = {
    "plain": ["training.precision=fp32"],
    "fast": [],
    "fast in fp32": ["training.precision=fp32"],
    "peer": [],
}
"""Settings of each method whose steps are measured; fp32 is what processors without bf16 use."""

STEPS = 60
"""Optimizer steps that are measured, after a third as many for warming up."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A completed training, from the start of its process to its report."""

    method: str
    seed: int
    accuracy: float
    """On the validation rows, by the saved run as it is served."""
    seconds: float
    cpu_seconds: float
    peak_mb: float
    load: float
    """The load average of the machine when it began."""


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Training steps alone, without evaluations, checkpoints and loading."""

    method: str
    round: int
    samples_per_second: float
    samples_per_cpu_second: float


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to measure, and where the measurements are kept."""

    data: Path
    work: Path
    seeds: Sequence[int]
    rounds: int
    methods: Sequence[str]
    overrides: Sequence[str]

    def sources(self) -> list[str]:
        """Return the overrides that every training gets."""
        train, held = self.data / "train.jsonl", self.data / "dev.jsonl"
        return [f"data.train.0.source={train}", f"data.validation.0.source={held}", *self.overrides]


def trained(plan: Plan, method: str, seed: int) -> Trained:
    """Train once, or read the kept result."""
    kept = plan.work / f"{method}-{seed}.json"
    if not kept.is_file():
        load = Machine().load
        name = f"{method}-{seed}"
        precision = ["training.precision=fp32"] if method == "plain" else []
        command = [
            "-m",
            "nlpkit",
            "train",
            str(RECIPES[method]),
            f"output={plan.work}",
            f"name={name}",
            f"seeds=[{seed}]",
            "--overwrite",
        ]
        child = run_child([*command, *precision, *plan.sources()], threads=1)
        report = json.loads((plan.work / name / "evaluation" / "validation.json").read_text(encoding="utf-8"))
        result = Trained(
            method=method, seed=seed, accuracy=report["scores"]["accuracy"]["value"],
            seconds=child.seconds, cpu_seconds=child.cpu_seconds, peak_mb=child.peak_mb, load=load,
        )  # fmt: skip
        write_whole(kept, json.dumps(asdict(result)))
    return Trained(**json.loads(kept.read_text(encoding="utf-8")))


def speed(plan: Plan, method: str, number: int) -> Speed:
    """Measure the steps once, or read the kept result."""
    kept = plan.work / f"speed-{method.replace(' ', '-')}-{number}.json"
    if not kept.is_file():
        who, source = ("peer" if method == "peer" else "nlpkit"), RECIPES.get(method, RECIPES["fast"])
        command = [
            "-m",
            "benchmarks.training_steps",
            who,
            str(source),
            str(STEPS),
            *plan.sources(),
            *SPEEDS[method],
        ]
        rates = json.loads(run_child(command, threads=1).output.splitlines()[-1])
        write_whole(kept, json.dumps(asdict(Speed(method=method, round=number, **rates))))
    return Speed(**json.loads(kept.read_text(encoding="utf-8")))


def bench(plan: Plan, *, results: Path, talk: Callable[[str], None]) -> str:
    """Measure, write the results and return the Markdown page."""
    plan.work.mkdir(parents=True, exist_ok=True)
    machine = Machine()
    speeds, trainings = [], []
    for number in range(plan.rounds):
        for method in SPEEDS:
            speeds.append(speed(plan, method, number))
            talk(f"{method}: {speeds[-1].samples_per_cpu_second:.0f} samples a CPU second")
    for seed in plan.seeds:
        for method in plan.methods:
            trainings.append(trained(plan, method, seed))
            talk(
                f"{method}, seed {seed}: {trainings[-1].accuracy:.1%} "
                f"in {trainings[-1].cpu_seconds:.0f} CPU seconds"
            )
    record = {
        "trainings": [asdict(training) for training in trainings],
        "speeds": [asdict(speed) for speed in speeds],
    }
    return save(
        results,
        "fast-training",
        record,
        title="The fast preset",
        machine=machine,
        lines=lines(trainings, speeds),
    )


def lines(trainings: Sequence[Trained], speeds: Sequence[Speed]) -> list[str]:
    """Return the lines of the tables."""
    methods = list(dict.fromkeys(training.method for training in trainings))
    of = {method: [training for training in trainings if training.method == method] for method in methods}
    cpu = {method: statistics.mean(training.cpu_seconds for training in of[method]) for method in methods}
    rows = [
        [
            method,
            ", ".join(f"{training.accuracy:.1%}" for training in of[method]),
            f"{statistics.mean(training.accuracy for training in of[method]):.2%}",
            f"{cpu[method]:.0f}",
            f"{statistics.mean(training.seconds for training in of[method]):.0f}",
            f"{cpu[method] / cpu[methods[0]]:.2f}",
            f"{max(training.peak_mb for training in of[method]):.0f}",
        ]
        for method in methods
    ]
    head = ["recipe", "accuracy a seed", "mean", "CPU s a seed", "wall s", f"CPU / {methods[0]}'s", "peak MB"]
    return [*table(head, rows), "", *_speeds(speeds)]


def _speeds(speeds: Sequence[Speed]) -> list[str]:
    def median(method: str, what: str) -> float:
        return statistics.median([float(getattr(speed, what)) for speed in speeds if speed.method == method])

    rows = [
        [
            method,
            *(f"{median(method, what):.0f}" for what in ("samples_per_second", "samples_per_cpu_second")),
            f"{_ratio(speeds, method):.2f}",
        ]
        for method in SPEEDS
    ]
    return table(["steps alone", "samples/s", "samples/CPU s", "CPU ratio to the peer"], rows)


def _ratio(speeds: Sequence[Speed], method: str) -> float:
    """Return the median over rounds of the ratio to the peer of the same round."""
    at: dict[tuple[str, int], float] = {
        (speed.method, speed.round): speed.samples_per_cpu_second for speed in speeds
    }
    return statistics.median(at[method, number] / at["peer", number] for name, number in at if name == "peer")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fast_training", description=__doc__.splitlines()[0] if __doc__ else None
    )
    parser.add_argument(
        "--data", type=Path, required=True, help="a folder with train.jsonl and dev.jsonl of SST-2"
    )
    parser.add_argument(
        "--work", type=Path, required=True, help="the folder that keeps the measurements, to resume from"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--rounds", type=int, default=3, help="how often the steps are measured")
    parser.add_argument("--methods", nargs="+", choices=list(RECIPES), default=list(RECIPES))
    parser.add_argument("--results", type=Path, default=FOLDER)
    parser.add_argument(
        "overrides", nargs="*", help="settings of all trainings, such as training.max_steps=10"
    )
    args: Any = parser.parse_args(arguments)
    plan = Plan(
        data=args.data,
        work=args.work,
        seeds=args.seeds,
        rounds=args.rounds,
        methods=args.methods,
        overrides=args.overrides,
    )
    try:
        print(bench(plan, results=args.results, talk=lambda text: print(text, file=sys.stderr, flush=True)))
    except NlpkitError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
