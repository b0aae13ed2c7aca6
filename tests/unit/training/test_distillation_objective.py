import math
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from nlpkit.errors import ConfigError
from nlpkit.settings.training import Lora
from nlpkit.tasks.polarity import Polarity
from nlpkit.training.classification_objective import collator
from nlpkit.training.distillation_objective import (
    Distillation,
    DistillationTraining,
    _loss,
    _with_answers,
    distillation_objective,
    refuse_unfit,
    soft_loss,
)
from nlpkit.training.distillation_teacher import Answers
from nlpkit.training.rows import TrainingRow

TWO = Polarity(labels=("negative", "positive"))


def row(target: float, place: int | None, weight: float = 1.0) -> dict[str, object]:
    return {"input_ids": [2, 5, 3], "target": [target], "weight": weight, "cut": 0, "row": place}


def answers(*logits: tuple[float, float], states: list[list[float]] | None = None) -> Answers:
    return Answers(
        logits=np.array(logits, dtype=np.float32),
        states=None if states is None else np.array(states, dtype=np.float16),
    )


def labels(found: Answers, *rows: dict[str, object], temperature: float = 2.0) -> torch.Tensor:
    return _with_answers(collator(0), found, 2, temperature)(list(rows))["labels"]


def test_the_soft_loss_by_hand() -> None:
    # student even, teacher 3 to 1: 0.75 ln(0.75 / 0.5) + 0.25 ln(0.25 / 0.5), times 2 squared
    found = soft_loss(torch.zeros(1, 2), torch.tensor([[0.75, 0.25]]), 2.0)
    assert found.item() == pytest.approx(4 * (0.75 * math.log(1.5) + 0.25 * math.log(0.5)))
    alike = torch.tensor([[1.2, -0.4]])
    assert soft_loss(alike, torch.softmax(alike / 3, dim=1), 3.0).item() == pytest.approx(0.0, abs=1e-6)


def test_the_temperature_softens_both_sides_and_keeps_the_gradients_size() -> None:
    teacher = torch.tensor([[2.0, -1.0, 0.3]])
    gradients = []
    for temperature in (50.0, 100.0):
        student = torch.tensor([[0.5, 0.1, -0.2]], requires_grad=True)
        soft_loss(student, torch.softmax(teacher / temperature, dim=1), temperature).sum().backward()
        gradients.append(student.grad)
    # At high temperatures: (student - teacher) / labels, both centered (Hinton et al. 2015, equation 4)
    logits = torch.tensor([[0.5, 0.1, -0.2]])
    expected = ((logits - logits.mean()) - (teacher - teacher.mean())) / 3
    assert torch.allclose(gradients[1], expected, atol=0.01)
    assert torch.allclose(gradients[0], gradients[1], atol=0.02)


def test_a_batch_carries_label_weight_and_softened_probabilities() -> None:
    found = labels(answers((2.0, 0.0), (0.0, 0.0), (9.0, 9.0)), row(-1.0, 0), row(1.0, 1, weight=0.5))
    high = 1 / (1 + math.exp(-1))
    assert found.tolist() == [pytest.approx([-1.0, 1.0, high, 1 - high]), pytest.approx([1.0, 0.5, 0.5, 0.5])]
    assert labels(answers((2.0, 0.0)), row(1.0, None)).tolist() == [[1.0, 1.0, 0.0, 0.0]]


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_labels_and_teacher_are_mixed_where_both_are_known(share: float) -> None:
    found = answers((2.0, 0.0), (-1.0, 1.0), (0.5, 0.0))
    batch = labels(found, row(-1.0, 0), row(1.0, 1, weight=2.0))
    logits = torch.tensor([[0.2, 0.4], [1.0, -1.0]])
    taught = torch.softmax(torch.tensor([[2.0, 0.0], [-1.0, 1.0]]) / 2, dim=1)
    student = torch.log_softmax(logits / 2, dim=1)
    soft = torch.nn.functional.kl_div(student, taught, reduction="none").sum(dim=1) * 4
    hard = torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1]), reduction="none")
    expected = (soft[0] + 2.0 * (share * hard[1] + (1 - share) * soft[1])) / 2
    loss = _loss(2, Distillation(temperature=2.0, label_weight=share), [])
    assert torch.allclose(loss({"logits": logits}, batch), expected)
    parts = sum(
        loss({"logits": logits[at]}, batch[at], batch.numel()) for at in (slice(0, 1), slice(1, 2))
    )  # as Trainer counts
    assert torch.allclose(parts, expected)


