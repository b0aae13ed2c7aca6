"""Self-training: a run labels the texts that it is surest of, and a fresh one learns them too.

It goes on as long as the validation rows say that the new one is better (Yarowsky 1995, ACL P95-1026).
"""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated

from pydantic import BeforeValidator, Field

from nlpkit.errors import ConfigError
from nlpkit.metrics.intervals import paired
from nlpkit.reports.self_training_sections import Round, SelfTrainingRecord
from nlpkit.run import Run, now
from nlpkit.settings import Settings
from nlpkit.settings.data import as_sources
from nlpkit.tasks.prediction import Prediction
from nlpkit.tasks.task import TextTask
from nlpkit.training.checkpoints import other_training, refuse_others
from nlpkit.training.distillation_teacher import label_texts, open_teacher
from nlpkit.training.rows import Rows
from nlpkit.training.runs import RunInProgress
from nlpkit.training.self_labels import (
    agreement_of,
    choose,
    describe,
    label_lines,
    nothing_probable,
    with_labeled,
)
from nlpkit.training.self_training_scores import (
    choosing_metric,
    compare_on_test,
    in_words,
    is_better,
    outcomes_of,
    score_of,
)
from nlpkit.training.unlabeled_texts import TextSource, load_unlabeled

TrainRows = Callable[[Rows[TextTask], RunInProgress], None]
"""Trains a run on rows, between `begin` and `finish`."""


