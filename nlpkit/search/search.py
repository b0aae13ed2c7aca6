"""Search for settings: trials compared on validation rows, the best reported on rows that no trial saw."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nlpkit.config import find_problems
from nlpkit.errors import ConfigError, NlpkitError
from nlpkit.files import fingerprint
from nlpkit.run import Run
from nlpkit.search.pages import search_report
from nlpkit.search.rows import nested, where_reported
from nlpkit.search.space import in_words, own_values, search_of
from nlpkit.search.study import OpenTrial, Study, Trial
from nlpkit.search.trainings import first_seed, quiet, runs_folder, write_pages
from nlpkit.settings import Search
from nlpkit.training.runs import Evaluations, Progress, TrainOptions, only_trainer
from nlpkit.training.train import TrainingConfig, log_line, read_training
from nlpkit.training.trainer import DivergedError

OWN = "own"
"""The run with the config's own settings, which the best ones are compared with."""


def hyperparameter_search(
    config: Path | str | Mapping[str, Any],
    *,
    overwrite: bool = False,
    check: bool = False,
    given: Sequence[str] = (),
    talk: Callable[[str], None] | None = None,
    progress: Callable[[Progress], None] | None = None,
    **overrides: Any,
) -> list[Run]:
    """Search for the settings in the config's `search:`, train with the best ones, and return the runs.

        runs = nlpkit.hyperparameter_search("search.yaml")

    Trials are compared on validation rows. The run is reported on test rows that no trial saw, and compared
    with a run of the config's own settings. A killed search continues when it is called again. The page is
    `report.html` in the folder `NAME-search` next to the run.

    Args:
        config: a YAML file, the name of a shipped config, or the settings themselves.
        overwrite: delete the search and the run of that name first.
        check: check the space and the training's preflight, write nothing, and return no runs.
        given: overrides as the command line has them, `key.path=value`.
        talk: gets lines for people; default: the log `nlpkit`, warnings at that level.
        progress: gets trials, each with the loss of its training.
        overrides: settings that win over the config's.

    Raises:
        ConfigError: the config or a setting in the space is invalid, or another run or search is there.
        DataError: a file or a row is wrong, or there is nothing to train on.
        NlpkitError: no trial came to its end.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError("search: trials are trained by one process; hint: run it without accelerate launch")
    loaded = read_training(config, given, overrides)
    search, settings, talk = search_of(loaded), loaded.settings(), talk or log_line
    changed = nested(settings, search.test)
    plain = loaded.without("search").merged(changed)
    talk(f"search     {search.trials} trials: {in_words(search)}")
    talk(f"reported   on {where_reported(changed)}; no trial sees them")
    if check:
        return plain.train(TrainOptions(talk=talk, check=True))
    own = own_values(loaded, search)
    folder = runs_folder(settings, "search")
    run = Run(Path(settings.output) / settings.name)
    with only_trainer(Run(folder)):
        if overwrite:
            Run(folder).remove()
        identity = fingerprint(
            {**plain.without("name", "output").tree, "space": search.model_dump(exclude={"trials"})}
        )
        study = Study(folder / "study.sqlite", search, seed=settings.seed, identity=identity)
        try:
            if study.trained is None and not overwrite and any(run.path.glob("**/run.json")):
                raise ConfigError(f"{run.path}: a finished run is there; hint: another name, or --overwrite")
            study.enqueue_first(own)
            page = folder / "report.html"
            if len(study.trials) < search.trials:
                page.unlink(missing_ok=True)
            one = plain.without("behavior").merged({**first_seed(loaded, settings), "output": str(folder)})
            _try_all(study, one, search, talk=talk, progress=progress)
            best = study.best
            if best is None:
                raise NlpkitError(
                    f"{folder}: no trial came to its end; hint: a smaller training.lr, or pruner: none"
                )
            talk(f"best       {_shown(best.values)}")
            options = TrainOptions(talk=talk, overwrite=overwrite or study.trained not in (None, best.values))
            study.trained = best.values
            runs = plain.merged(best.values).train(options)
            if page.is_file():
                return runs
            silent = TrainOptions(talk=quiet, report=False)
            owned = runs[0] if best.values == own else one.merged({"name": OWN}).train(silent)[0]
            report = search_report(runs[0], owned, study, one.merged(best.values).settings(), search)
            talk(f"search: {write_pages(folder, report)}")
            for left in (folder / OWN, *folder.glob("trial-*")):
                Run(left).remove()
        finally:
            study.close()
    return runs


class _EndedError(Exception):
    """Ends a training whose trial is over."""


def _try_all(
    study: Study,
    one: TrainingConfig,
    search: Search,
    *,
    talk: Callable[[str], None],
    progress: Callable[[Progress], None] | None,
) -> None:
    """Try settings until there are as many trials as were asked for."""
    first = True
    while (done := len(study.trials)) < search.trials:
        trial = study.ask()

        def count(at: Progress, done: int = done) -> None:
            if progress:
                progress(Progress(done=done, total=search.trials, loss=at.loss))

        _try(trial, one, TrainOptions(talk=talk if first else quiet, progress=count))
        first = False
        talk(f"trial {done + 1} of {search.trials}: {_outcome(study.trials[-1])}  {_shown(trial.values)}")


def _try(trial: OpenTrial, one: TrainingConfig, options: TrainOptions) -> None:
    """Train with one setting as far as its score, and drop the run."""
    # By its values, so that a killed trial finds its checkpoints
    loaded = one.merged({**trial.values, "name": f"trial-{fingerprint(trial.values)}"})
    if problems := find_problems(loaded.tree, loaded.recipe.Config):
        trial.fail(problems[0])  # settings that are valid alone and not together
        return
    settings = loaded.settings()
    seen: list[Evaluations] = []

    def hear(evaluations: Evaluations) -> None:
        seen.append(evaluations)
        if trial.report(evaluations) or evaluations.final is not None:
            raise _EndedError

    run = Run(Path(settings.output) / settings.name)
    try:
        loaded.train(replace(options, evaluated=hear, report=False))
    except _EndedError:
        trial.end(seen[-1])
    except DivergedError as error:
        trial.fail(str(error))
    else:
        run.remove()
        raise ConfigError(f"recipe {settings.recipe}: reports no evaluations, by which trials are compared")
    run.remove()


def _outcome(trial: Trial) -> str:
    if trial.state == "failed":
        return f"failed: {trial.problem}"
    if trial.state == "stopped":
        return f"stopped after {len(trial.scores)} evaluations at {trial.scores[-1]:.4f}"
    return f"{trial.final:.4f}"


def _shown(values: Mapping[str, Any]) -> str:
    return " ".join(
        f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}"
        for key, value in values.items()
    )
