"""The trials of a search in a SQLite file, by Optuna: what to try next, and what became of it.

A study holds Optuna's trials; a `Trial` is one of them as the rest of the package sees it. Scores go into the
study so that more is better; a `Trial` has them as they were measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from nlpkit.errors import ConfigError, optional
from nlpkit.settings import Range, Scalar, Search
from nlpkit.training.runs import Evaluations

LEAST_COMPLETED = 8
"""Completed trials below which importance is not estimated."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One setting that was tried."""

    values: dict[str, Scalar]
    state: Literal["completed", "stopped", "failed"]
    scores: tuple[float, ...]
    """Of its evaluations."""
    final: float | None
    """Of the model that the training ended with; None where it was stopped or failed."""
    seconds: float
    problem: str = ""
    """Why it failed."""


class Study:
    """The trials of one search."""

    def __init__(self, path: Path, search: Search, *, seed: int, identity: str) -> None:
        """Open the study in a file, or begin one.

        Args:
            path: of the SQLite file.
            search: the space, and how trials are stopped early.
            seed: draws the settings; the same trials follow from it, however often the search is killed.
            identity: of the config: a study of another one is refused.

        Raises:
            ConfigError: Optuna is not installed, or the study belongs to another config.
        """
        self._optuna: Any = optional("optuna", extra="search")
        self._optuna.logging.set_verbosity(self._optuna.logging.WARNING)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._storage = self._optuna.storages.RDBStorage(f"sqlite:///{path.absolute()}")
        self._search, self._seed, self._states = search, seed, self._optuna.trial.TrialState
        pruners = self._optuna.pruners
        pruner = (
            pruners.MedianPruner(n_startup_trials=5) if search.pruner == "median" else pruners.NopPruner()
        )
        self._study = self._optuna.create_study(
            storage=self._storage, study_name="search", direction="maximize", load_if_exists=True,
            pruner=pruner,
        )  # fmt: skip
        if self._study.user_attrs.setdefault("identity", identity) != identity:
            self.close()
            raise ConfigError(
                f"{path}: a search with another space or other settings is there; "
                "hint: --overwrite, or another name, as with name=other"
            )
        self._study.set_user_attr("identity", identity)

    def close(self) -> None:
        """Close the file."""
        self._storage.remove_session()
        self._storage.engine.dispose()

    def enqueue_first(self, values: Mapping[str, Scalar] | None) -> None:
        """Try these values first, if nothing was tried yet."""
        if values is not None and not self._study.get_trials(deepcopy=False):
            self._study.enqueue_trial(dict(values))

    @property
    def trials(self) -> list[Trial]:
        """Those that came to an end, in order."""
        sign, completed = 1 if self.higher_is_better else -1, self._states.COMPLETE
        return [
            Trial(
                values={key: ended.params[key] for key in self._search.space},
                state="failed" if "problem" in ended.user_attrs
                else "completed" if ended.state == completed else "stopped",
                scores=tuple(sign * value for _, value in sorted(ended.intermediate_values.items())),
                final=sign * ended.value if ended.state == completed else None,
                seconds=(ended.datetime_complete - ended.datetime_start).total_seconds(),
                problem=ended.user_attrs.get("problem", ""),
            )
            for ended in self._study.get_trials(states=(completed, self._states.PRUNED))
        ]  # fmt: skip

    @property
    def metric(self) -> str:
        """What trials are compared by; empty before the first evaluation."""
        return str(self._study.user_attrs.get("metric", ""))

    @property
    def higher_is_better(self) -> bool:
        """Whether more of the metric is better."""
        return bool(self._study.user_attrs.get("higher_is_better", True))

    @property
    def best(self) -> Trial | None:
        """The completed trial with the best score, the first of equals; None before one is completed."""
        sign = 1 if self.higher_is_better else -1
        completed = [trial for trial in self.trials if trial.final is not None]
        return max(completed, key=lambda trial: sign * (trial.final or 0.0), default=None)

    @property
    def trained(self) -> dict[str, Scalar] | None:
        """The values that the run of this search is trained with; None where it is not begun."""
        values: dict[str, Scalar] | None = self._study.user_attrs.get("trained")
        return values

    @trained.setter
    def trained(self, values: Mapping[str, Scalar]) -> None:
        self._study.set_user_attr("trained", dict(values))

    def ask(self) -> OpenTrial:
        """Return the next setting to try: that of a killed trial, if there is one."""
        import numpy as np

        for killed in self._study.get_trials(states=(self._states.RUNNING,)):
            self._study.tell(killed.number, state=self._states.FAIL)
            self._study.enqueue_trial(killed.params)
        # A sampler of its own for each trial: what it draws does not depend on when the process began
        state = np.random.SeedSequence([abs(self._seed), len(self.trials)]).generate_state(1)
        self._study.sampler = self._optuna.samplers.TPESampler(seed=int(state[0]))
        asked = self._study.ask()
        values = {key: _suggest(asked, key, tried) for key, tried in self._search.space.items()}
        return OpenTrial(self._study, asked, values, self._states.PRUNED)

    def importance(self) -> dict[str, float]:
        """Return the share of the variance of scores that each key explains (fANOVA, Hutter et al. 2014).

        It is empty where too few trials are completed, or all have the same score.
        """
        completed = [trial.final for trial in self.trials if trial.final is not None]
        if len(completed) < LEAST_COMPLETED or len(set(completed)) == 1:
            return {}
        fanova = self._optuna.importance.FanovaImportanceEvaluator(seed=self._seed)
        return dict(self._optuna.importance.get_param_importances(self._study, evaluator=fanova))


class OpenTrial:
    """A setting while it is tried."""

    def __init__(self, study: Any, trial: Any, values: dict[str, Scalar], pruned: Any) -> None:
        self._study, self._trial, self._pruned, self._reported = study, trial, pruned, 0
        self.values = values

    def report(self, evaluations: Evaluations) -> bool:
        """Store the scores that are new; return whether the trial is to be stopped."""
        self._study.set_user_attr("metric", evaluations.metric)
        self._study.set_user_attr("higher_is_better", evaluations.higher_is_better)
        for value in evaluations.values[self._reported :]:
            self._reported += 1
            self._trial.report(value if evaluations.higher_is_better else -value, self._reported)
        return evaluations.done < 1 and bool(self._trial.should_prune())

    def end(self, evaluations: Evaluations) -> None:
        """End the trial: completed with the score of its model, or stopped before it had one."""
        final = evaluations.final
        if final is None:
            self._study.tell(self._trial, state=self._pruned)
        else:
            self._study.tell(self._trial, final if evaluations.higher_is_better else -final)

    def fail(self, problem: str) -> None:
        """End the trial without a score."""
        self._trial.set_user_attr("problem", problem)
        self._study.tell(self._trial, state=self._pruned)


def _suggest(trial: Any, key: str, values: Range | tuple[Scalar, ...]) -> Scalar:
    if not isinstance(values, Range):
        chosen: Scalar = trial.suggest_categorical(key, list(values))
        return chosen
    if isinstance(values.low, int) and isinstance(values.high, int):
        return int(trial.suggest_int(key, values.low, values.high, log=values.log))
    return float(trial.suggest_float(key, values.low, values.high, log=values.log))
