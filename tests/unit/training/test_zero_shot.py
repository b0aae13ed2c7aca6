from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nlpkit
from nlpkit.classifiers.classifier import Classifier
from nlpkit.errors import ConfigError, RunError
from nlpkit.metrics.calibration import fit_bias
from nlpkit.run import Run
from nlpkit.training.train import train_seeds

BOOK = """
labels:
  - {label: negative, description: the film was bad, examples: [awful food, a poor story]}
  - {label: positive, description: the film was good, examples: [lovely food, a great story]}
"""


@pytest.fixture(scope="module")
def settings(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict[str, Any]]:
    folder = tmp_path_factory.mktemp("zero")
    book = folder / "book.yaml"
    book.write_text(BOOK, encoding="utf-8")

    def made(name: str, **changes: Any) -> dict[str, Any]:
        tree = {
            "recipe": "zero_shot", "name": name, "output": str(folder / "runs"),
            "codebook": str(book), "base": {"source": str(tiny_base)},
        }  # fmt: skip
        return {**tree, **changes}

    return made


@pytest.fixture(scope="module")
def calibrated(settings: Callable[..., dict[str, Any]], toy_csv: Path) -> Run:
    return nlpkit.train(settings("calibrated", data={"calibration": str(toy_csv)}))


def test_a_zero_shot_run_is_a_run_like_any_other(calibrated: Run, tmp_path: Path, toy_csv: Path) -> None:
    record = calibrated.read_verified()
    assert record.data["rows"] == {"calibration": 120, "test": 120}
    assert record.reader is not None
    assert record.cost["trainable_parameters"] == 0
    # What is measured is what is served
    report = json.loads((calibrated.evaluation / "test.json").read_text(encoding="utf-8"))
    again = nlpkit.evaluate(calibrated, toy_csv)
    assert report["scores"]["accuracy"]["count"] == 120
    assert again.scores["accuracy"].count == 240
    answers = Classifier.load(calibrated).predict(["a good film", "a bad film"])
    assert [sum(answer.probabilities.values()) for answer in answers] == pytest.approx([1, 1])
    nlpkit.score_file(Classifier.load(calibrated), toy_csv, tmp_path / "scored.csv", prefix="m_")
    assert "m_p_positive" in (tmp_path / "scored.csv").read_text(encoding="utf-8").splitlines()[0]
    card = calibrated.card.read_text(encoding="utf-8")
    assert "It was not trained" in card
    assert "- **positive**: the film was good" in card
    assert "peft" not in card.casefold()


def test_two_codebooks_are_read_in_one_pass(
    calibrated: Run, settings: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    book = tmp_path / "book.yaml"
    book.write_text("labels: [food, film, place]", encoding="utf-8")
    other = nlpkit.train(settings("topics", codebook=str(book)))
    both = nlpkit.Readings.load([calibrated, other])
    assert both.shared == {"topics": 2}  # both layers of the base
    for run in (calibrated, other):
        (alone,) = Classifier.load(run, runtime="torch").predict("the food was fine")
        assert both.predict("the food was fine")[0].by_name[run.name] == alone


def test_a_run_is_loaded_with_the_weights_that_it_saved(calibrated: Run) -> None:
    weights = calibrated.reader / "label_weights.safetensors"
    saved = weights.read_bytes()
    try:
        weights.write_bytes(saved[:-1] + bytes([saved[-1] ^ 1]))
        with pytest.raises(RunError, match="has changed since training"):
            Classifier.load(calibrated)
    finally:
        weights.write_bytes(saved)


def test_a_run_without_rows_says_that_it_is_not_calibrated(settings: Callable[..., dict[str, Any]]) -> None:
    lines: list[str] = []
    (run,) = train_seeds(settings("bare"), talk=lines.append)
    assert "warning    no labeled rows: the probabilities are not calibrated" in lines
    assert not run.report.exists()
    classifier = Classifier.load(run)
    assert classifier.task.head.names == ("negative", "positive")
    book = nlpkit.zero_shot(["a good film"], {"x": "good", "y": "bad"}, base=settings("x")["base"]["source"])
    assert book.shape == (1, 2)


def test_rows_to_report_on_alone_give_a_card_that_promises_no_calibration(
    settings: Callable[..., dict[str, Any]], toy_csv: Path
) -> None:
    run = nlpkit.train(settings("measured", data={"test": str(toy_csv)}))
    card = run.card.read_text(encoding="utf-8")
    assert "Its probabilities are not calibrated." in card
    assert "with probabilities: negative, positive" in card
    assert "probabilities are calibrated" not in card


def test_a_language_model_run_answers_as_measured_and_is_not_exported(
    settings: Callable[..., dict[str, Any]], toy_csv: Path, tiny_chat_base: Path, tmp_path: Path
) -> None:
    rows = {"source": str(toy_csv), "limit": 12}
    book = tmp_path / "short.yaml"
    book.write_text("{question: Q?, labels: [negative, positive]}", encoding="utf-8")
    run = nlpkit.train(
        settings(
            "likely",
            codebook=str(book),
            reader={"name": "likelihood"},
            base={"source": str(tiny_chat_base)},
            data={"calibration": rows},
        )
    )
    assert json.loads((run.evaluation / "test.json").read_text(encoding="utf-8"))["scores"]
    with pytest.raises(RunError, match=r"reads by likelihood cannot be exported.*hint: --runtime torch"):
        nlpkit.export(run, "merged", tmp_path / "merged")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reader": {"name": "embeding"}}, "did you mean 'embedding'"),
        ({"reader": {"name": "entailment"}, "base": {}}, "hint: name one, such as base.source=hub:ORG/NAME"),
        ({"codebook": "sentment"}, "no shipped codebook; did you mean 'sentiment'"),
        ({"task": {"kind": "intensity"}}, "this task has no labels"),
        ({"task": {"kind": "polarity", "labels": ["bad", "positive"]}}, "stands in only one of"),
        ({"task": {"kind": "emotions"}}, "gives a text no single label; hint: task.kind=polarity"),
    ],
)
def test_what_cannot_be_read_is_refused(
    settings: Callable[..., dict[str, Any]], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        nlpkit.train(settings("wrong", **changes))


def test_a_codebook_gives_a_training_its_labels(toy_config: Path, tmp_path: Path) -> None:
    book = tmp_path / "book.yaml"
    book.write_text("labels: [positive, negative]", encoding="utf-8")
    lines: list[str] = []
    given = [f"codebook={book}", "task={kind: polarity, ordered: false}"]
    assert train_seeds(toy_config, check=True, given=given, talk=lines.append) == []
    (labels,) = [line for line in lines if line.startswith("labels ")]
    assert labels.index("positive") < labels.index("negative")
    book.write_text("labels: [positive, negativ]", encoding="utf-8")
    with pytest.raises(ConfigError, match="stands in only one of the config and the codebook"):
        train_seeds(toy_config, check=True, given=[f"codebook={book}"])


def test_biases_bring_predicted_shares_to_the_true_ones() -> None:
    draw = np.random.default_rng(0)
    truth = draw.integers(0, 3, 3000)
    logits = 2.0 * np.eye(3)[truth] + draw.normal(size=(3000, 3)) + np.array([3.0, 0.0, -1.0])
    bias = fit_bias(logits, truth)
    # The labels are equally frequent and alike but for what was added to them
    np.testing.assert_allclose(bias - bias.mean(), [-7 / 3, 2 / 3, 5 / 3], atol=0.15)
    few = fit_bias(logits[:2], np.array([0, 0]))
    assert np.abs(few).max() < 5  # two rows say little
