"""A preset stands for values that can be seen, overridden and run again."""

from __future__ import annotations

from pathlib import Path

import pytest

from nlpkit.config import load_config, to_yaml
from nlpkit.errors import ConfigError
from nlpkit.settings.training import PRESETS, ClassifierTraining
from nlpkit.training.precision import Precision, _for_processor, choose_precision
from nlpkit.training.recipes import load_recipe
from tests.conftest import train_toy

CONFIG = Path(__file__).parents[3] / "recipes" / "configs" / "sst2-fast.yaml"


def test_every_preset_gives_keys_that_there_are() -> None:
    for name, values in PRESETS.items():
        found = ClassifierTraining.model_validate({"preset": name})
        assert found.preset == name
        for key, value in values.items():
            assert getattr(found, key) == value
            assert getattr(found, key) != getattr(ClassifierTraining(), key), f"{key} says what is so anyway"


def test_what_is_given_wins_over_the_preset_even_where_it_is_the_default() -> None:
    found = ClassifierTraining.model_validate({"preset": "fast", "epochs": 1, "freeze": 0, "average": False})
    assert (found.epochs, found.freeze, found.average) == (1, 0, False)
    assert found.precision == "fastest"
    recipe = load_recipe("sentiment")
    assert load_config(CONFIG, recipe.Config, ["training.lr=0.5"]).training.lr == 0.5
    assert load_config(CONFIG, recipe.Config).training.lr == PRESETS["fast"]["lr"]


def test_the_resolved_config_says_every_value_and_gives_the_same_again(tmp_path: Path) -> None:
    recipe = load_recipe("sentiment")
    config = load_config(CONFIG, recipe.Config, ["training.epochs=1"])
    path = tmp_path / "config.yaml"
    path.write_text(to_yaml(config), encoding="utf-8")
    assert "freeze: 0.33" in path.read_text()
    assert load_config(path, recipe.Config) == config


def test_a_misspelt_preset_is_refused_with_the_nearest() -> None:
    recipe = load_recipe("sentiment")
    with pytest.raises(
        ConfigError, match=r"training\.preset: input should be 'fast', found 'fats'; did you mean 'fast'\?"
    ):
        load_config(CONFIG, recipe.Config, ["training.preset=fats"])
    with pytest.raises(
        ConfigError, match=r"training\.preset: input should be 'fast', found \['fast'\] \(list\)"
    ):
        load_config(CONFIG, recipe.Config, ["training.preset=[fast]"])
    with pytest.raises(
        ConfigError,
        match=r"training\.freeze: expected a number of layers, or a share of them below 1, found 2\.5",
    ):
        load_config(CONFIG, recipe.Config, ["training.freeze=2.5"])


def test_bf16_is_chosen_where_the_processor_multiplies_it_and_the_reason_is_said() -> None:
    assert _for_processor({"avx512_bf16": True, "amx_bf16": True}) == Precision(
        bf16=True, why="the processor has AMX"
    )
    assert (
        _for_processor({"avx512_bf16": True, "amx_bf16": False}).line
        == "computed   in bf16: the processor has AVX512-BF16"
    )
    assert (
        _for_processor({"avx2": True}).line
        == "computed   in fp32: the processor has none of AMX, AVX512-BF16"
    )
    assert choose_precision("bf16").line == "computed   in bf16: training.precision: bf16"
    assert not choose_precision("fp32").bf16


def test_a_run_with_the_preset_says_what_it_does_and_can_be_run_again(
    toy_config: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    quick = ["training={preset: fast, max_steps: 4, evaluations: 2}", f"output={tmp_path}"]
    (run,) = train_toy(toy_config, *quick, said=said)
    assert any(line.startswith("computed   in ") for line in said)
    assert any(line.startswith("frozen     the lowest 1 of 2 layers") for line in said)
    assert any(line.startswith("averaged:") for line in said)
    again: list[str] = []
    assert train_toy(run / "config.yaml", said=again) == [run]
    assert again == [f"{run}: trained already"]
