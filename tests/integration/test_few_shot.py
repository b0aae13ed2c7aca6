"""A few-shot run through an export, and as a teacher: its head is none of transformers' own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nlpkit
from nlpkit.errors import ConfigError
from nlpkit.run import Run
from nlpkit.training.distillation_teacher import label_texts, open_teacher
from nlpkit.training.runs import TrainOptions


@pytest.fixture(scope="module")
def few(tiny_base: Path, toy_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return nlpkit.train(
        recipe="few_shot", name="few", output=str(tmp_path_factory.mktemp("few")), config={}, seeds=[1],
        data={"train": str(toy_csv), "per_label": 8, "test": 0.2, "near_duplicates": 1.0},
        task={"kind": "polarity", "labels": ["negative", "positive"]}, base={"source": str(tiny_base)},
        lora={"rank": 2}, training={"ways": ["contrastive"], "epochs": 3, "folds": 2},
    )  # fmt: skip


def test_a_few_shot_run_is_exported_as_any_classifier(few: Run, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    folder = nlpkit.export(few, "onnx", tmp_path / "onnx")
    texts = ["a good film", "", "very bad food " * 60]
    before, after = nlpkit.predict(texts, few, runtime="torch"), nlpkit.predict(texts, folder)
    for first, second in zip(before, after, strict=True):
        assert second.probabilities["positive"] == pytest.approx(first.probabilities["positive"], abs=1e-3)


def test_a_few_shot_run_teaches_what_it_answers(few: Run, tmp_path: Path) -> None:
    texts = ["a good film", "very bad food", "the place was fine and the food was awful"]
    answers = label_texts(
        open_teacher(few.path), texts, tmp_path, states=False, precision="fp32",
        options=TrainOptions(talk=lambda _: None),
    )  # fmt: skip
    np.testing.assert_allclose(answers.logits, nlpkit.Classifier.load(few).logits(texts), atol=1e-5)
    with pytest.raises(ConfigError, match=r"\(MeanPooled\), whose head does not read the first token alone"):
        label_texts(
            open_teacher(few.path), texts, tmp_path, states=True, precision="fp32",
            options=TrainOptions(talk=lambda _: None),
        )  # fmt: skip
