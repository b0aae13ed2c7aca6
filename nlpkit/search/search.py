"""Search for settings: trials compared on validation rows, the best reported on rows that no trial saw."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from nlpkit.config import find_problems
from nlpkit.errors import ConfigError, NlpkitError
from nlpkit.files import fingerprint, sha256_of
from nlpkit.run import Run
from nlpkit.search.rows import nested, where_reported
from nlpkit.search.search_page import search_report, shown
from nlpkit.search.space import in_words, own_values, search_of
from nlpkit.search.study import Study, Trial
from nlpkit.search.trainings import PAGE, one_seed, quiet, runs_folder, write_pages
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
    talk: Callable[[str], None] = log_line,
    progress: Callable[[Progress], None] = quiet,
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
    search, settings = search_of(loaded), loaded.settings()
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
    folder, trained = runs_folder(settings, "search"), Path(settings.output) / settings.name
    page = folder / PAGE
    trial_config = plain.without("behavior").merged({**one_seed(loaded), "output": str(folder)})
    with only_trainer(Run(folder)):
        if overwrite:
            Run(folder).remove()
        identity = {**plain.without("name", "output").tree, "space": search.model_dump(exclude={"trials"})}
        identity |= {"files": _hashes(plain.settings())}
        study = Study(folder / "study.sqlite", search, seed=settings.seed, identity=fingerprint(identity))
        with closing(study):
            if study.trained is None and not overwrite and any(trained.glob("**/run.json")):
                raise ConfigError(f"{trained}: a finished run is there; hint: another name, or --overwrite")
            own = own_values(loaded, search)
            study.enqueue_first(own)
            if len(study.trials) < search.trials:
                page.unlink(missing_ok=True)
            options = TrainOptions(talk=talk, progress=progress, report=False)
            while len(study.trials) < search.trials:
                _try_next(study, trial_config, search.trials, options)
                options = replace(options, talk=quiet)  # the first trial's preflight is that of all
                talk(f"trial {len(study.trials)} of {search.trials}: {_outcome(study.trials[-1])}")
            runs = _train_best(study, plain, trained, TrainOptions(talk=talk, overwrite=overwrite))
            if not page.is_file():
                best, silent = study.trained or {}, TrainOptions(talk=quiet, report=False)
                own_run = runs[0] if best == own else trial_config.merged({"name": OWN}).train(silent)[0]
                settings = trial_config.merged(best).settings()
                report = search_report(runs[0], own_run, study, settings, search)
                talk(f"search: {write_pages(folder, report)}")
                for left in (folder / OWN, *folder.glob("trial-*")):
                    Run(left).remove()
    return runs


def _train_best(study: Study, plain: TrainingConfig, trained: Path, options: TrainOptions) -> list[Run]:
    """Train with the values of the best trial, into the folder `trained`."""
    best = study.best
    if best is None:
        raise NlpkitError(
            f"{trained}: no trial came to its end; hint: a smaller training.lr, or search.pruner=none"
        )
    options.talk(f"best       {_in_line(best.values)}")
    if study.trained not in (None, best.values):  # a search with fewer trials found another
        Run(trained).remove()
    study.trained = best.values  # before the run is there, which else would be taken for another's
    return plain.merged(best.values).train(options)


def _hashes(settings: Any) -> dict[str, str]:
    """Return the SHA-256 of the files that rows come from: trials on other rows are no part of a search."""
    parts = (settings.data.train, settings.data.validation, settings.data.test)
    files = {source.source for part in parts if isinstance(part, tuple) for source in part}
    return {file: sha256_of([Path(file)]) for file in sorted(files) if Path(file).is_file()}


class _EndedError(Exception):
    """Ends a training whose trial is over."""


def _try_next(study: Study, trial_config: TrainingConfig, trials: int, options: TrainOptions) -> None:
    """Train with the next setting as far as its score, and drop the run."""
    done, trial = len(study.trials), study.ask()
    # By its values, so that a killed trial finds its checkpoints
    loaded = trial_config.merged({**trial.values, "name": f"trial-{fingerprint(trial.values)}"})
    if problems := find_problems(loaded.tree, loaded.recipe.Config):
        trial.fail(problems[0])  # settings that are valid alone and not together
        return
    settings = loaded.settings()
    run = Run(Path(settings.output) / settings.name)
    seen: list[Evaluations] = []

    def count(at: Progress) -> None:
        options.progress(Progress(done=done, total=trials, loss=at.loss))

    def hear(evaluations: Evaluations) -> None:
        seen.append(evaluations)
        if trial.report(evaluations) or evaluations.final is not None:
            raise _EndedError

    try:
        loaded.train(replace(options, progress=count, evaluated=hear))
    except _EndedError:
        trial.end(seen[-1])
    except DivergedError as error:
        trial.fail(str(error))
    else:
        run.remove()
        raise ConfigError(f"recipe {settings.recipe}: reports no evaluations, by which trials are compared")
    run.remove()


def _outcome(trial: Trial) -> str:
    outcome = "" if trial.final is None else f"{trial.final:.4f}"
    if trial.state == "failed":
        outcome = f"failed: {trial.problem}"
    elif trial.state == "stopped":
        outcome = f"stopped at {trial.scores[-1]:.4f}, evaluation {len(trial.scores)}"
    return f"{outcome}  {_in_line(trial.values)}"


def _in_line(values: Mapping[str, Any]) -> str:
    return " ".join(f"{key}={shown(value)}" for key, value in values.items())
