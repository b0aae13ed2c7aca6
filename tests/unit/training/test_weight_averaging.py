"""The greedy soup on adapters whose metric can be worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import save_file

from nlpkit.models.adapter import WEIGHTS
from nlpkit.models.lora import add_lora
from nlpkit.models.pretrained import load_language_model
from nlpkit.settings.training import Lora
from nlpkit.training.weight_averaging import average_greedily

if TYPE_CHECKING:
    from peft import PeftModel


@pytest.fixture
def model(tiny_chat_base: Path) -> PeftModel:
    return add_lora(load_language_model(tiny_chat_base), Lora(rank=2, targets=("q_proj",)), kind="CAUSAL_LM")


def first(model: PeftModel) -> torch.Tensor:
    return next(weight for name, weight in model.named_parameters() if "lora_A" in name)


def save_checkpoints(model: PeftModel, folder: Path, values: list[float]) -> list[Path]:
    """Adapters that hold one number everywhere."""
    from peft import get_peft_model_state_dict

    folders = []
    for place, value in enumerate(values):
        one = folder / f"checkpoint-{place}"
        one.mkdir()
        save_file(
            {
                name: torch.full_like(weight, value)
                for name, weight in get_peft_model_state_dict(model).items()
            },
            one / WEIGHTS,
        )
        folders.append(one)
    return folders


@pytest.mark.parametrize("greater", [True, False])
def test_checkpoints_on_both_sides_of_the_best_weights_are_averaged(
    model: PeftModel, tmp_path: Path, greater: bool
) -> None:
    """Measure the distance from 1.0: 1.2 is best alone, 0.95 with 0.7; 2.0 and -0.5 would make it worse."""
    values = [0.7, 1.2, 2.0, -0.5]
    folders = save_checkpoints(model, tmp_path, values)
    sign = -1 if greater else 1
    alone = {folder: sign * abs(value - 1) for folder, value in zip(folders, values, strict=True)}
    kept, measured = average_greedily(
        model, alone, lambda: sign * abs(float(first(model).detach().mean()) - 1), greater_is_better=greater
    )
    assert kept == (folders[1], folders[0])
    assert measured == pytest.approx(sign * 0.05, abs=1e-6)
    assert torch.allclose(first(model), torch.tensor(0.95))


def test_where_none_helps_the_best_look_stands(model: PeftModel, tmp_path: Path) -> None:
    folders = save_checkpoints(model, tmp_path, [1.0, 3.0])
    kept, measured = average_greedily(
        model,
        {folders[0]: 0.0, folders[1]: 2.0},
        lambda: abs(float(first(model).detach().mean()) - 1),
        greater_is_better=False,
    )
    assert (kept, measured) == ((folders[0],), 0.0)
    assert torch.allclose(first(model), torch.tensor(1.0))
