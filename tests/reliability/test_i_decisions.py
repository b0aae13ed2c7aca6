"""The decision protocol under many clients at once: each gets the answer to its own text."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from zlib import crc32

import httpx2
import pytest

from nlpkit.chat.request_models import ServerLimits
from nlpkit.chat.server import create_app
from nlpkit.tasks.prediction import Prediction
from tests.fakes import FakeBot, FakeClassifier
from tests.reliability.record import Tally
from tests.served import live
from tests.tries import tries

CLIENTS, QUESTIONS = tries(100, 10), tries(100, 5)
OPTIONS = {"type": "choice", "criteria": {"negative": None, "positive": None}}


def chance(text: str) -> float:
    return crc32(text.encode()) / 2**32


class Reader(FakeClassifier):
    """Answers each text with a probability of its own."""

    name = "reader"

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        return [
            Prediction(label="positive", score=0.0, probabilities={"negative": 1 - p, "positive": p})
            for p in map(chance, texts)
        ]


def test_each_client_gets_the_answer_to_its_own_text(tally: Tally) -> None:
    async def ask(client: httpx2.AsyncClient, number: int) -> int:
        for turn in range(QUESTIONS):
            text = f"client {number} turn {turn}"
            answered = await client.post("/v1/systemone", json={"state": text, "questions": {"q": OPTIONS}})
            probabilities = answered.raise_for_status().json()["answers"]["q"]["probabilities"]
            assert probabilities["positive"] == pytest.approx(chance(text), abs=1e-4)
        return QUESTIONS

    async def everyone(url: str) -> int:
        async with httpx2.AsyncClient(base_url=url, timeout=120) as client:
            return sum(await asyncio.gather(*(ask(client, number) for number in range(CLIENTS))))

    limits = ServerLimits(rate=10**6, queue=256)
    with live(create_app(FakeBot(), Reader(), limits=limits)) as url:
        assert asyncio.run(everyone(url)) == CLIENTS * QUESTIONS
    tally(CLIENTS * QUESTIONS, "questions")
