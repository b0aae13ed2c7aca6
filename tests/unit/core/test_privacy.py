"""What of a run may be shown to people who may not see the data, and what may not."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.conftest import sentences, train_toy, write_csv
from tests.offline import run_offline

CANARIES = ("Ada Canary", "canary@example.org", "4111 1111 1111 1111", "hf_canarycanarycanary")
KEY = "canary-of-a-key"


def holders(folder: Path, words: tuple[str, ...]) -> set[str]:
    """The files in which one of the words stands."""
    found = set()
    for path in folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            found |= {path.relative_to(folder).as_posix() for word in words if word.encode() in data}
    return found


def test_what_people_wrote_stands_in_the_reports_of_a_run_and_nowhere_else_in_it(
    toy_config, tmp_path, monkeypatch, caplog
):
    """Adapter, tokenizer, settings, card and log may be given away; a report shows mistakes."""
    for name in ("HF_TOKEN", "NLPKIT_KEY", "NLPKIT_REMOTE_KEY", "NLPKIT_JUDGE_KEY"):
        monkeypatch.setenv(name, KEY)
    marked = [(f"{text} {CANARIES[place % 4]}", label) for place, (text, label) in enumerate(sentences(240))]
    data = write_csv(tmp_path / "marked.csv", marked)
    said: list[str] = []
    with caplog.at_level(logging.INFO):
        [run] = train_toy(
            toy_config,
            f"data.train.0.source={data}",
            "training.epochs=1",
            f"output={tmp_path / 'runs'}",
            "name=marked",
            said=said,
        )
    holding = holders(run, CANARIES)
    assert "report.html" in holding
    assert {name for name in holding if not name.startswith("evaluation/")} == {"report.html"}
    assert holders(run, (KEY,)) == set()
    assert {"README.md", "config.yaml", "log.jsonl", "run.json"} <= {path.name for path in run.iterdir()}
    assert [word for word in (*CANARIES, KEY) if word in caplog.text or word in "\n".join(said)] == []


def test_s11_no_command_writes_in_the_home_or_asks_a_host(toy_run, toy_csv, toy_config, tmp_path):
    """ONNX Runtime reports to its makers, unless that is switched off before it is imported."""
    pytest.importorskip("onnxscript")
    run, rows, export, scored = map(str, (toy_run, toy_csv, tmp_path / "export", tmp_path / "scored.csv"))
    short = ["training.epochs=1", f"output={tmp_path / 'runs'}", "name=short"]
    done = run_offline(
        tmp_path / "home",
        ["train", str(toy_config), *short],
        ["evaluate", str(tmp_path / "runs" / "short"), rows],
        ["predict", run, "lovely food", "--runtime", "torch"],
        ["export", run, "--to", "onnx", "-o", export],
        ["score", export, rows, "-o", scored, "--prefix", "m_"],
    )
    assert done.asked == frozenset()
    assert "module: True" in done.out
    # matplotlib's list of this machine's fonts, for the plots of the report
    assert {str(Path(name).parent) for name in done.files} == {".cache/matplotlib"}


def test_s11_no_module_imports_onnx_runtime_past_the_one_place_that_stops_its_reports():
    root = Path(__file__).parents[3]
    files = [
        path for name in ("nlpkit", "demo", "recipes", "benchmarks") for path in (root / name).rglob("*.py")
    ]
    assert [path.name for path in files if "import onnxruntime" in path.read_text(encoding="utf-8")] == []
