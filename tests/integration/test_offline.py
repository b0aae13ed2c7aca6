"""Without a network, servers and a cluster do their work, ask nobody and write nothing into the home."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import sentences, write_csv
from tests.offline import run_offline

pytestmark = pytest.mark.integration


def test_s11_chat_server_and_demo_reply_and_ask_nobody(chat_run: Path, toy_run: Path, tmp_path: Path) -> None:
    with_moods = (str(chat_run), "--classifier", str(toy_run))
    own = ("--store", str(tmp_path / "chat.sqlite"), "--runs", str(tmp_path))
    served = run_offline(tmp_path / "home", ["serve", *with_moods], ["demo", *with_moods, *own])
    replies = [
        json.loads(line.removeprefix("reply: ")) for line in served.out.splitlines() if "reply: " in line
    ]
    assert replies == [["assistant", "positive"], ["complete", True]]
    assert served.asked == frozenset()
    assert {str(Path(name).parent) for name in served.files} == {".cache/matplotlib"}


def test_s11_workers_of_a_cluster_score_and_ask_nobody(toy_run: Path, tmp_path: Path) -> None:
    """Ray asks the cloud's metadata service where its dashboard's process runs, whatever its settings say."""
    pytest.importorskip("ray")
    rows = write_csv(tmp_path / "in.csv", sentences(100), ("text", "truth"))
    words = ("score", str(toy_run), str(rows), "-o", str(tmp_path / "out.csv"), "--ray", "--threads", "1")
    done = run_offline(tmp_path / "home", [*words, "--runtime", "torch"])
    assert done.asked == frozenset()
    assert done.files == frozenset()  # Ray would keep a token there, which everyone here could read
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 101
