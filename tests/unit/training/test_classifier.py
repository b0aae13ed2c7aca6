from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nlpkit.classifiers.classifier import Classifier
from nlpkit.config import read_config, validate
from nlpkit.tasks.calibrator import Calibrator, fit_calibration
from nlpkit.training.recipes import load_recipe
from nlpkit.training.rows import load_rows


def test_s15_the_calibration_is_fitted_on_the_validation_rows(toy_run: Path, toy_config: Path) -> None:
    settings = validate(read_config(toy_config, [])[0], load_recipe("sentiment").Config, where=toy_config)
    rows = load_rows(settings.task, settings.data, seed=settings.seed)
    classifier = Classifier.load(toy_run, runtime="torch")

    def fitted(part) -> tuple[float, Calibrator | None]:
        truth = np.array([classifier.task.labels.index(row.label) for row in part])
        found = fit_calibration(classifier.logits([row.text for row in part]), truth)
        return pytest.approx(found["temperature"], rel=1e-3), found["calibrator"]

    assert (classifier.task.temperature, classifier.task.calibrator) == fitted(rows.validation)
    assert (classifier.task.temperature, classifier.task.calibrator) != fitted(rows.train)
