"""Private training: what is promised is what Opacus accounts for, and a run that learned nothing is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from nlpkit.errors import ConfigError, DataError, RunError
from nlpkit.run import Run
from nlpkit.settings.private import Private
from nlpkit.training.privacy_plan import epsilon_of, find_noise, plan_privacy, row_budget
from nlpkit.training.private_gates import refuse_majority, refuse_unmoved
from tests.conftest import sentences, train_toy, write_csv

PRIVATE = (
    "private={epsilon: 30}",
    "task.labels=[negative, positive]",
    "training.batch_size=400",
    "training.epochs=25",
    "training.lr=0.02",
    "training.evaluations=2",
)
"""Few rows and few weights need a large epsilon to learn anything at all."""


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(tmp_path_factory.mktemp("rows") / "rows.csv", sentences(600))


def private(config: Path, rows: Path, output: Path, *more: str, said: list[str] | None = None) -> Run:
    given = (f"output={output}", f"data.train=[{{source: {rows}}}]", "data.test=0.0", *PRIVATE, *more)
    (path,) = train_toy(config, *given, said=said)
    return Run(path)


@pytest.fixture(scope="module")
def private_run(
    toy_config: Path, rows: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Run, list[str]]:
    said: list[str] = []
    return private(toy_config, rows, tmp_path_factory.mktemp("private"), said=said), said


def test_a_private_run_says_what_it_promises(private_run: tuple[Run, list[str]]) -> None:
    run, said = private_run
    privacy = run.read().privacy
    print("\n".join(said))
    print(privacy)
