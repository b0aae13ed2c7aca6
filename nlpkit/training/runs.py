"""Train one run a seed: what every recipe does around its training."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from nlpkit.config import to_yaml
from nlpkit.data.text_hashes import keep_hashes
from nlpkit.errors import ConfigError, NlpkitError
from nlpkit.files import fingerprint, room_left, write_whole
from nlpkit.run import Run, versions
from nlpkit.run_record import RunRecord
from nlpkit.training.checkpoints import refuse_others
from nlpkit.training.codebooks import find_codebook

NOT_TRAINED_ON = frozenset({"seeds", "output", "name", "text_hashes", "metrics", "behavior"})
"""Keys of a config that no weight depends on."""


def is_main_process() -> bool:
    """Return whether this process writes files: the only one, or the first of several."""
    return os.environ.get("RANK", "0") == "0"


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a training is, for a progress bar."""

    done: int
    total: int
    loss: float | None = None


@dataclass(frozen=True, kw_only=True)
class Evaluations:
    """What the validation rows say of a training so far."""

    metric: str
    higher_is_better: bool
    values: tuple[float, ...]
    """Of each evaluation, in order; of a resumed training those before too."""
    done: float
    """The share of the training's steps."""
    final: float | None = None
    """Of the model that the training ends with; None before its end."""


def _ignore(progress: Progress | Evaluations) -> None: ...


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """How a training is run, whatever its recipe."""

    talk: Callable[[str], None]
    """Gets lines for people."""
    progress: Callable[[Progress], None] = _ignore
    """Gets each optimizer step."""
    check: bool = False
    """Stop after the preflight, and write nothing."""
    overwrite: bool = False
    """Delete a run of that name first."""
    evaluated: Callable[[Evaluations], None] = _ignore
    """Gets the validation scores after each evaluation and at the end; it may end the training by raising."""
    report: bool = True
    """Measure the trained run on its held-out rows, and write its pages."""

    def count(self, done: int, total: int) -> None:
        """Report work that is no optimizer step, such as evaluating."""
        self.progress(Progress(done=done, total=total))


@contextmanager
def only_trainer(run: Run) -> Iterator[None]:
    """Keep other processes from training the run meanwhile. The lock of a killed process is free.

    Raises:
        NlpkitError: another process trains it.
        ConfigError: the folder can't be written.
    """
    import filelock

    lock = filelock.FileLock(run.lock, timeout=0)
    try:
        run.lock.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
        run.lock.write_text(str(os.getpid()), encoding="utf-8")
    except filelock.Timeout:
        raise NlpkitError(
            f"{run.path}: {_owner(run.lock)} is training this run; "
            "hint: wait until it ends, or train under another name, as with name=other"
        ) from None
    except OSError as error:
        raise ConfigError(f"{run.path}: a run cannot be written here: {error.strerror}") from None
    try:
        yield
    finally:
        with suppress(OSError):  # removed while held, so that nobody acquires a file that is about to go
            run.lock.unlink()
        lock.release()


def _owner(lock: Path) -> str:
    try:
        number = lock.read_text(encoding="utf-8").strip()
    except OSError:  # Windows lets nobody read a locked file
        number = ""
    return f"process {number}" if number else "another process"


@dataclass(frozen=True, kw_only=True)
class RunInProgress:
    """One run while it is trained."""

    run: Run
    seed: int
    fingerprint: str
    """Of all that the weights depend on: a checkpoint of another training is not resumed."""
    started: float
    options: TrainOptions
    config: BaseModel
    held: ExitStack = field(default_factory=ExitStack)
    """Releases the run's lock, which `begin` acquires."""

    @property
    def recipe(self) -> str:
        """The recipe's name, or the path of the user's own."""
        return str(getattr(self.config, "recipe", ""))

    def begin(self, lines: Sequence[str], warnings: Sequence[str] = ()) -> bool:
        """Report what will be trained and make the run's folder; return False if the config is only checked.

        Raises:
            ConfigError: a completed run is there, or an unfinished training of another kind.
            NlpkitError: another process trains this run.
        """
        for line in (*lines, *(f"warning    {warning}" for warning in warnings)):
            self.options.talk(line)
        if self.options.check:
            return False
        if is_main_process():
            self.held.enter_context(only_trainer(self.run))
        if self.options.overwrite:
            self.run.remove()
        refuse_others(self.run.checkpoints, fingerprint=self.fingerprint)
        Run.create(self.run.path, config=to_yaml(self.config))
        if codebook := getattr(self.config, "codebook", None):
            write_whole(self.run.codebook, to_yaml(find_codebook(codebook)))
        return True

    def finish(self, save: Callable[[], object]) -> None:
        """Save the trained model, in the one process that writes."""
        if is_main_process():
            with room_left(self.run.path):
                save()

    def complete(self, record: RunRecord, texts: Iterable[str], *, parent: Run | None = None) -> None:
        """Write hashes of the texts that were trained on, unless the config leaves them out, and `run.json`.

        Args:
            record: what `run.json` holds.
            texts: those that were trained on, as the task's family has them.
            parent: the run that the training started from, which was trained on texts of its own.

        Raises:
            RunError: the parent's hashes have changed.
        """
        keep_hashes(self.run, texts if getattr(self.config, "text_hashes", True) else None, parent)
        self.run.finish(record)


