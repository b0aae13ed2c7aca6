"""Self-training: a run labels the texts that it is surest of, and a fresh one learns them too.

It goes on as long as the validation rows say that the new one is better (Yarowsky 1995, ACL P95-1026).
"""

from __future__ import annotations

import math
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from nlpkit.classifiers.classifier import Classifier
from nlpkit.errors import ConfigError, DataError
from nlpkit.metrics.intervals import bootstrap, paired
from nlpkit.metrics.metric import Metric, find_metric
from nlpkit.metrics.score import Score
from nlpkit.reports.self_training_sections import Round, SelfTrainingRecord
from nlpkit.reports.wording import difference
from nlpkit.run import Run, now
from nlpkit.tasks.prediction import Prediction
from nlpkit.tasks.task import TextTask
from nlpkit.training.checkpoints import other_training, refuse_others
from nlpkit.training.distillation_teacher import label_texts, open_teacher
from nlpkit.training.rows import Rows
from nlpkit.training.runs import RunInProgress
from nlpkit.training.self_labels import (
    SelfTraining,
    agreement_of,
    choose,
    describe,
    label_lines,
    with_labeled,
)
from nlpkit.training.unlabeled_texts import UnlabeledTexts, load_unlabeled

TrainRows = Callable[[Rows[TextTask], RunInProgress], None]
"""Trains a run on rows, between `begin` and `finish`."""


