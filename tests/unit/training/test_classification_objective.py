from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import EvalPrediction

from nlpkit.errors import ConfigError
from nlpkit.settings.training import ClassifierTraining
from nlpkit.tasks.intensity import Intensity
from nlpkit.tasks.polarity import Polarity
from nlpkit.training.classification_objective import (
    _loss,
    checkpoint_metric,
    classification_objective,
    collator,
    metrics_of,
)
from nlpkit.training.rows import TrainingRow

TWO = Polarity(labels=("negative", "positive"))


def batch(*rows: tuple[list[int], float, float]) -> dict[str, torch.Tensor]:
    return collator(0)(
        [{"input_ids": ids, "target": [target], "weight": weight} for ids, target, weight in rows]
    )


def test_a_batch_is_padded_to_its_longest_text() -> None:
    found = batch(([2, 5, 3], 1.0, 1.0), ([2, 3], 0.0, 0.5))
    assert found["input_ids"].tolist() == [[2, 5, 3], [2, 3, 0]]
    assert found["attention_mask"].tolist() == [[1, 1, 1], [1, 1, 0]]
    assert found["labels"].tolist() == [[1.0, 1.0], [0.0, 0.5]]


def test_the_loss_is_a_weighted_sum_over_a_count_however_rows_are_batched() -> None:
    logits = torch.tensor([[0.0, 0.0], [1.0, -1.0], [0.5, 2.0], [3.0, 0.0]])
    labels = torch.tensor([[0.0, 1.0], [1.0, 2.0], [1.0, 0.5], [0.0, 0.5]])
    loss = _loss(TWO.family.loss(ClassifierTraining(), []))
    each = torch.nn.functional.cross_entropy(logits, labels[:, 0].long(), reduction="none")
    expected = (each * labels[:, 1]).sum() / 4
    assert torch.allclose(loss({"logits": logits}, labels), expected)
    counted = labels.numel()  # as Trainer counts them over an accumulated step
    parts = sum(loss({"logits": logits[part]}, labels[part], counted) for part in (slice(0, 1), slice(1, 4)))
    assert torch.allclose(parts, expected)


def test_class_weights_balance_the_classes() -> None:
    targets = [[0.0], [1.0], [1.0], [1.0]]
    loss = TWO.family.loss(ClassifierTraining(class_weights="balanced"), targets)
    each = loss(torch.zeros(4, 2), torch.tensor(targets))
    assert (each / 0.693147).tolist() == pytest.approx([2.0, 2 / 3, 2 / 3, 2 / 3], abs=1e-5)
    assert each.mean().item() == pytest.approx(0.6931, abs=1e-4)  # ln 2: the weights average 1 over the rows


def test_intensity_learns_mean_and_spread_by_squared_error() -> None:
    loss = _loss(Intensity(low=-1, high=1, spread=True).family.loss(None, []))
    found = loss(
        {"logits": torch.tensor([[0.5, 0.1], [0.0, 0.0]])}, torch.tensor([[0.0, 0.3, 1.0], [1.0, 0.0, 2.0]])
    )
    assert found.item() == pytest.approx((0.25 + 0.04 + 2 * 1.0) / 2)


@pytest.mark.parametrize("name", [metric.name for metric in TWO.family.metrics])
def test_any_metric_of_the_task_chooses_the_checkpoint(name: str) -> None:
    metric, _ = checkpoint_metric(TWO.family, name)
    evaluation = EvalPrediction(
        predictions=np.array([[2.0, 0.0], [0.0, 1.0], [1.0, 0.0]]),
        label_ids=np.array([[0, 1], [1, 1], [1, 1]]),
    )
    measured = metrics_of(TWO.family, metric)(evaluation)
    assert set(measured) == {"accuracy", "macro_f1", "log_loss", name}
    assert measured["accuracy"] == pytest.approx(2 / 3)


def test_the_loss_chooses_and_an_unknown_metric_is_refused_with_the_nearest() -> None:
    assert checkpoint_metric(TWO.family, "loss") == ("loss", False)
    assert checkpoint_metric(TWO.family, None) == ("macro_f1", True)
    with pytest.raises(ConfigError, match=r"'brie' is unknown here; did you mean 'brier'"):
        checkpoint_metric(TWO.family, "brie")
    with pytest.raises(ConfigError, match="'mcc' is unknown"):
        checkpoint_metric(Intensity(low=0, high=1).family, "mcc")


def test_an_undefined_metric_counts_0() -> None:
    family = Intensity(low=-1, high=1).family
    evaluation = EvalPrediction(
        predictions=np.zeros((3, 1)), label_ids=np.array([[0.1, 1], [0.2, 1], [0.3, 1]])
    )
    assert metrics_of(family, "pearson")(evaluation) == {"pearson": 0.0, "mae": pytest.approx(0.2)}


def test_rows_to_choose_on_are_batched_with_those_of_like_length() -> None:
    rows = [TrainingRow(input_ids=[1] * size, target=[size % 2], weight=1.0, cut=0) for size in (5, 1, 4, 2)]
    made = classification_objective(
        rows, rows, task=TWO, tokenizer=SimpleNamespace(pad_token_id=0), training=ClassifierTraining()
    )
    assert [len(row["input_ids"]) for row in made.validation] == [1, 2, 4, 5]
    assert [row["target"] for row in made.validation] == [[1], [0], [0], [1]]
    assert [len(row["input_ids"]) for row in made.train] == [5, 1, 4, 2]