def compared_run(run: Run, name: str) -> Run:
    """Return the run that another is compared with, which stands next to it."""
    return Run(run.path.with_name(f"{run.path.name}-{name}"))


def compared_job(job: RunInProgress, name: str) -> RunInProgress | None:
    """Return the job of a run to compare with, its folder made; None where it is trained already.

    Raises:
        ConfigError: a run of another training has its name.
    """
    run, identity = compared_run(job.run, name), f"{job.fingerprint} {name}"
    if run.is_completed and not job.options.overwrite:
        if run.read().data.get("fingerprint") == identity:
            job.options.talk(f"{run.path}: trained already")
            return None
        raise ConfigError(
            f"{run.path}: a run of another training is there; hint: --overwrite, or another name"
        )
    run.remove()
    Run.create(run.path, config=f"# Trained to compare with {job.run.name}\n{to_yaml(job.config)}")
    return replace(job, run=run, fingerprint=identity, started=time.monotonic())


Config = TypeVar("Config", bound=BaseModel)


def train_seeds(
    config: Config,
    options: TrainOptions,
    *,
    facts: Mapping[str, Any],
    train_one: Callable[[RunInProgress], None],
    report: Callable[[Run], None],
    not_trained_on: frozenset[str] = frozenset(),
    verdict: Callable[[Run], str] = lambda run: "",
) -> list[Run]:
    """Train and report one run for each seed of the config. Completed runs are kept, killed ones resumed.

    Args:
        config: the recipe's, with `name`, `output`, `seed` and perhaps `seeds`.
        options: check only, overwrite, and where lines and steps are reported.
        facts: what the weights depend on besides the config, such as hashes of data and base.
        train_one: trains and saves one run, between `begin` and `finish`.
        report: measures a saved run and writes its pages; the page is written last.
        not_trained_on: further keys of the config that no weight depends on.
        verdict: what to add to "trained already".

    Returns:
        The runs; none where the training was only checked.

    Raises:
        ConfigError: a finished run of another training is there.
        NlpkitError: another process trains this run.
    """
    kept = config.model_dump(mode="json", exclude=set(NOT_TRAINED_ON | not_trained_on))
    if codebook := getattr(config, "codebook", None):
        kept["codebook"] = find_codebook(codebook).model_dump()
    seeds: tuple[int, ...] = getattr(config, "seeds", None) or (config.seed,)  # type: ignore[attr-defined]
    folder = config.output / config.name  # type: ignore[attr-defined]
    runs = []
    for seed in seeds:
        run = Run(folder / f"seed-{seed}" if len(seeds) > 1 else folder)
        identity = fingerprint({**kept, **facts, "seed": seed, "versions": versions()})
        runs.append(run)
        if not (options.overwrite or options.check) and _is_trained(run, identity):
            options.talk(", ".join(filter(None, (f"{run.path}: trained already", verdict(run)))))
            if options.report and not run.report.is_file():
                report(run)
            continue
        own = {"seeds": (seed,)} if "seeds" in type(config).model_fields else {}
        job = RunInProgress(
            run=run,
            seed=seed,
            fingerprint=identity,
            started=time.monotonic(),
            options=options,
            config=config.model_copy(update=own),
        )
        with job.held:
            train_one(job)
            if is_main_process() and options.report and not options.check:
                report(run)
    if len(runs) > 1 and options.report and not options.check and is_main_process():
        from nlpkit.reports.seeds import summarize

        options.talk(summarize(folder, runs))
    return [] if options.check else runs


def _is_trained(run: Run, identity: str) -> bool:
    return run.is_completed and run.read().data.get("fingerprint") == identity
