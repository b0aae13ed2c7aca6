"""What of a run may be shown to people who may not see the data, and what may not."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import sentences, train_toy, write_csv

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


COMMANDS = """
import json, sys
asked = []
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
        asked.append(f"{event} {arguments}")
sys.addaudithook(watch)
from nlpkit.cli.app import main
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["nlpkit", *arguments]
    try:
        main()
    except SystemExit as end:
        assert not end.code, (arguments, end.code)
print("asked:", asked)
print("module:", "onnxruntime" in sys.modules)
"""


def in_empty_home(home: Path, *commands: list[str]) -> str:
    """Run commands in an empty home, and return what they print and, by strace, whom they send to."""
    kept = {name: os.environ[name] for name in ("PATH", "NLPKIT_CACHE", "PYTHONPATH") if name in os.environ}
    strace = shutil.which("strace")
    trace = home.with_suffix(".trace")
    calls = "trace=connect,sendto,sendmsg,sendmmsg"
    traced = [strace, "-f", "-qq", "--seccomp-bpf", "-e", calls, "-o", str(trace)] if strace else []
    done = subprocess.run(
        [*traced, sys.executable, "-c", COMMANDS, json.dumps(commands)],
        env={**kept, "HOME": str(home), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    sent = [line for line in trace.read_text().splitlines() if "AF_INET" in line] if strace else []
    return "\n".join([done.stdout, *sent])


def test_s11_no_command_writes_in_the_home_or_asks_a_host(toy_run, toy_csv, toy_config, tmp_path):
    """ONNX Runtime reports to its makers, unless that is switched off before it is imported."""
    pytest.importorskip("onnxscript")
    home = tmp_path / "home"
    home.mkdir()
    run, rows, export, scored = map(str, (toy_run, toy_csv, tmp_path / "export", tmp_path / "scored.csv"))
    short = ["training.epochs=1", f"output={tmp_path / 'runs'}", "name=short"]
    said = in_empty_home(
        home,
        ["train", str(toy_config), *short],
        ["evaluate", str(tmp_path / "runs" / "short"), rows],
        ["predict", run, "lovely food", "--runtime", "torch"],
        ["export", run, "--to", "onnx", "-o", export],
        ["score", export, rows, "-o", scored, "--prefix", "m_"],
    )
    assert "asked: []" in said
    assert "module: True" in said
    assert "AF_INET" not in said
    written = {path.relative_to(home).parent.as_posix() for path in home.rglob("*") if path.is_file()}
    assert written == {".cache/matplotlib"}  # its list of this machine's fonts, for the plots of the report


def test_s11_no_module_imports_onnx_runtime_past_the_one_place_that_stops_its_reports():
    root = Path(__file__).parents[3]
    files = [
        path for name in ("nlpkit", "demo", "recipes", "benchmarks") for path in (root / name).rglob("*.py")
    ]
    assert [path.name for path in files if "import onnxruntime" in path.read_text(encoding="utf-8")] == []
