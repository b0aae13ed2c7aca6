"""How soon `training.preset: fast` reaches the plain recipe's accuracy, and samples a second beside a plain Trainer with PEFT.

Plain, fast and the peer in turn, each in a process of its own. Every piece is kept in --work: asked again, only what is missing is run.

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
"""Whose steps are measured, and their settings: the preset also as processors without bf16 run it."""

STEPS = 60
"""Optimizer steps that a speed is measured over, after a third as many that are not."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A whole training, from the start of its process to its report."""

    method: str
    seed: int
    accuracy: float
    """On the validation rows, by the saved run as it is served."""
    seconds: float
    cpu_seconds: float
    peak_mb: float
    load: float
    """Processes that wanted to run when it began, on average of a minute."""


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Training steps alone, without looks, checkpoints and what comes before the first."""

    method: str
    round: int
    samples_per_second: float
    samples_per_cpu_second: float


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What to measure, and where its pieces are kept."""

    data: Path
    work: Path
    seeds: Sequence[int]
    rounds: int
    methods: Sequence[str]
    overrides: Sequence[str]

    def sources(self) -> list[str]:
        """The overrides that every training gets."""
        train, held = self.data / "train.jsonl", self.data / "dev.jsonl"
        return [f"data.train.0.source={train}", f"data.validation.0.source={held}", *self.overrides]


def trained(asked: Asked, method: str, seed: int) -> Trained:
    """One training, now or from before."""
    kept = asked.work / f"{method}-{seed}.json"
    if not kept.is_file():
        load = Machine().load
        name = f"{method}-{seed}"
        precision = ["training.precision=fp32"] if method == "plain" else []
        command = [
            "-m",
            "nlpkit",
            "train",
            str(RECIPES[method]),
            f"output={asked.work}",
            f"name={name}",
            f"seeds=[{seed}]",
            "--overwrite",
        ]
        child = run_child([*command, *precision, *asked.sources()], threads=1)
        report = json.loads(
            (asked.work / name / "evaluation" / "validation.json").read_text(encoding="utf-8")
        )
        found = Trained(
            method=method, seed=seed, accuracy=report["scores"]["accuracy"]["value"],
            seconds=child.seconds, cpu_seconds=child.cpu_seconds, peak_mb=child.peak_mb, load=load,
        )  # fmt: skip
        write_whole(kept, json.dumps(asdict(found)))
    return Trained(**json.loads(kept.read_text(encoding="utf-8")))


def speed(asked: Asked, method: str, number: int) -> Speed:
    """One measurement of the steps, now or from before."""
    kept = asked.work / f"speed-{method.replace(' ', '-')}-{number}.json"
    if not kept.is_file():
        who, source = ("peer" if method == "peer" else "nlpkit"), RECIPES.get(method, RECIPES["fast"])
        command = [
            "-m",
            "benchmarks.training_steps",
            who,
            str(source),
            str(STEPS),
            *asked.sources(),
            *SPEEDS[method],
        ]
        found = json.loads(run_child(command, threads=1).output.splitlines()[-1])
        write_whole(kept, json.dumps(asdict(Speed(method=method, round=number, **found))))
    return Speed(**json.loads(kept.read_text(encoding="utf-8")))


def bench(asked: Asked, *, results: Path, talk: Callable[[str], None]) -> str:
    """The page, once it is written."""
    asked.work.mkdir(parents=True, exist_ok=True)
    machine = Machine()
    speeds, trainings = [], []
    for number in range(asked.rounds):
        for method in SPEEDS:
            speeds.append(speed(asked, method, number))
            talk(f"{method}: {speeds[-1].samples_per_cpu_second:.0f} samples a CPU second")
    for seed in asked.seeds:
        for method in asked.methods:
            trainings.append(trained(asked, method, seed))
            talk(
                f"{method}, seed {seed}: {trainings[-1].accuracy:.1%} in {trainings[-1].cpu_seconds:.0f} CPU seconds"
            )
    found = {"trainings": [asdict(one) for one in trainings], "speeds": [asdict(one) for one in speeds]}
    return save(
        results,
        "fast-training",
        found,
        title="The fast preset",
        machine=machine,
        lines=lines(trainings, speeds),
    )


def lines(trainings: Sequence[Trained], speeds: Sequence[Speed]) -> list[str]:
    """The tables."""
    methods = list(dict.fromkeys(one.method for one in trainings))
    of = {method: [one for one in trainings if one.method == method] for method in methods}
    cpu = {method: statistics.mean(one.cpu_seconds for one in of[method]) for method in methods}
    rows = [
        [
            method,
            ", ".join(f"{one.accuracy:.1%}" for one in of[method]),
            f"{statistics.mean(one.accuracy for one in of[method]):.2%}",
            f"{cpu[method]:.0f}",
            f"{statistics.mean(one.seconds for one in of[method]):.0f}",
            f"{cpu[method] / cpu[methods[0]]:.2f}",
            f"{max(one.peak_mb for one in of[method]):.0f}",
        ]
        for method in methods
    ]
    head = ["recipe", "accuracy a seed", "mean", "CPU s a seed", "wall s", f"CPU / {methods[0]}'s", "peak MB"]
    return [*table(head, rows), "", *_speeds(speeds)]


def _speeds(speeds: Sequence[Speed]) -> list[str]:
    def median(method: str, what: str) -> float:
        return statistics.median([float(getattr(one, what)) for one in speeds if one.method == method])

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
    """The median over rounds: what shared a round shared the machine."""
    at: dict[tuple[str, int], float] = {(one.method, one.round): one.samples_per_cpu_second for one in speeds}
    return statistics.median(at[method, number] / at["peer", number] for name, number in at if name == "peer")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fast_training", description=__doc__.splitlines()[0] if __doc__ else None
    )
    parser.add_argument(
        "--data", type=Path, required=True, help="a folder with train.jsonl and dev.jsonl of SST-2"
    )
    parser.add_argument(
        "--work", type=Path, required=True, help="the folder that keeps what was measured, to go on from"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--rounds", type=int, default=3, help="of measuring the steps")
    parser.add_argument("--methods", nargs="+", choices=list(RECIPES), default=list(RECIPES))
    parser.add_argument("--results", type=Path, default=FOLDER)
    parser.add_argument(
        "overrides", nargs="*", help="settings of all trainings, such as training.max_steps=10"
    )
    given: Any = parser.parse_args(arguments)
    asked = Asked(
        data=given.data,
        work=given.work,
        seeds=given.seeds,
        rounds=given.rounds,
        methods=given.methods,
        overrides=given.overrides,
    )
    try:
        print(bench(asked, results=given.results, talk=lambda text: print(text, file=sys.stderr, flush=True)))
    except NlpkitError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
