"""Search for settings: trials compared on validation rows, the best reported on rows that no trial saw."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nlpkit.config import find_problems
from nlpkit.errors import ConfigError, NlpkitError
from nlpkit.files import fingerprint, sha256_of
from nlpkit.run import Run
from nlpkit.search.pages import search_report
from nlpkit.search.rows import nested, where_reported
from nlpkit.search.space import in_words, own_values, search_of
from nlpkit.search.study import OpenTrial, Study, Trial
from nlpkit.search.trainings import PAGE, first_seed, quiet, runs_folder, write_pages
from nlpkit.settings import Scalar, Search
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
    if not settings.data.validation:
        raise ConfigError(
            f"recipe {settings.recipe}: data.validation: no rows by which trials are compared; "
            "expected a share such as 0.1, or a file"
        )
    plain = loaded.without("search").merged(changed)
    talk(f"search     {search.trials} trials: {in_words(search)}")
    talk(f"reported   on {where_reported(changed)}; no trial sees them")
    if check:
        return plain.train(TrainOptions(talk=talk, check=True))
    folder = runs_folder(settings, "search")
    with only_trainer(Run(folder)):
        if overwrite:
            Run(folder).remove()
        identity = {**plain.without("name", "output").tree, "space": search.model_dump(exclude={"trials"})}
        study = Study(
            folder / "study.sqlite",
            search,
            seed=settings.seed,
            identity=fingerprint({**identity, "files": _hashes(plain.settings())}),
        )
        try:
            trained = Path(settings.output) / settings.name
            if study.trained is None and not overwrite and any(trained.glob("**/run.json")):
                raise ConfigError(f"{trained}: a finished run is there; hint: another name, or --overwrite")
            own = own_values(loaded, search)
            study.enqueue_first(own)
            if len(study.trials) < search.trials:
                (folder / PAGE).unlink(missing_ok=True)
            trial_config = plain.without("behavior").merged(
                {**first_seed(loaded, settings), "output": str(folder)}
            )
            _try_all(study, trial_config, search, talk=talk, progress=progress)
            runs = _train_best(study, plain, trained, overwrite=overwrite, talk=talk)
            if not (folder / PAGE).is_file():
                _compare(study, trial_config, search, folder, runs[0], own, talk=talk)
        finally:
            study.close()
    return runs


def _hashes(settings: Any) -> dict[str, str]:
    """Return the SHA-256 of the files that rows come from: trials on other rows are no part of a search."""
    parts = (settings.data.train, settings.data.validation, settings.data.test)
    files = {source.source for part in parts if isinstance(part, tuple) for source in part}
    return {file: sha256_of([Path(file)]) for file in sorted(files) if Path(file).is_file()}


def _train_best(
    study: Study, plain: TrainingConfig, trained: Path, *, overwrite: bool, talk: Callable[[str], None]
) -> list[Run]:
    """Train with the values of the best trial, into the folder `trained`."""
    best = study.best
    if best is None:
        raise NlpkitError(
            f"{trained}: no trial came to its end; hint: a smaller training.lr, or search.pruner=none"
        )
    talk(f"best       {_shown(best.values)}")
    if study.trained not in (None, best.values):  # a search with fewer trials found another
        Run(trained).remove()
    study.trained = best.values  # before the run is there, which else would be taken for another's
    return plain.merged(best.values).train(TrainOptions(talk=talk, overwrite=overwrite))


def _compare(
    study: Study,
    trial_config: TrainingConfig,
    search: Search,
    folder: Path,
    run: Run,
    own: Mapping[str, Scalar] | None,
    *,
    talk: Callable[[str], None],
) -> None:
    """Train with the config's own settings too, write the page, and delete what the run does not need."""
    best = study.trained or {}
    silent = TrainOptions(talk=quiet, report=False)
    owned = run if best == own else trial_config.merged({"name": OWN}).train(silent)[0]
    report = search_report(run, owned, study, trial_config.merged(best).settings(), search)
    talk(f"search: {write_pages(folder, report)}")
    for left in (folder / OWN, *folder.glob("trial-*")):
        Run(left).remove()


class _EndedError(Exception):
    """Ends a training whose trial is over."""


def _try_all(
    study: Study,
    trial_config: TrainingConfig,
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

        _try(trial, trial_config, TrainOptions(talk=talk if first else quiet, progress=count))
        first = False
        talk(f"trial {done + 1} of {search.trials}: {_outcome(study.trials[-1])}  {_shown(trial.values)}")


def _try(trial: OpenTrial, trial_config: TrainingConfig, options: TrainOptions) -> None:
    """Train with one setting as far as its score, and drop the run."""
    # By its values, so that a killed trial finds its checkpoints
    loaded = trial_config.merged({**trial.values, "name": f"trial-{fingerprint(trial.values)}"})
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
        return f"stopped at {trial.scores[-1]:.4f}, evaluation {len(trial.scores)}"
    return f"{trial.final:.4f}"


def _shown(values: Mapping[str, Any]) -> str:
    return " ".join(
        f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}"
        for key, value in values.items()
    )
