"""A base for a classifier: whatever its own head was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from nlpkit.errors import RunError
from nlpkit.models.pretrained import load_classifier
from nlpkit.tasks.polarity import Polarity


def base_of(labels: int, base: Path, folder: Path) -> Path:
    AutoModelForSequenceClassification.from_pretrained(base, num_labels=labels).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("labels", [2, 5])
def test_a_classifier_of_other_labels_gives_its_body(labels: int, tiny_base: Path, tmp_path: Path) -> None:
    head = Polarity(labels=("negative", "positive")).head
    base = base_of(labels, tiny_base, tmp_path)
    torch.manual_seed(3)
    model = load_classifier(base, head=head)
    own = AutoModelForSequenceClassification.from_pretrained(base)
    assert model.num_labels == 2
    assert labels == 5 or not model.classifier.weight.equal(own.classifier.weight)
    body = own.base_model.state_dict()
    assert all(weight.equal(body[name]) for name, weight in model.base_model.state_dict().items())


def test_a_body_of_another_size_than_its_config_says_is_refused(tiny_base: Path, tmp_path: Path) -> None:
    path = base_of(2, tiny_base, tmp_path) / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**config, "vocab_size": 7}), encoding="utf-8")
    with pytest.raises(RunError, match=r"embeddings.word_embeddings.weight is not of the size"):
        load_classifier(tmp_path, head=Polarity(labels=("negative", "positive")).head)
