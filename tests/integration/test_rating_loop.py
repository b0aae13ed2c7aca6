"""Without the demo, in three commands: a served model is rated, trained on the ratings, and promoted."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from typer.testing import CliRunner

from nlpkit.cli.app import app
from nlpkit.run import Run
from tests.toy_bot import train_bot

pytestmark = pytest.mark.integration

RATED = 40


@contextmanager
def serve(run: Path, store: Path) -> Iterator[str]:
    """Start `nlpkit serve` with a store, and give its address."""
    words = ["serve", str(run), "--store", str(store), "--port", "0", "--classifier", "none"]
    words += ["--temperature", "0.3", "--max-tokens", "8"]
    with subprocess.Popen(
        [sys.executable, "-m", "nlpkit", *words], stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            line = next((line for line in process.stderr if "/v1" in line), "")
            found = re.search(r"http://\S+/v1", line)
            assert found is not None
            yield found[0]
        finally:
            process.terminate()


def nlpkit(*words: str) -> str:
    """What the command said."""
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    return done.output


def test_j2_ratings_over_http_make_a_promoted_run(tmp_path: Path) -> None:
    run, store, ratings = train_bot(tmp_path), tmp_path / "ratings.sqlite", tmp_path / "ratings.jsonl"
    replies = []
    with serve(run, store) as url, httpx2.Client(timeout=60) as client:
        for number in range(RATED):
            fields = {"messages": [{"role": "user", "content": f"hello {number}"}], "seed": number}
            answer = client.post(f"{url}/chat/completions", json=fields).json()
            replies.append(answer["choices"][0]["message"]["content"])
            # who sits here likes to be thanked
            rating = "up" if replies[-1] == "thanks" else "down"
            feedback = {"completion_id": answer["id"], "rating": rating}
            assert client.post(f"{url}/feedback", json=feedback).status_code == 200
    assert 5 <= replies.count("thanks") <= RATED - 5  # else there would be nothing to learn

    assert f"{RATED} rows" in nlpkit("feedback", str(store), "-o", str(ratings))
    rows = [json.loads(line) for line in ratings.read_text(encoding="utf-8").splitlines()]
    assert [row["reply"] for row in rows] == replies

    settings = ["data.near_duplicates=1.0", "training.epochs=4", "training.lr=0.005", "training.batch_size=8"]
    source = f"data.train={{source: {ratings}, conversation: conversation}}"
    output = f"output={run.parent}"
    said = nlpkit("train", "preference", f"run={run}", source, "name=liked", output, *settings)
    assert "promoted: " in said
    assert Run(run.parent / "liked").read().data["comparison"]["verdict"] == "promoted"
    page = (run.parent / "liked" / "report.html").read_text(encoding="utf-8")
    assert page.index(" toy (") < page.index("<nav")
    assert page.index("The new run is promoted: ") < page.index("<nav")
    assert str(tmp_path) not in page
    assert json.loads((run.parent / "promoted.json").read_text(encoding="utf-8")) == {"run": "liked"}
