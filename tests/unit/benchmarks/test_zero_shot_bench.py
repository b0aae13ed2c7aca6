"""The benchmark of zero-shot readers: a reader that leans to one label is mended by the other half's bias."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np

from benchmarks import zero_shot
from nlpkit.data.examples import LabeledText
from nlpkit.models.label_readers import ReaderSettings

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_calibration_is_measured_on_rows_that_did_not_fit_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Logits that tell the labels apart by 1, but favor the first one by 3: half of the rows are right."""
    truth = np.arange(40) % 2
    logits = np.stack([3.5 - truth, 0.5 * truth], axis=1)
    reader = SimpleNamespace(name="reader by base", logits=lambda texts: logits)
    monkeypatch.setattr(zero_shot, "zero_shot_classifier", lambda *args, **settings: reader)
    book = SimpleNamespace(names=("bad", "good"))
    monkeypatch.setattr(zero_shot, "find_codebook", lambda name: book)
    rows = [LabeledText(text=f"text {row}", label=book.names[label]) for row, label in enumerate(truth)]
    asked = zero_shot.Asked(rows=rows, codebook="words", reader=ReaderSettings(), base=None)
    tasks = zero_shot.bench("made", asked, results=tmp_path, talk=lambda page: None)
    measured = tasks["made, reader by base"]
    assert measured["as it is"]["accuracy"]["value"] == 0.5
    assert measured["calibrated"]["accuracy"]["value"] == 1.0
    page = (tmp_path / "zero-shot.md").read_text(encoding="utf-8")
    assert "| made, reader by base | 40 | as it is | 50.0% (" in page
