"""A fast run and a slow one as one: who answers which text, what it may lose, and that it is a run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from nlpkit.classifiers.cascade import Cascade
from nlpkit.classifiers.classifier import Classifier
from nlpkit.classifiers.parity import held_out
from nlpkit.cli.app import app
from nlpkit.errors import ConfigError, DataError, RunError
from nlpkit.evaluation.export import export
from nlpkit.run import Run
from nlpkit.scoring.score import score_file
from nlpkit.tasks.prediction import Prediction
from nlpkit.training.cascade import lowest, points
from tests.conftest import CASCADE, make_cascade, sentences, train_toy, write_csv

TEXTS = ["good", "a bad film", "", "lovely food " * 200, "der die das", "awful awful good", "sad place"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, toy_config: Path, toy_run: Path, toy_csv: Path) -> Path:
    return make_cascade(tmp_path_factory.mktemp("cascade"), toy_config, toy_run, toy_csv)


def test_unsure_answers_are_those_of_the_slow_run(made: Path) -> None:
    both = Classifier.load(made)
    fast, slow = (Classifier.load(member).predict(TEXTS) for member in Run(made).members)
    threshold = json.loads((made / "run.json").read_text())["cascade"]["threshold"]
    expected = [
        one if (one.certainty or 0) >= threshold else two for one, two in zip(fast, slow, strict=True)
    ]
    answers = both.predict(TEXTS)
    assert [answer.label for answer in answers] == [answer.label for answer in expected]
    for answer, other in zip(answers, expected, strict=True):
        assert answer.probabilities == pytest.approx(other.probabilities, abs=1e-6)
        assert answer.windows == other.windows
    assert both.predict([]) == []


def test_a_base_of_fewer_layers_has_no_others(made: Path, toy_config: Path) -> None:
    from safetensors import safe_open

    with safe_open(Run(made).members[0] / "adapter" / "adapter_model.safetensors", framework="np") as weights:
        names = list(weights.keys())
    assert any("layer.0." in name for name in names)
    assert not any("layer.1." in name for name in names)
    assert "num_hidden_layers=1" in (Run(made).members[0] / "README.md").read_text()
    with pytest.raises(ConfigError, match=r"base\.layers: 9; .* has 2"):
        train_toy(toy_config, "base.layers=9", "name=deep")


def test_a_threshold_loses_what_is_counted_by_hand() -> None:
    certainty = np.array([0.9, 0.8, 0.8, 0.6])
    fast = np.array([True, True, False, False])
    slow = np.array([True, False, True, True])
    found = points(certainty, fast, slow)
    # Above 0.9 the slow run reads all; 0.8 stands for two rows, of which one is lost and one won
    assert [(round(point.threshold, 6), point.slow, point.lost) for point in found] == [
        (0.9, 1.0, 0.0),
        (0.9, 0.75, 0.0),
        (0.8, 0.25, 0.0),
        (0.6, 0.0, 0.25),
    ]
    assert found[0].threshold > 0.9
    # One more than was lost, and 1.645 standard deviations: (1 + 1.645) / 4
    assert found[1].at_most == pytest.approx(0.66125)
    # (2 - 1 + 1.645 * sqrt(3)) / 4
    assert found[2].at_most == pytest.approx(0.9623056)
    assert lowest(found, 4, 0.97).threshold == 0.8
    with pytest.raises(DataError, match=r"on 4 rows .* may lose 66\.1[23]%; hint: loses=0\.662"):
        lowest(found, 4, 0.5)


def test_what_may_be_lost_is_not_exceeded_in_drawn_validation_rows() -> None:
    random = np.random.default_rng(0)
    certainty = 0.5 + 0.5 * random.beta(4, 1.2, 100_000)
    fast = random.random(len(certainty)) < certainty
    slow = random.random(len(certainty)) < np.clip(0.93 + 0.3 * (certainty - certainty.mean()), 0.5, 0.995)
    kept = []
    for _ in range(100):
        rows = random.integers(0, len(certainty), 872)
        chosen = lowest(points(certainty[rows], fast[rows], slow[rows]), len(rows), 0.02)
        answered = certainty >= chosen.threshold
        kept.append(slow[answered].sum() - fast[answered].sum() <= 0.02 * len(certainty))
    assert np.mean(kept) >= 0.94


def test_the_least_sure_of_several_labels_counts() -> None:
    answer = Prediction(labels=("joy",), probabilities={"joy": 0.9, "grief": 0.2})
    assert answer.certainty == pytest.approx(0.8)
    assert Prediction(value=3.0).certainty is None


def test_it_scores_evaluates_and_exports_as_a_run(made: Path, toy_csv: Path, tmp_path: Path) -> None:
    report = json.loads((made / "evaluation" / "validation.json").read_text())
    assert report["scores"]["accuracy"]["value"] > 0.9
    out = tmp_path / "scored.csv"
    scored = CliRunner().invoke(app, ["score", str(made), str(toy_csv), "-o", str(out), "--prefix", "model_"])
    assert scored.exit_code == 0, scored.output
    exported = export(made, "onnx", tmp_path / "exported")
    assert Classifier.load(exported).runtime.name == "onnx"
    before, after = (Classifier.load(run).predict(TEXTS) for run in (made, exported))
    for one, other in zip(before, after, strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-3)
    with pytest.raises(ConfigError, match="exists already"):
        export(made, "onnx", tmp_path / "exported")


def test_each_run_may_have_a_runtime_of_its_own(made: Path, toy_run: Path) -> None:
    mixed, plain = Classifier.load(made, runtime="onnx,torch"), Classifier.load(made, runtime="torch")
    assert isinstance(mixed.model, Cascade)
    assert [mixed.model.fast.runtime.name, mixed.model.slow.runtime.name] == ["onnx", "torch"]
    assert mixed.model.identity != plain.model.identity
    for one, other in zip(mixed.predict(TEXTS), plain.predict(TEXTS), strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-3)
    answered = CliRunner().invoke(app, ["predict", str(made), "good", "--runtime", "onnx,torch"])
    assert answered.exit_code == 0, answered.output
    with pytest.raises(ConfigError, match="'onnx,torch' is no runtime here"):
        Classifier.load(toy_run, runtime="onnx,torch")


def test_an_export_of_a_member_is_compared_on_the_rows_that_it_held_out(made: Path, toy_run: Path) -> None:
    for member in Run(made).members:
        assert list((member / "evaluation").glob("*.predictions.parquet"))
        assert not list(member.rglob("*.html"))
    assert held_out(Run(Run(made).members[1])) == held_out(Run(toy_run))


def test_an_exchanged_run_is_refused(made: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(made, copy)
    shutil.rmtree(copy / "fast")
    shutil.copytree(copy / "slow", copy / "fast")
    with pytest.raises(RunError, match="is not the run that the cascade was made with"):
        Classifier.load(copy)
    shutil.rmtree(copy / "fast")
    with pytest.raises(RunError, match="no such run"):
        Classifier.load(copy)


def test_two_runs_of_other_answers_are_refused(
    toy_config: Path, toy_run: Path, toy_csv: Path, tmp_path: Path
) -> None:
    data = write_csv(tmp_path / "stars.csv", [(f"text {row}", str(row % 5)) for row in range(60)])
    number = train_toy(
        toy_config, f"output={tmp_path}", "name=number", "task={kind: intensity}", "training.max_steps=1",
        f"data.train=[{{source: {data}, label: label}}]",
    )[0]  # fmt: skip
    config = tmp_path / "cascade.yaml"
    config.write_text(CASCADE.format(fast=number, slow=toy_run, data=toy_csv, output=tmp_path))
    with pytest.raises(ConfigError, match="answers with value"):
        train_toy(config)
    config.write_text(CASCADE.format(fast=toy_run, slow=number, data=toy_csv, output=tmp_path))
    with pytest.raises(ConfigError, match="expected a run that answers with labels"):
        train_toy(config)
    with pytest.raises(RunError, match="no such run"):
        train_toy(config, f"fast={tmp_path / 'none'}")


def test_what_needs_one_model_says_so(made: Path) -> None:
    with pytest.raises(RunError, match="no outputs of its own"):
        Classifier.load(made).logits(["good"])


def test_a_scoring_that_breaks_off_resumes_to_the_same_bytes(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_csv(tmp_path / "in.csv", sentences(60, seed=8), ("text", "truth"))
    predictor = Classifier.load(made)
    score_file(predictor, source, tmp_path / "whole.csv", chunk_rows=20)
    real, calls = Classifier.predict, []

    def breaking(self: Classifier, texts: list[str]) -> object:
        calls.append(len(texts))
        if len(calls) == 2:
            raise RuntimeError("broken on purpose")
        return real(self, texts)

    monkeypatch.setattr(Classifier, "predict", breaking)
    with pytest.raises(RuntimeError, match="on purpose"):
        score_file(predictor, source, tmp_path / "out.csv", chunk_rows=20)
    monkeypatch.undo()
    assert score_file(predictor, source, tmp_path / "out.csv", chunk_rows=20).resumed_from == 20
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
