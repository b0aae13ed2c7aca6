"""Self-training goes from round to round as long as the validation rows name the new one better."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nlpkit.data.examples import LabeledText
from nlpkit.errors import ConfigError, DataError
from nlpkit.metrics.outcomes import LabelOutcomes
from nlpkit.metrics.score import PairedTest
from nlpkit.reports.self_training_sections import SelfTrainingRecord
from nlpkit.run import Run
from nlpkit.settings import RunSettings
from nlpkit.tasks.polarity import Polarity
from nlpkit.tasks.prediction import Prediction
from nlpkit.training import self_training
from nlpkit.training.rows import Rows
from nlpkit.training.runs import RunInProgress, TrainOptions
from nlpkit.training.self_training import SelfTrainer, SelfTraining, with_unlabeled
from nlpkit.training.self_training_scores import choosing_metric, is_better

ROWS = Rows(
    task=Polarity(labels=("bad", "good")),
    train=(LabeledText(text="bad", label="bad"), LabeledText(text="good", label="good")),
    validation=tuple(LabeledText(text="row", label=label) for label in ("bad", "good") * 5),
    test=(),
    dropped=0,
    extra_texts=tuple(f"text {number}" for number in range(10)),
)


class Rounds(SelfTrainer):
    """Trains nothing: round N of `asked` labels texts with a probability, the last texts by the other label
    in later rounds."""

    def _label(self, job: RunInProgress, run: Run, number: int) -> list[Prediction]:
        labels = ["bad"] * (5 - number) + ["good"] * (5 + number)
        return [Prediction(label=label, probabilities={label: 0.9}) for label in labels]

    def _train(self, job: RunInProgress, number: int, rows: Rows[Any]) -> Run:
        self.train_rows(rows, job)
        return Run(job.run.checkpoints / f"round-{number}")


def trained(
    right: Sequence[int], monkeypatch: pytest.MonkeyPatch, folder: Path, **settings: Any
) -> tuple[SelfTrainingRecord, list[int], list[str]]:
    """Train rounds of which each gets so many of the 10 validation rows right."""
    lines: list[str] = []
    sizes: list[int] = []

    def outcomes(run: Run, examples: Sequence[Any]) -> LabelOutcomes:
        truth = np.array([0, 1] * 5)
        count = right[int(run.path.name.removeprefix("round-"))]
        given = np.where(np.arange(10) < count, truth, 1 - truth)
        return LabelOutcomes(labels=("bad", "good"), truth=truth, probabilities=np.eye(2)[given])

    monkeypatch.setattr(self_training, "outcomes_of", outcomes)
    trainer = Rounds(
        settings=SelfTraining(unlabelled="texts.csv", **settings),  # an old name
        metric="accuracy",
        rows=ROWS,
        train_rows=lambda rows, job: sizes.append(len(rows.train)),
    )
    config = RunSettings(recipe="sentiment", name="toy", output=folder)
    job = RunInProgress(
        run=Run(folder / "toy"), seed=1, fingerprint="f", started=0.0, config=config,
        options=TrainOptions(talk=lines.append),
    )  # fmt: skip
    record, kept = trainer._rounds(job)
    assert kept.path.name == f"round-{record.kept}"
    return record, sizes, lines


def test_it_ends_with_the_last_round_that_was_better(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    record, sizes, lines = trained([5, 7, 7], monkeypatch, tmp_path)
    assert record.kept == 1
    assert [each.score.value for each in record.rounds] == [0.5, 0.7, 0.7]
    assert [each.test.difference if each.test else None for each in record.rounds] == [
        None, pytest.approx(0.2), 0.0,
    ]  # fmt: skip
    assert record.stopped == "round 2 is no better than round 1 on the validation rows"
    # Of 10 texts 2 in round 1, one a label; 4 in round 2, two a label
    assert sizes == [4, 6]
    # Of 10 labels of round 2 nine are those of round 1
    assert record.rounds[1].agreement is None
    assert record.rounds[2].agreement is not None
    assert record.rounds[2].agreement.value == pytest.approx(0.9)
    assert "taken      4 of 10 texts without labels" in lines
    assert any(line.startswith("agreement  90.0% (") for line in lines)


def test_the_first_run_is_kept_where_no_round_is_better(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    record, sizes, _ = trained([6, 5, 9], monkeypatch, tmp_path)
    assert (record.kept, len(record.rounds), sizes) == (0, 2, [4])
    assert record.summary == (
        "Round 0 is kept, which learned the labeled rows alone. It ended there: round 1 is no better than "
        "round 0 on the validation rows.",
    )


def test_it_ends_after_the_rounds_that_are_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    record, sizes, _ = trained([5, 6, 7], monkeypatch, tmp_path, rounds=2, share=0.6)
    # 6 texts, then all 10: three and five a label; round 2 finds three texts that are bad
    assert (record.kept, record.stopped, sizes) == (2, "all rounds are trained", [8, 10])


def test_nothing_probable_enough_is_refused_with_what_there_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"none of 10 texts .* 0\.95; the highest is 0\.900; hint: .*=0\.9 "):
        trained([5, 6], monkeypatch, tmp_path, min_probability=0.95)


def test_several_processes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = SelfTraining(unlabelled="texts.csv")  # an old name
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="trains in one process; hint: nlpkit train, without"):
        with_unlabeled(ROWS, settings, seed=1)
    assert with_unlabeled(ROWS, None, seed=1) is ROWS


def test_of_the_loss_less_is_better() -> None:
    metric = choosing_metric(ROWS.task.family, "loss")
    assert metric.name == "log_loss"
    lower = PairedTest(metric="log_loss", difference=-0.1, count=10, resamples=0)
    assert is_better(lower, metric)
    assert not is_better(lower, choosing_metric(ROWS.task.family, "accuracy"))
    assert not is_better(lower.model_copy(update={"difference": None}), metric)
    assert choosing_metric(ROWS.task.family, None).name == "macro_f1"
