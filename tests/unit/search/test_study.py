"""Trials kept in SQLite: what is tried next does not depend on how often the process was killed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nlpkit.errors import ConfigError
from nlpkit.search.study import OpenTrial, Study, Trial
from nlpkit.settings import Range, Search
from nlpkit.training.runs import Evaluations

SEARCH = Search(space={"lr": Range(low=1e-4, high=1e-2, log=True), "rank": (4, 8, None)}, trials=14)


@contextmanager
def opened(path: Path, search: Search = SEARCH, identity: str = "one") -> Iterator[Study]:
    study = Study(path / "study.sqlite", search, seed=1, identity=identity)
    try:
        yield study
    finally:
        study.close()


def score(trial: OpenTrial) -> float:
    """Best at lr 0.001 and rank 8."""
    return (
        0.9 - 0.1 * abs(math.log10(float(trial.values["lr"] or 1) / 1e-3)) - 0.1 * (trial.values["rank"] != 8)
    )


def evaluations(*values: float, final: float | None = None, higher: bool = True) -> Evaluations:
    done = 1.0 if final is not None else len(values) / 3
    return Evaluations(metric="f1", higher_is_better=higher, values=values, done=done, final=final)


def tell(trial: OpenTrial) -> None:
    """Report three evaluations, each nearer to the score, and end where the pruner says so."""
    final = score(trial)
    for count in (1, 2, 3):
        seen = evaluations(*(final - 0.1 * (3 - at) for at in range(1, count + 1)))
        if trial.report(seen):
            trial.end(seen)
            return
    trial.end(evaluations(final - 0.2, final - 0.1, final, final=final))


def plain(trials: list[Trial]) -> list[tuple[object, ...]]:
    return [(trial.values, trial.state, trial.scores, trial.final) for trial in trials]


def test_a_search_killed_at_any_trial_tries_what_it_would_have_tried(tmp_path: Path) -> None:
    with opened(tmp_path / "whole") as study:
        study.enqueue_first({"lr": 5e-3, "rank": 4})
        for _ in range(14):
            tell(study.ask())
        whole, best = plain(study.trials), study.best
        assert len(study.importance()) == 2
    killed: dict[str, object] = {}
    for count in (0, 3, 7, 12):
        with opened(tmp_path / "killed") as study:
            study.enqueue_first({"lr": 5e-3, "rank": 4})
            assert len(study.trials) == count
            if killed:
                again = study.ask()
                assert again.values == killed
                tell(again)
            while len(study.trials) < {0: 3, 3: 7, 7: 12, 12: 14}[count]:
                tell(study.ask())
            if len(study.trials) < 14:
                killed = dict(study.ask().values)  # the process dies here
    with opened(tmp_path / "killed") as study:
        assert plain(study.trials) == whole
        assert study.best is not None
        assert best is not None
        assert study.best.values == best.values
    assert whole[0][0] == {"lr": 5e-3, "rank": 4}
    assert {row[1] for row in whole} == {"completed", "stopped"}


def test_less_may_be_better_and_failed_trials_count_without_a_score(tmp_path: Path) -> None:
    with opened(tmp_path) as study:
        for final in (0.5, 0.3, 0.4):
            trial = study.ask()
            trial.report(evaluations(0.7, higher=False))
            trial.end(evaluations(0.7, final=final, higher=False))
        study.ask().fail("the loss is nan")
        assert study.best is not None
        assert (study.best.final, study.best.scores) == (0.3, (0.7,))
        failed = study.trials[3]
        assert (failed.state, failed.problem, failed.final) == ("failed", "the loss is nan", None)
        assert study.importance() == {}


def test_a_study_of_another_config_is_refused_and_one_with_more_trials_is_not(tmp_path: Path) -> None:
    with opened(tmp_path) as study:
        tell(study.ask())
    with opened(tmp_path, SEARCH.model_copy(update={"trials": 50})) as study:
        assert len(study.trials) == 1
    with pytest.raises(ConfigError, match=r"a search with another space .* hint: --overwrite"):
        Study(tmp_path / "study.sqlite", SEARCH, seed=1, identity="two")


def test_the_last_evaluation_stops_no_trial(tmp_path: Path) -> None:
    with opened(tmp_path) as study:
        for _ in range(6):
            trial = study.ask()
            assert not trial.report(evaluations(0.9, 0.9, 0.9))
            trial.end(evaluations(0.9, 0.9, 0.9, final=0.9))
        assert not study.ask().report(evaluations(0.1, 0.1, 0.1))
        late = study.ask()
        assert late.report(evaluations(0.1))
