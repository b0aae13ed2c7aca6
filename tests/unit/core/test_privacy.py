"""What of a run may be shown to people who may not see the data, and what may not."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tests.conftest import sentences, train_toy, write_csv

if TYPE_CHECKING:
    from pathlib import Path

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
