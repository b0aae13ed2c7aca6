from pathlib import Path

import pytest

from nlpkit.classifiers.classifier import Classifier
from nlpkit.classifiers.export import export_run
from nlpkit.classifiers.export_record import ExportRecord, Parity
from nlpkit.classifiers.runtimes import AUTO, EXPORTS, FAST, REFERENCE, RUNTIMES, ClassifierRuntime
from nlpkit.errors import ConfigError, RunError
from nlpkit.run import Run

ROWS = {**RUNTIMES, **EXPORTS}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_row_says_what_it_is_and_what_it_needs(row: ClassifierRuntime) -> None:
    assert row.help
    assert bool(row.package) == bool(row.extra)
    assert row.write or row.is_cached


def test_the_runtimes_that_the_program_chooses_by_itself_are_rows() -> None:
    assert AUTO not in ROWS
    assert RUNTIMES[REFERENCE].write is None
    assert RUNTIMES[FAST].write is not None


def test_an_unknown_runtime_is_refused_with_the_nearest_name(toy_run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'openvino'"):
        Classifier.load(toy_run, runtime="openvno")
    with pytest.raises(ConfigError, match="did you mean 'merged'"):
        export_run(Run.open(toy_run), "merge", tmp_path / "export")


def test_a_record_keeps_its_keys_and_one_of_an_unknown_runtime_is_refused(tmp_path: Path) -> None:
    record = ExportRecord(
        form="onnx", name="mine", run="1", task={}, max_tokens=8, before=(), after=(),
        pad_id=0, outputs=2, weights_sha256="2", versions={},
        parity=Parity(
            rows=1, source="rows", changed_labels=0.0, max_difference=0.1, accuracy=None,
            exported_accuracy=None, failures=(),
        ),
    )  # fmt: skip
    written = record.model_dump_json()
    assert '"flips":0.0,"drift":0.1' in written  # an old name
    (tmp_path / "export.json").write_text(written)
    assert ExportRecord.read(tmp_path) == record
    (tmp_path / "export.json").write_text(written.replace('"onnx"', '"onxx"'))
    with pytest.raises(
        RunError, match=r"form: .*the export 'onxx' is unknown to this nlpkit; did you mean 'onnx'"
    ):
        ExportRecord.read(tmp_path)