class SelfTraining(Settings):
    """Texts without labels, and how many of them the run may label for itself."""

    unlabelled: Annotated[  # an old name
        tuple[TextSource, ...], BeforeValidator(as_sources), Field(min_length=1)
    ]
    """Texts that the run labels."""
    rounds: Annotated[int, Field(ge=1, le=20)] = 3
    """Trainings after the first one, at most."""
    share: Annotated[float, Field(gt=0, le=1)] = 0.2
    """The share of the texts that the first round takes; the second takes twice as many, and so on."""
    min_probability: Annotated[float, Field(gt=0, lt=1)] = 0.8
    """Take no text whose label has a lower probability, calibrated."""
    near_held_out: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Texts that share this much (Jaccard similarity of word pairs) with a held-out one are dropped."""


def refuse_unfit(settings: SelfTraining | None, task: TextTask, search: object) -> None:
    """Refuse a task whose answer to a text is not one label, and a search; a validator of the config calls
    it.

    Raises:
        ValueError: the config asks for either, and for self-training.
    """
    if settings is None:
        return
    if search:
        raise ValueError("search: does not go together with self_training; hint: search first")
    if not task.family.distillable or task.turns is not None or task.reads_aspects:
        raise ValueError(
            f"self_training: the task {task.kind!r} does not give a text one label by itself; "
            "expected polarity or intents"
        )


def with_unlabeled(rows: Rows[TextTask], settings: SelfTraining | None, *, seed: int) -> Rows[TextTask]:
    """Return the rows with the texts that the run labels as their extra texts; as they are without settings.

    Raises:
        ConfigError: several processes train together.
        DataError: a file is wrong, or no text is left.
        SourceError: a source cannot be brought here.
    """
    if settings is None:
        return rows
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError(
            "self_training: trains in one process; hint: nlpkit train, without accelerate launch"
        )
    unlabeled = load_unlabeled(
        settings.unlabelled,  # an old name
        rows,
        key="self_training.unlabelled",
        near_held_out=settings.near_held_out,
        seed=seed,
    )
    extra = {"unlabelled": unlabeled.describe()}  # an old name
    return replace(rows, extra=extra, extra_texts=unlabeled.texts)


def in_rounds(
    settings: SelfTraining | None, rows: Rows[TextTask], train_rows: TrainRows, *, metric: str | None
) -> Callable[[RunInProgress], None]:
    """Return what trains a run: in rounds, or once without settings.

    Args:
        settings: those of the config.
        rows: the labeled ones, with the texts that the run labels.
        train_rows: trains one round.
        metric: the name of what chooses the checkpoint, and the round; None for the task's own.
    """
    if settings is None:
        return partial(train_rows, rows)
    return SelfTrainer(settings=settings, metric=metric, rows=rows, train_rows=train_rows)


@dataclass(frozen=True, kw_only=True)
class SelfTrainer:
    """One run that trains itself: its rounds are runs in its folder of checkpoints, until one is kept."""

    settings: SelfTraining
    metric: str | None
    """The name of what chooses the checkpoint; None for the task's own."""
    rows: Rows[TextTask]
    """With the texts that the run labels as extra texts."""
    train_rows: TrainRows

    @property
    def texts(self) -> tuple[str, ...]:
        """Those that the run labels."""
        return self.rows.extra_texts

    def __call__(self, job: RunInProgress) -> None:
        """Train round after round until the validation rows name no better one, and complete the run.

        Raises:
            ConfigError: a completed run is there, or an unfinished training of another kind.
            DataError: no text has a label that is probable enough.
        """
        if not (job.options.overwrite or job.options.check):
            _refuse_other_rounds(job)
        goes_on = job.begin(self._plan())
        self._train(job, 0, with_labeled(self.rows, {}, 0))
        if goes_on:
            record, kept = self._rounds(job)
            for sentence in record.summary:
                job.options.talk(sentence)
            job.finish(lambda: self._complete(job, kept, record))

    def _plan(self) -> list[str]:
        settings, texts = self.settings, self.rows.extra["unlabelled"]  # an old name
        return [
            f"unlabeled  {texts['rows']:,} texts: round 1 takes up to {settings.share:.0%} of them, "
            f"round 2 twice as many, with a probability of at least {settings.min_probability:g}",
            f"           in at most {settings.rounds} rounds after round 0, which learns labeled rows alone",
            f"dropped    {texts['near_held_out_dropped']:,} texts without labels that stand, nearly equal, "
            f"in the held-out ones; {texts['repeated_dropped']:,} that repeat others",
        ]

    def _train(self, job: RunInProgress, number: int, rows: Rows[TextTask]) -> Run:
        """Train one round, unless it is trained already, and return its run."""
        round_job = _job_of(job, number)
        if round_job.run.is_completed:
            job.options.talk(f"round {number}: trained already")
        else:
            job.options.talk(f"round {number}:")
            with round_job.held:
                self.train_rows(rows, round_job)
        return round_job.run

    def _rounds(self, job: RunInProgress) -> tuple[SelfTrainingRecord, Run]:
        talk, metric = job.options.talk, choosing_metric(self.rows.task.family, self.metric)
        first = best = _job_of(job, 0).run
        best_outcomes = outcomes_of(best, self.rows.validation)
        rounds = [Round(number=0, score=score_of(metric, best_outcomes, job.seed))]
        talk(f"round 0: {in_words(rounds[0])}")
        least = self.settings.min_probability
        kept, before, stopped = 0, None, "all rounds are trained"
        for number in range(1, self.settings.rounds + 1):
            answers = self._label(job, best, number)
            taken = self._choose(answers, number)
            labels = describe(answers, taken, self._counts, self._take(number))
            agreement = agreement_of(answers, before, job.seed)
            for line in label_lines(labels, agreement, len(answers)):
                talk(line)
            if not any(taken.values()):
                if number == 1:
                    raise nothing_probable(answers, self._counts, min_probability=least)
                stopped = f"round {number} finds no text whose label is probable enough"
                break
            run = self._train(job, number, with_labeled(self.rows, taken, number))
            outcomes = outcomes_of(run, self.rows.validation)
            score = score_of(metric, outcomes, job.seed)
            test = paired(metric, outcomes, best_outcomes, seed=job.seed)
            rounds.append(Round(number=number, labels=labels, agreement=agreement, score=score, test=test))
            talk(f"round {number}: {in_words(rounds[-1])}")
            if not is_better(test, metric):
                stopped = f"round {number} is no better than round {kept} on the validation rows"
                break
            kept, best, best_outcomes, before = number, run, outcomes, answers
        record = SelfTrainingRecord(
            min_probability=least,
            rounds=tuple(rounds),
            kept=kept,
            stopped=stopped,
            **(compare_on_test(metric, self.rows, first, best, job.seed) if kept else {}),
        )
        return record, best

    @property
    def _counts(self) -> Counter[str]:
        return Counter(str(example.label) for example in self.rows.train)

    def _take(self, number: int) -> int:
        return min(len(self.texts), round(self.settings.share * number * len(self.texts)))

    def _choose(self, answers: Sequence[Prediction], number: int) -> dict[str, list[int]]:
        return choose(
            answers,
            self._counts,
            take=self._take(number),
            min_probability=self.settings.min_probability,
        )

    def _label(self, job: RunInProgress, run: Run, number: int) -> list[Prediction]:
        teacher = open_teacher(run.path)
        folder = job.run.checkpoints / f"labels-{number}"
        logits = label_texts(
            teacher, self.texts, folder, states=False, precision="auto", options=job.options
        ).logits
        return teacher.task.decode(logits, ())

    def _complete(self, job: RunInProgress, kept: Run, record: SelfTrainingRecord) -> None:
        """Make the run that of the round that is kept."""
        for folder in ("adapter", "tokenizer"):
            shutil.rmtree(getattr(job.run, folder), ignore_errors=True)  # of a completion that was killed
            shutil.copytree(getattr(kept, folder), getattr(job.run, folder))
        for file in ("log", "text_hashes"):
            if getattr(kept, file).is_file():
                shutil.copyfile(getattr(kept, file), getattr(job.run, file))
        saved = kept.read()
        data = {
            **self.rows.describe(),
            "self_training": record.model_dump(mode="json"),
            "fingerprint": job.fingerprint,
        }
        cost = {**saved.cost, "train_seconds": round(time.monotonic() - job.started, 1)}
        job.run.finish(
            saved.model_copy(update={"name": job.run.name, "created": now(), "data": data, "cost": cost})
        )


def _job_of(job: RunInProgress, number: int) -> RunInProgress:
    return replace(
        job,
        run=Run(job.run.checkpoints / f"round-{number}"),
        fingerprint=f"{job.fingerprint} round {number}",
        started=time.monotonic(),
        options=replace(job.options, overwrite=False),
        held=ExitStack(),
    )


def _refuse_other_rounds(job: RunInProgress) -> None:
    """Refuse rounds of another training, before anything is computed or written."""
    for folder in sorted(job.run.checkpoints.glob("round-*")):
        run = Run(folder)
        refuse_others(run.checkpoints, fingerprint=job.fingerprint)
        if run.is_completed and not run.read().data["fingerprint"].startswith(f"{job.fingerprint} "):
            raise other_training(job.run.checkpoints)
