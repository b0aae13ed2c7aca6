"""Python as the front door: train, predict, export and evaluate in ten lines, and scikit-learn's tools."""

from __future__ import annotations

import re
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest

import nlpkit
from tests.conftest import sentences

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]


def test_the_lines_of_the_readme_run(
    toy_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert lines
    sample = Path("recipes/data/sample.csv")
    (tmp_path / sample.parent).mkdir(parents=True)
    shutil.copy(ROOT / sample, tmp_path / sample)
    monkeypatch.chdir(tmp_path)
    trained: list[str] = []
    # Its config needs a base of 23M weights: what it trains is tested elsewhere
    monkeypatch.setattr(nlpkit, "train", lambda config: trained.append(config) or nlpkit.Run.open(toy_run))
    exec(lines[1], {})  # noqa: S102
    assert trained == ["quickstart"]
    assert re.fullmatch(r"(?:(?:negative|positive) -?[\d.e-]+\n){2}", capsys.readouterr().out)
    rows = (tmp_path / "sample.scored.csv").read_text(encoding="utf-8").splitlines()
    assert rows[0].startswith("id,text,label,score,")
    assert len(rows) == len(sample.read_text(encoding="utf-8").splitlines())


def test_ten_lines_train_predict_export_and_evaluate(
    tmp_path: Path, tiny_base: Path, toy_csv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = nlpkit.train(
        {
            "recipe": "sentiment",
            "name": "toy",
            "data": {"train": str(toy_csv)},
            "base": {"source": str(tiny_base)},
        },
        training={"epochs": 6, "lr": 1e-2},
    )
    good, bad = nlpkit.predict(["a good film", "the food was awful"], run=run)
    folder = nlpkit.export(run, to="onnx", output="toy-onnx")
    exported = nlpkit.predict("a good film", run=folder)[0]
    report = nlpkit.evaluate(run, str(toy_csv))
    print(report.scores["accuracy"].value, good.label, bad.label)

    assert (good.label, bad.label) == ("positive", "negative")
    assert exported.score == pytest.approx(good.score, abs=1e-4)
    accuracy = report.scores["accuracy"]
    assert accuracy.value is not None
    assert accuracy.value > 0.9
    assert accuracy.count == 240
    assert "Accuracy" in report._repr_html_()
    assert "positive" in good._repr_html_()


@pytest.fixture(scope="module")
def estimator(tiny_base: Path) -> object:
    from nlpkit.training.estimator import SentimentClassifier

    settings = {"lora": {"rank": 4}, "base": {"dropout": 0.0}, "data": {"near_duplicates": 1.0}}
    return SentimentClassifier(tiny_base, epochs=12, lr=1e-2, batch_size=16, settings=settings)


def test_cross_validation_over_300_rows(estimator: object) -> None:
    from sklearn.model_selection import cross_val_score

    texts, labels = zip(*sentences(300, seed=5), strict=True)
    scores = cross_val_score(estimator, texts, labels, cv=2)
    assert scores.shape == (2,)
    assert scores.mean() > 0.9


def test_it_works_in_a_pipeline_and_keeps_the_labels_kind(estimator: object) -> None:
    from sklearn.base import clone
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    texts, names = zip(*sentences(120, seed=6), strict=True)
    numbers = np.array([int(name == "positive") for name in names])
    lower = FunctionTransformer(lambda rows: [text.lower() for text in rows])
    pipeline = make_pipeline(lower, clone(estimator)).fit([text.upper() for text in texts], numbers)
    model = pipeline[-1]
    assert model.classes_.tolist() == [0, 1]
    probabilities = pipeline.predict_proba(texts[:4])
    assert probabilities.shape == (4, 2)
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(4))
    assert set(pipeline.predict(texts[:4]).tolist()) <= {0, 1}
    assert pipeline.score(texts, numbers) > 0.9


def test_wrong_input_gets_one_sentence(estimator: object) -> None:
    from sklearn.base import clone
    from sklearn.exceptions import NotFittedError

    fresh = clone(estimator)
    with pytest.raises(NotFittedError):
        fresh.predict(["a good film"])
    with pytest.raises(nlpkit.DataError, match=r"X\[1\] is float; expected a sequence of texts"):
        fresh.fit(["good", 1.5], ["a", "b"])
    with pytest.raises(nlpkit.DataError, match="2 texts but 3 labels"):
        fresh.fit(["good", "bad"], ["a", "b", "a"])


def test_scikit_learns_own_checks_pass() -> None:
    """Those that need a matrix of numbers are skipped by scikit-learn itself, by the tags for text input."""
    from sklearn.utils import estimator_checks as checks
    from sklearn.utils.estimator_checks import check_estimator

    from nlpkit.training.estimator import SentimentClassifier

    estimator = SentimentClassifier()
    for check in (
        checks.check_no_attributes_set_in_init,
        checks.check_parameters_default_constructible,
        checks.check_get_params_invariance,
        checks.check_set_params,
        checks.check_estimator_repr,
        checks.check_estimator_tags_renamed,
        checks.check_valid_tag_types,
        checks.check_mixin_order,
        checks.check_estimator_cloneable,
    ):
        check("SentimentClassifier", estimator)
    with warnings.catch_warnings(record=True):  # it says that it skips the checks of numbers
        warnings.simplefilter("always")
        results = check_estimator(estimator, on_skip=None, on_fail=None)
    assert results
    failed = [(entry["check_name"], entry["exception"]) for entry in results if entry["status"] == "failed"]
    assert failed == []
    assert any(entry["status"] == "passed" for entry in results)
