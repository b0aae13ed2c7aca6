import csv
import io
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nlpkit.classifiers import export as exporting
from nlpkit.classifiers import loading, opening
from nlpkit.classifiers.classifier import Classifier
from nlpkit.classifiers.export import export_run, verify
from nlpkit.classifiers.export_record import ExportRecord
from nlpkit.classifiers.opening import cached_export, resolve_runtime
from nlpkit.classifiers.parity import ODD, ParityRows, held_out
from nlpkit.classifiers.runtimes import RUNTIMES, ClassifierRuntime
from nlpkit.errors import ConfigError, RunError
from nlpkit.run import Run
from tests.conftest import sentences

pytestmark = pytest.mark.integration

TEXTS = [*(text for text, _ in sentences(80, seed=9)), *ODD]


@pytest.fixture(scope="module")
def exports(toy_run: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("exports")
    forms = ("onnx", "onnx-int8", "openvino", "merged")
    # A toy's labels stand on a knife's edge, and its rows are few: what 8 bits cost is not the matter here
    return {
        form: export_run(Run.open(toy_run), form, folder / form, force=form == "onnx-int8") for form in forms
    }


def test_each_form_answers_like_the_run(toy_run: Path, exports: dict[str, Path]) -> None:
    run = Classifier.load(toy_run, runtime="torch")
    for form, near in (("onnx", 1e-4), ("openvino", 1e-4), ("merged", 1e-4), ("onnx-int8", 0.2)):
        export = Classifier.load(exports[form])
        assert export.encode(TEXTS) == run.encode(TEXTS)
        assert np.abs(export.logits(TEXTS) - run.logits(TEXTS)).max() < near
        assert export.columns == run.columns
        assert export.task == run.task
        assert export.name == run.name


def test_its_record_says_how_it_was_verified(exports: dict[str, Path]) -> None:
    parity = ExportRecord.read(exports["onnx"]).parity
    assert parity is not None
    assert parity.source == "held-out rows"
    assert parity.rows == 96  # 48 of validation and 48 of test
    assert parity.changed_labels == 0
    assert parity.accuracy == parity.exported_accuracy
    assert parity.failures == ()
    assert "0.00% of labels changed" in (exports["onnx"] / "README.md").read_text()


def test_an_eight_bit_score_does_not_depend_on_its_neighbours(exports: dict[str, Path]) -> None:
    classifier = Classifier.load(exports["onnx-int8"])
    texts = [text for text, _ in sentences(40, seed=5)]
    alone = np.concatenate([classifier.logits([text]) for text in texts])
    assert np.abs(alone - classifier.logits(texts)).max() < 1e-5


def test_an_export_is_loaded_without_torch(exports: dict[str, Path]) -> None:
    code = "import sys; from nlpkit import Classifier; classifier = Classifier.load(sys.argv[1]); "
    code += "print(classifier.predict(['good film'])[0].label, "
    code += "[name for name in ('torch', 'transformers', 'peft') if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code, str(exports["onnx"])], capture_output=True, text=True, check=True
    )
    assert done.stdout.split(maxsplit=1)[1].strip() == "[]"


