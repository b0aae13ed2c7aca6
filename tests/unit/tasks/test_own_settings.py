from __future__ import annotations

from pathlib import Path

import pytest

from nlpkit.config import load_config
from nlpkit.errors import ConfigError
from nlpkit.settings.data import DataSource, LabelSource, NumberSource
from nlpkit.settings.training import ClassifierTraining, TextTraining
from nlpkit.tasks.intensity import Intensity
from nlpkit.tasks.own_settings import source_for, training_for
from nlpkit.tasks.polarity import Polarity
from recipes.sentiment import SentimentConfig


@pytest.mark.parametrize(
    ("task", "keys", "refused"),
    [
        (Intensity(), {"labels": {1: "negative"}}, "labels"),
        (Intensity(), {"bins": (0.0,)}, "bins"),
        (Polarity(), {"spread": "sd"}, "spread"),
    ],
)
def test_a_source_key_that_means_nothing_to_the_task_is_refused(
    task: Polarity | Intensity, keys: dict[str, object], refused: str
) -> None:
    with pytest.raises(ConfigError, match=rf"a\.csv: the task '{task.kind}' has no key '{refused}'"):
        source_for(task, DataSource(source="a.csv", **keys))


@pytest.mark.parametrize("keys", [{"class_weights": "balanced"}, {"label_smoothing": 0.3}])
def test_an_intensity_has_no_training_keys_of_labels(keys: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=f"training: the task 'intensity' has no key '{next(iter(keys))}'"):
        training_for(Intensity(), ClassifierTraining(**keys))
    assert training_for(Polarity(), ClassifierTraining(**keys)) == ClassifierTraining(**keys)


def test_what_is_left_is_the_tasks_own_and_a_default_counts_as_unset() -> None:
    resolved = DataSource.model_validate(DataSource(source="a.csv", limit=5).model_dump())
    assert source_for(Intensity(), resolved) == NumberSource(source="a.csv", limit=5)
    assert source_for(Polarity(), resolved) == LabelSource(source="a.csv", limit=5)
    assert training_for(Intensity(), ClassifierTraining(epochs=2)) == TextTraining(epochs=2)


def test_a_preset_gives_a_task_only_keys_that_it_has() -> None:
    assert TextTraining(preset="fast").evaluations == ClassifierTraining(preset="fast").evaluations == 12


def test_a_resolved_preset_is_no_key_of_labels() -> None:
    resolved = ClassifierTraining.model_validate(ClassifierTraining(preset="fast").model_dump())
    assert training_for(Intensity(), resolved) == TextTraining(preset="fast")
    with pytest.raises(ConfigError, match="label_smoothing"):
        training_for(Intensity(), ClassifierTraining(preset="fast", label_smoothing=0.3))


def test_a_config_is_refused_when_it_loads_with_every_key_that_its_task_lacks(tmp_path: Path) -> None:
    path = tmp_path / "ignored.yaml"
    path.write_text(
        "recipe: sentiment\nname: ignored\ntask: {kind: intensity, low: -4, high: 4}\n"
        "data: {train: [{source: a.csv, labels: {1: negative}, bins: [0.0]}], validation: 0.2}\n"
        "training: {class_weights: balanced, label_smoothing: 0.3}\n"
    )
    with pytest.raises(ConfigError) as caught:
        load_config(path, SentimentConfig)
    message = str(caught.value)
    assert "the task 'intensity' has no data.train.0.labels, data.train.0.bins" in message
    assert "training.label_smoothing" in message
    assert "training.class_weights" in message
