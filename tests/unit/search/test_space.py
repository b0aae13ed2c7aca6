"""An invalid setting in the space is refused before anything is trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from nlpkit.errors import ConfigError
from nlpkit.search.space import in_words, own_values, search_of
from nlpkit.training.train import TrainingConfig, read_training

CONFIG = """recipe: sentiment
name: toy
data: {train: nowhere.csv}
training: {lr: 5.0e-4}
search:
  trials: 5
  space:
"""


def loaded(folder: Path, *space: str) -> TrainingConfig:
    path = folder / "toy.yaml"
    path.write_text(CONFIG + "".join(f"    {line}\n" for line in space), encoding="utf-8")
    return read_training(path)


def test_a_valid_space_is_taken_and_described(tmp_path: Path) -> None:
    config = loaded(
        tmp_path, "training.lr: {low: 1.0e-4, high: 2.0e-3, log: true}", "lora.rank: [8, 16]",
        "training.epochs: {low: 1, high: 4}", "base.dropout: [null, 0.0]",
    )  # fmt: skip
    search = search_of(config)
    assert in_words(search) == (
        "training.lr 0.0001 to 0.002 (log), lora.rank of 8, 16, training.epochs 1 to 4, "
        "base.dropout of None, 0.0"
    )
    own = {"training.lr": 5e-4, "lora.rank": 16, "training.epochs": 3, "base.dropout": None}
    assert own_values(config, search) == own


def test_own_values_outside_the_space_are_none(tmp_path: Path) -> None:
    config = loaded(tmp_path, "training.lr: {low: 1.0e-3, high: 2.0e-3}")
    assert own_values(config, search_of(config)) is None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("training.lrr: [0.1, 0.2]", "line 8: search.space: training.lrr: unknown key; did you mean 'lr'?"),
        ("lora.rank: [0, 8]", "search.space: lora.rank: input should be greater than or equal to 1, found 0"),
        ("training.warmup: {low: 0.0, high: 1.0}", "training.warmup: input should be less than 1, found 1.0"),
        (
            "training.schedule: [linear, cosin]",
            "training.schedule: input should be 'linear', 'cosine' or 'constant_with_warmup', "
            "found 'cosin'; did you mean 'cosine'?",
        ),
        ("data.near_duplicates: [0.5, 0.8]", "'data.near_duplicates' must be the same for all trials"),
        ("training.metric: [accuracy, mcc]", "'training.metric' must be the same for all trials"),
        ("training.lr: {low: 0.1, high: 0.01}", "expected low below high, found low 0.1 and high 0.01"),
        ("training.lr: {low: 0.0, high: 0.01, log: true}", "log: true needs a low above 0, found 0"),
        ("training.lr: [0.1]", "training.lr: expected at least two different choices, found [0.1]"),
    ],
)
def test_an_invalid_setting_is_refused_by_file_line_and_key(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        search_of(loaded(tmp_path, line))
    assert f"{tmp_path / 'toy.yaml'}: 1 problem" in str(refused.value)
    assert message in str(refused.value)


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="2 problems"):
        search_of(loaded(tmp_path, "lora.rank: [0, 8]", "traning.lr: [0.1, 0.2]"))


def test_one_training_refuses_a_config_with_a_search(tmp_path: Path) -> None:
    from nlpkit.training.train import train

    loaded(tmp_path, "lora.rank: [4, 8]")
    with pytest.raises(ConfigError, match=r"one training is asked for; hint: nlpkit.hyperparameter_search"):
        train(tmp_path / "toy.yaml")
