"""The loss that draws the answers to a text and to its copy together."""

from pathlib import Path

import pytest
import torch

from nlpkit.classifiers.classifier import Classifier
from nlpkit.errors import ConfigError
from nlpkit.settings.training import ClassifierTraining
from nlpkit.tasks.polarity import Polarity
from nlpkit.training.classification_objective import classification_objective
from nlpkit.training.objective import Objective
from nlpkit.training.rows import TrainingRow
from tests.conftest import sentences, train_toy, write_csv

TWO = Polarity(labels=("negative", "positive"))


class Tokenizer:
    pad_token_id = 0


def objective(consistency: float, copies: tuple[int, ...] | None, freeze: float = 0) -> Objective:
    """Three rows, and below them the copies; every row has its number as its only token."""
    count = 3 + len(copies or ())
    rows = [
        TrainingRow(input_ids=[number + 1], target=[number % 2], weight=1.0, cut=0) for number in range(count)
    ]
    training = ClassifierTraining(consistency=consistency, freeze=freeze)
    return classification_objective(
        rows, rows[:1], task=TWO, tokenizer=Tokenizer, training=training, copies=copies
    )


def test_a_batch_holds_each_copy_and_behind_all_rows_its_original_without_a_label() -> None:
    made = objective(1.0, copies=(2, 0))
    batch = made.collate([made.train[1], made.train[3], made.train[4]])
    assert batch["input_ids"].flatten().tolist() == [4, 5, 2, 3, 1]
    assert batch["labels"][:, 0].tolist() == [1, 0, 1, -100, -100]
    # what the trainer divides by: the labels of three rows, each with its weight
    assert int(batch["labels"].ne(-100).sum()) == 6


def test_the_loss_adds_the_mean_difference_of_the_logits_of_each_pair() -> None:
    plain, made = objective(0.0, copies=(2, 0)), objective(0.5, copies=(2, 0))
    batch = made.collate([made.train[1], made.train[3]])
    # the copy, another row, the copy's original: |2 - 1| and |0 - 4| make 2.5, of two rows
    logits = torch.tensor([[2.0, 0.0], [1.0, 1.0], [1.0, 4.0]])
    own = plain.loss({"logits": logits[:2]}, batch["labels"][:2])
    assert made.loss({"logits": logits}, batch["labels"]).item() == pytest.approx(own.item() + 0.5 * 2.5 / 2)
    counted = made.loss({"logits": logits}, batch["labels"], 8)  # of an optimizer step with four rows
    assert counted.item() == pytest.approx(own.item() / 2 + 0.5 * 2.5 / 4)


def test_without_pairs_the_loss_is_as_before() -> None:
    made = objective(1.0, copies=(2,))
    batch, logits = made.collate([made.train[0], made.train[1]]), torch.tensor([[2.0, 0.0], [1.0, 1.0]])
    own = objective(0.0, copies=None).loss({"logits": logits}, batch["labels"])
    assert torch.equal(made.loss({"logits": logits}, batch["labels"]), own)


def test_nothing_to_compare_is_refused_with_a_hint() -> None:
    with pytest.raises(ConfigError, match=r"no copies to compare with; hint: data\.swaps=true"):
        objective(1.0, copies=None)
    with pytest.raises(ConfigError, match=r"not go together .*hint: training\.freeze=0"):
        objective(1.0, copies=(0,), freeze=0.5)


def test_a_training_draws_pairs_together(toy_config: Path, tmp_path: Path) -> None:
    """Half of the rows name women and are negative, the others men: a copy says the opposite."""
    who = {"negative": "she", "positive": "he"}
    rows = [(f"{who[label]} said it was {text}", label) for text, label in sentences(60)]
    train = write_csv(tmp_path / "train.csv", rows)

    def apart(name: str, *settings: str) -> float:
        (run,) = train_toy(toy_config, f"data.train={train}", f"name={name}", "data.swaps=true", *settings)
        answers = Classifier.load(run).predict([f"{word} said it was" for word in who.values()])
        her, him = (answer.probabilities["positive"] for answer in answers)
        return abs(her - him)

    assert apart("close", "training.consistency=20") < apart("plain") / 2
