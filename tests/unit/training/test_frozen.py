"""Layers that are frozen and run once give the losses and gradients of layers that are run each time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from nlpkit.errors import ConfigError
from nlpkit.models.layers import layers_of
from nlpkit.models.lora import add_lora
from nlpkit.models.pretrained import load_classifier
from nlpkit.settings.training import ClassifierTraining, Lora
from nlpkit.tasks.polarity import Polarity
from nlpkit.training.classification_objective import classification_objective
from nlpkit.training.frozen import frozen, megabytes, plan_lines
from nlpkit.training.objective import Objective
from nlpkit.training.rows import TrainingRow
from tests.conftest import make_base, train_toy

TASK = Polarity(labels=("negative", "positive"))


class Pad:
    pad_token_id = 0


def rows(count: int = 12) -> list[TrainingRow]:
    draw = torch.Generator().manual_seed(1)
    found = []
    for number in range(count):
        ids = torch.randint(5, 40, (3 + number % 5,), generator=draw).tolist()
        found.append(TrainingRow(input_ids=[2, *ids, 3], target=[float(number % 2)], weight=1.0, cut=0))
    return found


def made(base: Path, *, freeze: int, dropout: float = 0.3) -> tuple[Any, Objective]:
    torch.manual_seed(3)
    plain = load_classifier(base, head=TASK.head, dropout=dropout)
    model = add_lora(plain, Lora(rank=4), freeze=freeze)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(0.1)  # LoRA starts at zero, where nothing could go wrong
    return model, classification_objective(
        rows(), rows(4), task=TASK, tokenizer=Pad(), training=ClassifierTraining()
    )


def freezing(layers: int, limit_mb: int) -> ClassifierTraining:
    return ClassifierTraining(freeze=layers, cache_mb=limit_mb)


def step(model: Any, objective: Objective) -> tuple[float, dict[str, torch.Tensor]]:
    """The loss of one batch and the gradient of each weight that learns."""
    model.train()
    model.zero_grad()
    torch.manual_seed(7)  # the upper layers' dropout
    batch = objective.collate(list(objective.train[:6]))
    labels = batch.pop("labels")
    with objective.narrowed(model, batch):
        loss = objective.loss(model(**batch), labels)
    loss.backward()
    return loss.item(), {
        name: weight.grad for name, weight in model.named_parameters() if weight.requires_grad
    }


@pytest.fixture(scope="module")
def deep_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("deep"), layers=4)


@pytest.mark.parametrize("freeze", [1, 3])
def test_states_that_are_kept_give_the_same_losses_and_gradients(deep_base: Path, freeze: int) -> None:
    model, objective = made(deep_base, freeze=freeze, dropout=0.0)
    plain = step(model, objective)
    anew = step(model, frozen(objective, model, freezing(freeze, 0), bf16=False, talk=lambda _: None))
    kept = step(model, frozen(objective, model, freezing(freeze, 10), bf16=False, talk=lambda _: None))
    for loss, gradients in (anew, kept):
        assert loss == pytest.approx(plain[0], rel=1e-6)
        assert gradients.keys() == plain[1].keys()
        for name, gradient in gradients.items():
            assert torch.allclose(gradient, plain[1][name], atol=1e-6), name
    assert not any(f"layer.{place}." in name for name in plain[1] for place in range(freeze))
    assert any(f"layer.{freeze}." in name for name in plain[1])


def test_with_dropout_keeping_and_running_anew_still_agree(deep_base: Path) -> None:
    model, objective = made(deep_base, freeze=2)
    kept, anew = (
        frozen(objective, model, freezing(2, limit), bf16=False, talk=lambda _: None) for limit in (10, 0)
    )
    model.train()
    losses = []
    for ready in (kept, anew):
        batch = ready.collate(list(ready.train[:6]))
        batch.pop("labels")
        for layer in list(layers_of(model).values())[2:]:
            # Their dropout shares its generator with the embeddings', which one of the two does not run
            layer.eval()
        model.get_base_model().dropout.eval()
        with torch.no_grad(), ready.narrowed(model, batch):
            losses.append(model(**batch).logits)
    assert torch.allclose(*losses, atol=1e-6)


def test_a_layer_that_answers_in_a_tuple_is_known_by_its_answer(tmp_path: Path) -> None:
    from transformers import MPNetConfig, MPNetModel

    config = MPNetConfig(
        vocab_size=60, hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=32
    )
    torch.manual_seed(0)
    MPNetModel(config).save_pretrained(tmp_path)
    model, objective = made(tmp_path, freeze=2, dropout=0.0)
    plain = step(model, objective)
    loss, gradients = step(model, frozen(objective, model, freezing(2, 10), bf16=False, talk=lambda _: None))
    assert loss == pytest.approx(plain[0], rel=1e-6)
    assert all(torch.allclose(gradient, plain[1][name], atol=1e-6) for name, gradient in gradients.items())


def test_the_memory_of_the_states_is_reported_and_limited(tiny_base: Path) -> None:
    model, objective = made(tiny_base, freeze=1)
    # 12 rows of 5 to 9 tokens, and 4 of 5 to 8: 81 + 26 tokens of 16 numbers of 4 bytes
    assert megabytes(objective, model) == pytest.approx((81 + 26) * 16 * 4 / 1e6)
    assert plan_lines(objective, model, freezing(0, 10)) == []
    assert plan_lines(objective, model, freezing(1, 10)) == [
        "frozen     the lowest 1 of 2 layers, without dropout: run once over all rows,"
        " 0 MB of states kept in memory"
    ]
    assert (
        "run anew in every epoch, as their states would take 0 MB (training.cache_mb: 0)"
        in plan_lines(objective, model, freezing(1, 0))[0]
    )


def test_a_layer_must_be_left_to_learn(toy_config: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"training.freeze: 2; the base has 2 layers, at least one of which must learn"
    ):
        train_toy(toy_config, "training.freeze=2", check=True)


def test_layers_in_no_list_are_refused(tmp_path: Path) -> None:
    from transformers import AlbertConfig, AlbertModel

    config = AlbertConfig(
        vocab_size=40,
        embedding_size=8,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
    )
    AlbertModel(config).save_pretrained(tmp_path)
    plain = load_classifier(tmp_path, head=TASK.head)
    with pytest.raises(ConfigError, match=r"cannot find the layers of a albert; hint: training\.freeze=0"):
        add_lora(plain, Lora(), freeze=1)


def test_kept_or_run_anew_a_training_is_the_same_and_says_what_it_does(
    toy_config: Path, tmp_path: Path
) -> None:
    same = ("training.freeze=1", "base.dropout=0", "lora.dropout=0", "training.max_steps=12")
    said: dict[str, list[str]] = {"0": [], "100": []}
    logs = []
    for limit, lines in said.items():
        (run,) = train_toy(
            toy_config, f"output={tmp_path / limit}", f"training.cache_mb={limit}", *same, said=lines
        )
        logs.append([json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()])
        targets = json.loads((run / "adapter" / "adapter_config.json").read_text())["target_modules"]
        assert targets
        assert not any("layer.0." in name for name in targets)
    losses = [[entry["eval_loss"] for entry in log if "eval_loss" in entry] for log in logs]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert any("run anew in every epoch" in line for line in said["0"])
    assert any(line.startswith("frozen     ran the lowest 1 layers once") for line in said["100"])
