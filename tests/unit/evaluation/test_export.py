"""`nlpkit.export`: what it refuses before a model loads. integration/test_export.py writes exports."""

from __future__ import annotations

from pathlib import Path

import pytest

import nlpkit


def test_what_a_run_cannot_be_exported_to_is_refused_with_a_hint(toy_run: Path, tmp_path: Path) -> None:
    with pytest.raises(nlpkit.ConfigError, match=r"a classifier has no export 'onnx-int4'.*hint: --to onnx"):
        nlpkit.export(toy_run, "onnx-int4", tmp_path / "export")
    with pytest.raises(nlpkit.ConfigError, match="hint: -o FOLDER"):
        nlpkit.export(str(toy_run), "onnx", force=True)
    with pytest.raises(nlpkit.ConfigError, match="hint: -o FOLDER"):
        nlpkit.export(nlpkit.Run.open(toy_run), "merged")
    with pytest.raises(nlpkit.RunError, match="no such run"):
        nlpkit.export(tmp_path / "nowhere")
    assert not (tmp_path / "export").exists()