def test_auto_takes_what_was_exported_and_torch_until_then(
    toy_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NLPKIT_CACHE", str(tmp_path))
    assert Classifier.load(toy_run).runtime.name == "torch"
    assert Classifier.load(toy_run, runtime="onnx").runtime.name == "onnx"
    assert Classifier.load(toy_run).runtime.name == "onnx"
    assert Classifier.load(toy_run, runtime="torch").runtime.name == "torch"
    monkeypatch.setattr(opening, "_has_gpu", lambda: True)
    assert Classifier.load(toy_run).runtime.name == "torch"


def test_another_adapter_is_another_export(
    toy_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NLPKIT_CACHE", str(tmp_path / "cache"))
    shutil.copytree(toy_run, tmp_path / "run")
    first = cached_export(Run.open(tmp_path / "run"), "onnx")
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    (tmp_path / "run" / "run.json").write_text(
        json.dumps({**record, "task": {**record["task"], "temperature": 3.0}})
    )
    assert cached_export(Run.open(tmp_path / "run"), "onnx") != first


def test_two_exports_at_once_make_one(toy_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    write = exporting._write

    def note(run: Run, runtime: ClassifierRuntime, folder: Path) -> None:
        made.append(runtime.name)
        write(run, runtime, folder)

    monkeypatch.setattr(exporting, "_write", note)
    threads = [
        threading.Thread(target=export_run, args=(Run.open(toy_run), "merged", tmp_path / "merged"))
        for _ in range(2)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert made == ["merged"]
    assert [one.name for one in tmp_path.iterdir() if one.is_dir()] == ["merged"]


def test_a_folder_of_something_else_is_not_touched(toy_run: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(ConfigError, match="exists already"):
        export_run(Run.open(toy_run), "merged", tmp_path / "mine")


def test_a_runtime_that_is_not_installed_is_named_with_its_extra(
    toy_run: Path, exports: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ConfigError, match=r"pip install 'nlpkit\[onnx\]'"):
        Classifier.load(exports["onnx"])
    with pytest.raises(ConfigError, match=r"pip install 'nlpkit\[onnx\]'"):
        Classifier.load(toy_run, runtime="onnx")
    assert Classifier.load(toy_run).runtime.name == "torch"


def test_bf16_is_refused_where_the_processor_has_none_and_near_where_it_has(
    toy_run: Path, exports: dict[str, Path], tmp_path: Path
) -> None:  # fmt: skip
    shutil.copytree(exports["openvino"], tmp_path / "bf16")
    record = json.loads((tmp_path / "bf16" / "export.json").read_text())
    (tmp_path / "bf16" / "export.json").write_text(json.dumps({**record, "form": "openvino-bf16"}))
    import openvino

    if "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        with pytest.raises(ConfigError, match="does not multiply in bfloat16"):
            Classifier.load(tmp_path / "bf16")
        return
    difference = np.abs(
        Classifier.load(tmp_path / "bf16").logits(TEXTS)
        - Classifier.load(toy_run, runtime="torch").logits(TEXTS)
    ).max()
    assert 1e-5 < difference < 0.2


def test_nothing_tells_the_makers_of_openvino_of_a_conversion() -> None:
    code = (
        "from nlpkit.classifiers.openvino_runtime import library; library(); "
        "import openvino.tools.ovc.convert_impl as one; print(one.tm)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "telemetry_stub" in done.stdout


def test_an_export_for_another_runtime_is_refused(exports: dict[str, Path]) -> None:
    with pytest.raises(ConfigError, match="an export for onnx, not for torch"):
        Classifier.load(exports["onnx"], runtime="torch")


@pytest.mark.parametrize(
    "damage", [lambda path: path.write_bytes(path.read_bytes()[:1000]), lambda path: path.unlink()]
)
def test_a_damaged_export_is_refused(
    damage: Callable[[Path], Any], exports: dict[str, Path], tmp_path: Path
) -> None:
    shutil.copytree(exports["onnx"], tmp_path / "export")
    damage(tmp_path / "export" / "model.onnx")
    with pytest.raises(RunError, match="ONNX Runtime cannot read it"):
        Classifier.load(tmp_path / "export")


def test_rows_without_a_report_are_our_own_sentences(toy_run: Path, tmp_path: Path) -> None:
    shutil.copytree(toy_run, tmp_path / "run", ignore=shutil.ignore_patterns("evaluation"))
    rows = held_out(Run.open(tmp_path / "run"))
    assert rows.source == "sentences of nlpkit's own"
    assert "The hotel was not good." in rows.texts
    assert not any("{thing}" in text for text in rows.texts)


# Broken exports: each is made in the way that a real fault would make it, and none may pass.


def unmerged(run: Run) -> tuple[Any, Any]:
    """The base with the run's head, its adapter forgotten."""
    model, tokenizer = loading.load_model(run)
    base = loading.find_run_base(run, run.read())
    from transformers import AutoModel

    model.base_model.load_state_dict(AutoModel.from_pretrained(base).state_dict())
    return model, tokenizer


def headless(run: Run) -> tuple[Any, Any]:
    model, tokenizer = loading.load_model(run)
    torch.manual_seed(0)
    model.classifier.reset_parameters()
    return model, tokenizer


def swapped(run: Run) -> tuple[Any, Any]:
    model, tokenizer = loading.load_model(run)
    with torch.no_grad():
        model.classifier.weight.copy_(model.classifier.weight.flip(0))
        model.classifier.bias.copy_(model.classifier.bias.flip(0))
    return model, tokenizer


@pytest.mark.parametrize("broken", [unmerged, headless, swapped])
@pytest.mark.parametrize("form", ["onnx", "merged"])
def test_a_broken_export_is_refused_and_leaves_nothing(
    broken: Callable[[Run], tuple[Any, Any]],
    form: str,
    toy_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exporting, "load_model", broken)
    with pytest.raises(RunError, match=r"of the labels change, .* are allowed"):
        export_run(Run.open(toy_run), form, tmp_path / "export")
    assert [one for one in tmp_path.iterdir() if one.is_dir()] == []


def test_labels_swapped_in_the_record_alone_are_refused(
    toy_run: Path, exports: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "export"
    shutil.copytree(exports["onnx"], folder)
    record = json.loads((folder / "export.json").read_text())
    record["task"]["labels"].reverse()
    (folder / "export.json").write_text(json.dumps(record))
    with pytest.raises(RunError, match="other labels"):
        verify(Run.open(toy_run), folder)


def test_another_tokenizer_is_refused(toy_run: Path, exports: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "export"
    shutil.copytree(exports["onnx"], folder)
    path = folder / "tokenizer.json"
    path.write_text(
        path.read_text()
        .replace('"good"', '"swapped"')
        .replace('"bad"', '"good"')
        .replace('"swapped"', '"bad"')
    )
    with pytest.raises(RunError, match="gives other ids"):
        verify(Run.open(toy_run), folder)


def test_a_crude_quantization_is_refused_and_kept_by_force_with_that_in_its_record(
    toy_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    from nlpkit.classifiers import export_onnx

    monkeypatch.setattr(export_onnx, "BITS", 1)  # three values a weight
    said: list[str] = []
    with pytest.raises(RunError, match="does not answer like the run"):
        export_run(Run.open(toy_run), "onnx-int8", tmp_path / "crude")
    export_run(Run.open(toy_run), "onnx-int8", tmp_path / "crude", force=True, talk=said.append)
    parity = ExportRecord.read(tmp_path / "crude").parity
    assert parity is not None
    assert parity.failures
    assert "**Failed its parity check:**" in (tmp_path / "crude" / "README.md").read_text()
    assert len(said) == 1


def test_what_was_kept_by_force_says_so_when_it_is_used_and_never_lies_in_the_cache(
    toy_run: Path, exports: dict[str, Path], tmp_path: Path
) -> None:  # fmt: skip
    folder = tmp_path / "kept"
    shutil.copytree(exports["onnx"], folder)
    record = json.loads((folder / "export.json").read_text())
    record["parity"]["failures"] = ["5.00% of the labels change"]
    (folder / "export.json").write_text(json.dumps(record))
    said: list[str] = []
    unread = {"is_long": lambda size: True, "begun_with": lambda: None, "talk": said.append}
    assert resolve_runtime(str(folder), "auto", **unread) == "auto"
    assert said == [
        f"warning: {folder} was kept by --force and failed its parity check: 5.00% of the labels change"
    ]
    assert resolve_runtime(str(exports["onnx"]), "auto", **unread) == "auto"
    assert len(said) == 1
    done = subprocess.run(
        [sys.executable, "-m", "nlpkit", "export", str(toy_run), "--force"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "-o FOLDER" in done.stderr


def test_a_folder_that_holds_another_form_is_not_taken_for_this_one(
    toy_run: Path, exports: dict[str, Path]
) -> None:
    assert export_run(Run.open(toy_run), "onnx", exports["onnx"]) == exports["onnx"]
    with pytest.raises(ConfigError, match="exists already"):
        export_run(Run.open(toy_run), "onnx-int8", exports["onnx"])


def test_one_row_of_few_is_no_failure_but_two_are(toy_run: Path, exports: dict[str, Path]) -> None:
    from nlpkit.classifiers.parity import compare

    run, export = opening.open_model(toy_run, runtime="torch"), opening.open_model(exports["onnx"])
    texts = tuple(text for text, _ in sentences(50, seed=10))
    truth = tuple(answer.label for answer in Classifier(run).predict(texts))
    logits = export.logits

    def wrong(count: int) -> Callable[[Any], Any]:
        def answer(asked: Any) -> Any:
            computed = logits(asked)
            computed[:count] = computed[:count, ::-1]
            return computed

        return answer

    limits = RUNTIMES["onnx-int8"].limits
    for count, failures in ((0, 0), (1, 0), (2, 2)):  # two of 50: 4% of the labels, and 4% of the accuracy
        export.logits = wrong(count)  # type: ignore[method-assign]
        parity = compare(run, export, ParityRows(texts=texts, truth=truth, source="rows"), limits)
        assert len(parity.failures) == failures
        assert parity.changed_labels == count / 50


def test_a_scored_file_is_the_same_by_onnx_but_for_rounding(
    toy_run: Path, exports: dict[str, Path], tmp_path: Path
) -> None:
    from nlpkit.scoring.score import score_file

    with (tmp_path / "in.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["text"], *([text] for text in TEXTS if text.strip())])
    tables = []
    for name, source in (("torch", toy_run), ("onnx", exports["onnx"])):
        score_file(Classifier.load(source), tmp_path / "in.csv", tmp_path / f"{name}.csv")
        tables.append(list(csv.DictReader(io.StringIO((tmp_path / f"{name}.csv").read_text()))))
    for one, other in zip(*tables, strict=True):
        assert one["label"] == other["label"]
        assert float(one["p_positive"]) == pytest.approx(float(other["p_positive"]), abs=2e-6)
