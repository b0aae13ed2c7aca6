"""Whether NVFlare's simulator and its processes over TLS train what one process trains, bit by bit.

A tiny model of random weights, two sites, four rounds. The engine's server is killed after a round and the
same command resumes; all that passes over the wire of the processes is encrypted, and the files that the
engine leaves are searched for texts and pickles.

Example: python -m benchmarks.federated_engines simulator processes
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import Machine
from benchmarks.results import FOLDER, save, table
from benchmarks.tiny import tiny_run, tiny_texts
from nlpkit.federated.rounds import Ledger, recorded_rounds
from nlpkit.files import sha256_of, write_whole
from nlpkit.run import Run

ROUNDS = 4
LIMIT_S = 900.0
PICKLES = ("*.pt", "*.pth", "*.pkl", "*.bin")


def config(folder: Path, base: Path, engine: str) -> Path:
    """Write the sites' files, each text with a mark of its own, and a config."""
    draw = random.Random(1)
    for number, site in enumerate(("clinic", "lab")):
        texts = tiny_texts(120, seed=number)
        rows = [(f"{text} {site}secret", draw.choice(("negative", "positive"))) for text in texts]
        with (folder / f"{site}.csv").open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([("text", "label"), *rows])
    sites = {
        site: {"train": str(folder / f"{site}.csv"), "validation": 0.3, "near_duplicates": 1.0}
        for site in ("clinic", "lab")
    }
    settings: dict[str, Any] = {
        "recipe": "federated", "name": engine, "output": str(folder / "runs"), "sites": sites,
        "task": {"kind": "polarity", "labels": ["negative", "positive"]}, "base": {"source": str(base)},
        "federation": {"rounds": ROUNDS, "engine": engine}, "compare": False, "text_hashes": False,
        "training": {"lr": 0.01},
    }  # fmt: skip
    path = folder / f"{engine}.yaml"
    write_whole(path, json.dumps(settings, indent=2))  # JSON is YAML
    return path


def train_and_kill(path: Path, run: Run, *, kill: bool) -> dict[str, Any]:
    """Train by the command line; with `kill`, kill all after the first round, and resume."""
    started, killed_after = time.monotonic(), None
    command = [sys.executable, "-m", "nlpkit", "train", str(path)]
    if kill:
        process = subprocess.Popen(command, start_new_session=True)
        while process.poll() is None and not (killed_after := _rounds(run)):
            if time.monotonic() - started > LIMIT_S:
                break
            time.sleep(0.2)
        left = inspect(run.checkpoints / "nvflare")
        for group in _sessions(process.pid):
            os.killpg(group, signal.SIGKILL)
        process.wait()
    else:
        left = {}
    subprocess.run(command, check=True, timeout=LIMIT_S)
    return {
        "seconds": round(time.monotonic() - started, 1),
        "killed_after_round": killed_after,
        "adapter_sha256": sha256_of([run.adapter / "adapter_model.safetensors"]),
        "bytes_a_round": sum(site.sent + site.received for site in recorded_rounds(run.read().data)[0].sites),
        **left,
    }


def _rounds(run: Run) -> int:
    try:
        return len(Ledger(run.checkpoints, "").rounds)
    except OSError:  # an older checkpoint has just gone
        return 0


def _sessions(number: int) -> list[int]:
    """Return the process group of a process and those of its children, on Linux."""
    groups, waiting = [], [number]
    while waiting:
        parent = waiting.pop()
        try:
            groups.append(os.getpgid(parent))
            tasks = Path(f"/proc/{parent}/task").glob("*/children")
            waiting += [int(child) for task in tasks for child in task.read_text().split()]
        except (OSError, ValueError):  # it has just ended
            continue
    return sorted(set(groups) - {os.getpgid(0)})


def inspect(folder: Path) -> dict[str, Any]:
    """Look for pickles, and for texts of the sites, in all that the engine has written while it runs."""
    files = [path for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []
    return {
        "files_of_the_engine": len(files),
        "pickles": sorted(path.name for pattern in PICKLES for path in folder.rglob(pattern)),
        "files_with_texts": sorted(
            str(path.relative_to(folder))
            for path in files
            if any(mark in _bytes(path) for mark in (b"clinicsecret", b"labsecret"))
        ),
    }


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.federated_engines", description=__doc__)
    parser.add_argument("engines", nargs="*", default=["simulator", "processes"])
    parser.add_argument("--folder", type=Path, default=Path("runs/bench-federated-engines"))
    parser.add_argument("--results", type=Path, default=FOLDER)
    asked = parser.parse_args(arguments)
    machine = Machine()
    shutil.rmtree(asked.folder, ignore_errors=True)
    asked.folder.mkdir(parents=True)
    base = tiny_run(asked.folder).parent / "base"
    results = {}
    for engine in ("here", *asked.engines):
        path = config(asked.folder, base, engine)
        results[engine] = train_and_kill(path, Run(asked.folder / "runs" / engine), kill=engine != "here")
    page = save(
        asked.results, "federated-engines", {"engines": results}, title="Engines of federated training",
        machine=machine, lines=_page(results), timed=False,
    )  # fmt: skip
    print(page)


def _page(results: Mapping[str, Mapping[str, Any]]) -> list[str]:
    rows = [
        (
            engine, each["killed_after_round"] or "no", f"{each['bytes_a_round']:,}",
            each.get("files_of_the_engine", 0), len(each.get("pickles", ())),
            len(each.get("files_with_texts", ())), each["adapter_sha256"][:12],
        )
        for engine, each in results.items()
    ]  # fmt: skip
    head = (
        "engine", "killed after round", "bytes a round", "files of the engine", "pickles",
        "files with texts", "SHA-256 of the adapter",
    )  # fmt: skip
    return [
        f"A tiny model, two sites, {ROUNDS} rounds; all processes are killed after the first round, and the "
        "same command resumes.",
        "",
        *table(head, rows),
    ]


if __name__ == "__main__":
    main()
