"""A zero-shot run through the exports that its reader allows, each verified against the run."""

from __future__ import annotations

from pathlib import Path

import pytest

import nlpkit


@pytest.mark.parametrize("form", ["onnx", "onnx-int8", "openvino"])
def test_a_reader_by_embedding_is_exported_as_any_classifier(
    form: str, tiny_base: Path, toy_csv: Path, tmp_path: Path
) -> None:
    pytest.importorskip("onnxscript" if form.startswith("onnx") else "openvino")
    book = tmp_path / "book.yaml"
    book.write_text("labels: {negative: the film was bad, positive: the film was good}", encoding="utf-8")
    run = nlpkit.train(
        recipe="zero_shot", name="words", output=str(tmp_path), codebook=str(book),
        config={}, base={"source": str(tiny_base)}, data={"calibration": str(toy_csv)},
    )  # fmt: skip
    folder = nlpkit.export(run, form, tmp_path / form)
    texts = ["a good film", "", "very bad food " * 60]
    before, after = nlpkit.predict(texts, run, runtime="torch"), nlpkit.predict(texts, folder)
    for first, second in zip(before, after, strict=True):
        assert second.probabilities["positive"] == pytest.approx(first.probabilities["positive"], abs=0.05)
    assert nlpkit.predict(texts, run, runtime=form)[0].label == after[0].label
