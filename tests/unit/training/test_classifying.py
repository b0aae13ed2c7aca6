import pytest
import torch

from nlpkit.tasks.encoding import Encoded
from nlpkit.tasks.intensity import Intensity
from nlpkit.tasks.polarity import Polarity
from nlpkit.training.classifying import _class_weights, _collator, _loss

TWO = Polarity(labels=("negative", "positive"))


def batch(*rows: tuple[list[int], float, float]) -> dict[str, torch.Tensor]:
    return _collator(0)(
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
    loss = _loss(TWO, 0.0, None)
    each = torch.nn.functional.cross_entropy(logits, labels[:, 0].long(), reduction="none")
    expected = (each * labels[:, 1]).sum() / 4
    assert torch.allclose(loss({"logits": logits}, labels), expected)
    counted = labels.numel()  # as Trainer counts them over an accumulated step
    parts = sum(loss({"logits": logits[part]}, labels[part], counted) for part in (slice(0, 1), slice(1, 4)))
    assert torch.allclose(parts, expected)


def test_class_weights_balance_the_classes() -> None:
    train = [Encoded(input_ids=[1], target=[float(label)], weight=1.0, cut=0) for label in (0, 1, 1, 1)]
    weights = _class_weights(train, TWO)
    assert weights == pytest.approx([2.0, 2 / 3])
    loss = _loss(TWO, 0.0, weights)(
        {"logits": torch.zeros(4, 2)}, torch.tensor([[one.target[0], 1.0] for one in train])
    )
    assert loss.item() == pytest.approx(0.6931, abs=1e-4)  # ln 2: the weights average 1 over the rows


def test_intensity_learns_mean_and_spread_by_squared_error() -> None:
    loss = _loss(Intensity(low=-1, high=1, spread=True), 0.0, None)
    found = loss(
        {"logits": torch.tensor([[0.5, 0.1], [0.0, 0.0]])}, torch.tensor([[0.0, 0.3, 1.0], [1.0, 0.0, 2.0]])
    )
    assert found.item() == pytest.approx((0.25 + 0.04 + 2 * 1.0) / 2)
