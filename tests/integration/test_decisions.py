"""The decision protocol of `transformers serve`: asked by nlpkit, and answered in the same shape."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

import nlpkit
from nlpkit.chat.server import create_app
from nlpkit.classifiers.classifier import Classifier
from tests.fakes import FakeBot
from tests.served import live, until

QUESTIONS = {
    "tone": {"type": "choice", "instructions": "Tone?", "criteria": {"negative": "bad", "positive": None}},
    "level": {"type": "score", "criteria": ["negative", "positive"]},
}


@pytest.fixture(scope="module")
def theirs(tiny_chat_base: Path) -> Iterator[str]:
    """The address of `transformers serve` with a tiny chat model."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = str(Path(sys.executable).with_name("transformers"))
    command = [program, "serve", str(tiny_chat_base), "--port", str(port), "--device", "cpu"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet) as server:
        try:
            assert until(lambda: server.poll() is not None or answers(port), seconds=500)
            assert server.poll() is None
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.kill()


def answers(port: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/health", timeout=2).status_code == 200
    except httpx2.HTTPError:
        return False


def shape(value: Any) -> Any:
    """The keys and types of an answer, in order; of the run's own names only that they are texts."""
    if isinstance(value, dict):
        return [(key, shape(inner)) for key, inner in value.items()]
    return "number" if isinstance(value, (int, float)) else type(value).__name__


def test_transformers_serve_answers_and_is_answered_alike(
    theirs: str, tiny_chat_base: Path, tmp_path: Path
) -> None:
    run = nlpkit.train(
        {
            "recipe": "engine",
            "name": "theirs",
            "output": str(tmp_path),
            "task": {"kind": "polarity", "labels": ["negative", "positive"]},
            "engine": {"address": theirs, "model": str(tiny_chat_base), "timeout": 120},
        }
    )
    classifier = Classifier.load(run)
    answer = classifier.predict("a good film")[0]
    assert sum(answer.probabilities.values()) == pytest.approx(1)
    body = {"state": "a good film", "questions": QUESTIONS}
    asked = httpx2.post(f"{theirs}/systemone", json={"model": str(tiny_chat_base), **body}, timeout=120)
    with live(create_app(FakeBot(), classifier)) as address:
        ours = httpx2.post(f"{address}/v1/systemone", json=body, timeout=120)
    assert (asked.status_code, ours.status_code) == (200, 200)
    assert shape(ours.json()) == shape(asked.json())
    probabilities = ours.json()["answers"]["tone"]["probabilities"]
    assert probabilities == pytest.approx(dict(answer.probabilities))
