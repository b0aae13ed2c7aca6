"""A cascade: where the fast run is sure enough is chosen on validation rows, and both runs are copied."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field

from nlpkit.classifiers.cascade import CascadeRecord, identity_of_member
from nlpkit.classifiers.classifier import Classifier
from nlpkit.data.examples import from_words
from nlpkit.errors import ConfigError, DataError
from nlpkit.run import Run, now, versions
from nlpkit.run_record import RunRecord
from nlpkit.settings import Settings
from nlpkit.settings.data import DataSource, as_sources
from nlpkit.tasks.prediction import SEVERAL, Prediction
from nlpkit.tasks.reading import read_examples
from nlpkit.tasks.task import TextTask, text_task_from
from nlpkit.training.rows import Rows
from nlpkit.training.runs import RunInProgress

if TYPE_CHECKING:
    from numpy.typing import NDArray

NORMAL_95 = 1.645
"""95% of a normal distribution lie below so many standard deviations."""
NOT_COPIED = ("checkpoints", "*.html", "log.jsonl")
"""The rows that a member held out are copied: its exports are compared on them."""


class CascadeData(Settings):
    """Labeled rows that neither run was trained on."""

    validation: Annotated[tuple[DataSource, ...], BeforeValidator(as_sources), Field(min_length=1)]
    """Rows that the threshold is chosen on."""
    test: Annotated[tuple[DataSource, ...], BeforeValidator(as_sources)] = ()
    """Rows to report on."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """What a threshold costs and saves on the validation rows."""

    threshold: float
    slow: float
    """The share of rows that the slow run reads."""
    lost: float
    """Accuracy of the slow run alone minus that of both."""
    at_most: float
    """What is lost with 95% confidence at most."""


def load_cascade_rows(fast: Run, slow: Run, data: CascadeData, *, seed: int) -> Rows[TextTask]:
    """Read the rows, if the two runs answer with the same labels.

    Raises:
        ConfigError: the runs answer differently, or not with labels.
        DataError: a file or a row is wrong.
    """
    tasks = [text_task_from(run.read().task) for run in (fast, slow)]
    first, second = (task.family for task in tasks)
    if not {"label", SEVERAL} & set(second.columns):
        raise ConfigError(
            f"slow: {slow.path} answers with {', '.join(second.columns)}; "
            "expected a run that answers with labels"
        )
    if dict(first.columns) != dict(second.columns) or tasks[0].turns != tasks[1].turns:
        raise ConfigError(
            f"fast: {fast.path} answers with {', '.join(first.columns)}, and slow with "
            f"{', '.join(second.columns)}; expected the same"
        )
    parts = {
        name: read_examples(tasks[1], sources, seed=seed).examples
        for name, sources in (("validation", data.validation), ("test", data.test))
    }
    return Rows(task=tasks[1], train=(), validation=parts["validation"], test=parts["test"], dropped=0)


def points(certainty: NDArray[Any], fast: NDArray[Any], slow: NDArray[Any]) -> list[Point]:
    """Return what each threshold costs, from the highest.

    Args:
        certainty: (rows,), of the fast run's answers.
        fast: (rows,), whether they are right.
        slow: likewise of the slow run.
    """
    import numpy as np

    rows = len(certainty)
    order = np.argsort(-certainty, kind="stable")
    lost = np.cumsum((slow & ~fast)[order])
    won = np.cumsum((fast & ~slow)[order])
    candidates = [Point(threshold=math.nextafter(float(certainty.max()), 2), slow=1.0, lost=0.0, at_most=0.0)]
    for kept in range(1, rows + 1):
        if kept < rows and certainty[order[kept]] == certainty[order[kept - 1]]:
            continue
        # One loss more than was seen: a small sample without any shows no 0
        losses, wins = int(lost[kept - 1]) + 1, int(won[kept - 1])
        candidates.append(
            Point(
                threshold=float(certainty[order[kept - 1]]),
                slow=1 - kept / rows,
                lost=(losses - 1 - wins) / rows,
                at_most=(losses - wins + NORMAL_95 * math.sqrt(losses + wins)) / rows,
            )
        )
    return candidates


def lowest(candidates: Sequence[Point], rows: int, loses: float) -> Point:
    """Return the lowest threshold that loses no more, as do all above it.

    Tested in that order, they need no correction for their number (fixed-sequence testing, Angelopoulos et
    al. 2021, arXiv:2110.01052).

    Raises:
        DataError: only the slow run alone loses no more.
    """
    kept = candidates[0]
    for point in candidates[1:]:
        if point.at_most > loses:
            break
        kept = point
    if kept is candidates[0]:
        least = candidates[1].at_most
        raise DataError(
            f"no threshold loses at most {loses:.1%} accuracy with 95% confidence: on {rows:,} rows the "
            f"surest answers of the fast run may lose {least:.2%}; "
            f"hint: loses={math.ceil(1000 * least) / 1000:g}, or more validation rows"
        )
    return kept


def complete_cascade(job: RunInProgress, fast: Run, slow: Run, rows: Rows[TextTask], *, loses: float) -> None:
    """Choose the threshold, copy both runs, and complete the run.

    Raises:
        DataError: no threshold loses so little.
    """
    certainty, fast_right, fast_seconds = _measured(fast, rows)
    _, slow_right, slow_seconds = _measured(slow, rows)
    chosen = lowest(points(certainty, fast_right, slow_right), len(rows.validation), loses)
    alone, time_share = slow_right.mean(), fast_seconds / slow_seconds + chosen.slow
    job.options.talk(
        f"threshold {chosen.threshold:.3f}: the slow run reads {chosen.slow:.1%} of the texts, "
        f"which takes {time_share:.0%} of its time"
    )
    job.options.talk(
        f"accuracy {alone - chosen.lost:.1%}, of the slow run alone {alone:.1%}; with 95% confidence "
        f"at most {chosen.at_most:.1%} are lost"
    )
    if time_share > 1:
        job.options.talk(f"warning: {fast.name} and {slow.name} together are slower than {slow.name} alone")
    for member, folder in zip((fast, slow), job.run.members, strict=True):
        shutil.rmtree(folder, ignore_errors=True)  # of a making that was killed
        shutil.copytree(member.path, folder, ignore=shutil.ignore_patterns(*NOT_COPIED))
    record, members = slow.read(), [identity_of_member(folder) for folder in job.run.members]
    job.run.finish(
        RunRecord(
            name=job.run.name,
            recipe=job.recipe,
            created=now(),
            task=record.task,
            base=record.base,
            outputs=record.outputs,
            max_tokens=record.max_tokens,
            seed=job.seed,
            data={**rows.describe(), "fingerprint": job.fingerprint},
            cost={
                "train_seconds": round(time.monotonic() - job.started, 1),
                "device": record.cost.get("device", ""),
            },
            versions=versions(),
            cascade=CascadeRecord(threshold=chosen.threshold, members=(members[0], members[1])).model_dump(
                mode="json"
            ),
        )
    )


def _measured(member: Run, rows: Rows[TextTask]) -> tuple[NDArray[Any], NDArray[Any], float]:
    """Return for the validation rows how certain a run is, whether it is right, and the seconds of all."""
    import numpy as np

    classifier = Classifier.load(member)
    started = time.monotonic()
    answers = classifier.predict([rows.task.input(row) for row in rows.validation])
    seconds = time.monotonic() - started
    truth = (rows.task.family.truth(row) for row in rows.validation)
    right = np.array([_is_right(answer, true) for answer, true in zip(answers, truth, strict=True)])
    return np.array([answer.certainty or 0.0 for answer in answers]), right, seconds


def _is_right(answer: Prediction, truth: str) -> bool:
    if answer.labels is None:
        return answer.label == truth
    return set(answer.labels) == set(from_words(truth))