def test_labelled_rows_stand_in_an_epoch_as_often_as_asked_each_with_its_own_answer() -> None:
    given = ((1, 1.0), (4, 0.0), (2, -1.0), (3, -1.0))
    rows = [
        TrainingRow(input_ids=[2, *[5] * words, 3], target=[target], weight=1.0, cut=0)
        for words, target in given
    ]
    settings = Distillation(labelled_times=3)
    objective = distillation_objective(
        rows,
        rows[:1],
        answers((0, 0), (4, 0), (0, 4), (8, 0)),
        TWO,
        Mock(pad_token_id=0),
        DistillationTraining(),
        settings,
    )
    assert [one["row"] for one in objective.train] == [0, 0, 0, 1, 1, 1, 2, 3]
    assert objective.lengths == [3, 3, 3, 6, 6, 6, 4, 5]
    taught = objective.collate([objective.train[5], objective.train[6]])["labels"]
    high = 1 / (1 + math.exp(-2))
    assert taught.tolist() == [
        pytest.approx([0.0, 1.0, high, 1 - high]),
        pytest.approx([-1.0, 1.0, 1 - high, high]),
    ]


def test_a_validation_row_has_its_label_alone() -> None:
    batch = labels(answers((2.0, 0.0)), row(1.0, None))
    found = _loss(2, Distillation(), [])({"logits": torch.tensor([[1.0, -1.0]])}, batch)
    assert found.item() == pytest.approx(math.log(1 + math.exp(2)))


def test_states_count_by_their_angle() -> None:
    found = answers((0.0, 0.0), (0.0, 0.0), states=[[3.0, 4.0], [-100.0, 0.0]])
    batch = labels(found, row(-1.0, 0), row(-1.0, 1))
    assert batch[:, 4:].tolist() == [pytest.approx([0.6, 0.8]), pytest.approx([-1.0, 0.0])]
    projected = torch.tensor([[0.6, 0.8], [0.0, 7.0]])  # the same direction, and at a right angle
    loss = _loss(2, Distillation(hidden_weight=0.5), [projected])({"logits": torch.zeros(2, 2)}, batch)
    assert loss.item() == pytest.approx(0.5 * (0 + 1) / 2)


def test_pissa_and_states_do_not_go_together() -> None:
    refuse_unfit(Lora(init="pissa"), Distillation())
    with pytest.raises(
        ConfigError, match=r"lora\.init: pissa does not go together with distillation\.hidden_weight; hint"
    ):
        refuse_unfit(Lora(init="pissa"), Distillation(hidden_weight=1))


def test_a_text_without_label_is_marked_so(tiny_base: object) -> None:
    from nlpkit.data.examples import LabeledText
    from nlpkit.models.pretrained import load_tokenizer
    from nlpkit.training.distillation_data import DistillationRows
    from nlpkit.training.distillation_objective import encode_all
    from nlpkit.training.rows import Rows
    from nlpkit.training.unlabeled_texts import UnlabeledTexts

    rows = Rows(
        task=TWO,
        train=(LabeledText(text="a good film", label="positive", weight=3.0),),
        validation=(),
        test=(),
        dropped=0,
    )
    texts = UnlabeledTexts(texts=("the food was bad",), repeated=0, dropped=0, sources=())
    found = encode_all(DistillationRows(rows=rows, unlabeled=texts), load_tokenizer(tiny_base), 5)
    assert [(one.target, one.weight, one.cut) for one in found] == [([1.0], 1.0, 0), ([-1.0], 1.0, 1)]
    assert all(isinstance(one, TrainingRow) for one in found)