@dataclass(frozen=True, kw_only=True)
class SelfTrainer:
    """One run that trains itself: its rounds are runs in its folder of checkpoints, until one is kept."""

    settings: SelfTraining
    texts: UnlabeledTexts
    metric: str | None
    """The name of what chooses the checkpoint; None for the task's own."""
    rows: Rows[TextTask]
    train_rows: TrainRows

    @property
    def facts(self) -> dict[str, Any]:
        """What the weights depend on besides config and labeled rows."""
        return {"unlabeled": self.texts.describe()}

    def __call__(self, job: RunInProgress) -> None:
        """Train round after round until the validation rows name no better one, and complete the run.

        Raises:
            ConfigError: a completed run is there, or an unfinished training of another kind.
            DataError: no text has a label that is probable enough.
        """
        if not (job.options.overwrite or job.options.check):
            _refuse_other_rounds(job)
        goes_on = job.begin(self._plan())
        self._train(job, 0, self.rows)
        if goes_on:
            record, kept = self._rounds(job)
            for sentence in record.summary:
                job.options.talk(sentence)
            job.finish(lambda: self._complete(job, kept, record))

    def _plan(self) -> list[str]:
        texts, settings = self.texts, self.settings
        return [
            f"unlabeled  {len(texts.texts):,} texts: round 1 takes up to {settings.share:.0%} of them, "
            f"round 2 twice as many, with a probability of at least {settings.min_probability:g}",
            f"           in at most {settings.rounds} rounds after round 0, which learns labeled rows alone",
            f"dropped    {texts.dropped:,} texts without labels that stand, nearly equal, in the held-out "
            f"ones; {texts.repeated:,} that repeat others",
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
        talk, metric = job.options.talk, self._metric
        first = best = _job_of(job, 0).run
        best_outcomes = _outcomes(best, self.rows.validation)
        rounds = [Round(number=0, score=_score(metric, best_outcomes, job.seed))]
        talk(f"round 0: {_shown(rounds[0])}")
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
                    raise self._nothing_probable(answers)
                stopped = f"round {number} finds no text whose label is probable enough"
                break
            run = self._train(job, number, with_labeled(self.rows, self.texts.texts, taken, number))
            outcomes = _outcomes(run, self.rows.validation)
            score = _score(metric, outcomes, job.seed)
            test = paired(metric, outcomes, best_outcomes, seed=job.seed)
            rounds.append(Round(number=number, labels=labels, agreement=agreement, score=score, test=test))
            talk(f"round {number}: {_shown(rounds[-1])}")
            if not _is_better(test.difference, metric):
                stopped = f"round {number} is no better than round {kept} on the validation rows"
                break
            kept, best, best_outcomes, before = number, run, outcomes, answers
        record = SelfTrainingRecord(
            texts=self.texts.describe(),
            min_probability=self.settings.min_probability,
            rounds=tuple(rounds),
            kept=kept,
            stopped=stopped,
            **(self._on_test(first, best, job.seed) if kept else {}),
        )
        return record, best

    @property
    def _metric(self) -> Metric[Any]:
        family = self.rows.task.family
        if self.metric is None:
            return family.best_by
        return find_metric("log_loss" if self.metric == "loss" else self.metric, family.metrics)

    @property
    def _counts(self) -> Counter[str]:
        return Counter(str(example.label) for example in self.rows.train)

    def _take(self, number: int) -> int:
        return min(len(self.texts.texts), round(self.settings.share * number * len(self.texts.texts)))

    def _choose(self, answers: Sequence[Prediction], number: int) -> dict[str, list[int]]:
        return choose(
            answers,
            self._counts,
            take=self._take(number),
            min_probability=self.settings.min_probability,
        )

    def _label(self, job: RunInProgress, run: Run, number: int) -> list[Prediction]:
        teacher, texts = open_teacher(run.path), self.texts.texts
        folder = job.run.checkpoints / f"labels-{number}"
        logits = label_texts(
            teacher, texts, folder, states=False, precision="auto", options=job.options
        ).logits
        return teacher.task.decode(logits, ())

    def _nothing_probable(self, answers: Sequence[Prediction]) -> DataError:
        known = [
            answer.probabilities[str(answer.label)] for answer in answers if answer.label in self._counts
        ]
        highest = max(known, default=0.0)
        lower = f"self_training.min_probability={math.floor(1000 * highest) / 1000:g} with --overwrite, or "
        return DataError(
            f"self_training: none of {len(answers):,} texts has a label with a probability of at least "
            f"{self.settings.min_probability:g}; the highest is {highest:.3f}; "
            f"hint: {lower if known else ''}more labeled rows"
        )

    def _on_test(self, first: Run, kept: Run, seed: int) -> dict[str, Any]:
        """Return what the self-training is worth on rows that chose nothing."""
        if not self.rows.test:
            return {}
        before, after = (_outcomes(run, self.rows.test) for run in (first, kept))
        return {
            "first_on_test": _score(self._metric, before, seed),
            "kept_on_test": _score(self._metric, after, seed),
            "test": paired(self._metric, after, before, seed=seed),
        }

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


def self_trainer(
    settings: SelfTraining | None,
    rows: Rows[TextTask],
    train_rows: TrainRows,
    *,
    metric: str | None,
    seed: int,
) -> SelfTrainer | None:
    """Return what trains a run that trains itself, with its texts read; None without settings.

    Args:
        settings: those of the config.
        rows: the labeled ones.
        train_rows: trains one round.
        metric: the name of what chooses the checkpoint, and the round; None for the task's own.
        seed: chooses the texts of sources with a limit.

    Raises:
        ConfigError: several processes train together.
        DataError: a file is wrong, or no text is left.
        SourceError: a source cannot be brought here.
    """
    if settings is None:
        return None
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError(
            "self_training: trains in one process; hint: nlpkit train, without accelerate launch"
        )
    texts = load_unlabeled(
        settings.unlabelled,  # an old name
        rows,
        key="self_training.unlabelled",
        near_held_out=settings.near_held_out,
        seed=seed,
    )
    return SelfTrainer(settings=settings, texts=texts, metric=metric, rows=rows, train_rows=train_rows)


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


def _outcomes(run: Run, examples: Sequence[Any]) -> Any:
    classifier = Classifier.load(run)
    inputs = [classifier.task.input(example) for example in examples]
    return classifier.task.family.outcomes(examples, classifier.predict(inputs))


def _score(metric: Metric[Any], outcomes: Any, seed: int) -> Score:
    return bootstrap(outcomes, [metric], seed=seed)[metric.name]


def _is_better(difference: float | None, metric: Metric[Any]) -> bool:
    if difference is None:
        return False
    return difference < 0 if metric.higher_is_better is False else difference > 0


def _shown(trained: Round) -> str:
    score = trained.score
    compared = difference(score, trained.test)
    than = f", {compared} than the best round before" if compared else ""
    return f"{score.title} {score.shown_with_interval} on {score.count:,} validation rows{than}"
