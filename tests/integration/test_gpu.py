"""What a GPU computes is what a processor computes: scoring, training, 4-bit weights, chat, two processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from nlpkit.classifiers.classifier import Classifier
from nlpkit.data.examples import Conversation, Turn
from nlpkit.generation.chatbot import Chatbot
from nlpkit.generation.sampling import Sampling
from tests.conftest import chats, make_chat_base, sentences, train_toy, write_chats
from tests.integration.test_accelerate import SAME, SENTIMENT, train, weights

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.integration,
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA"),
]


def on_a_processor(program: str, *words: str) -> list[object]:
    """What a program prints as JSON where no GPU is seen."""
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program, *words], env=environment, capture_output=True, text=True, check=True
    )
    found: list[object] = json.loads(done.stdout.splitlines()[-1])
    return found


SCORE = """
import json, sys
from nlpkit.classifiers.classifier import Classifier
from tests.conftest import sentences
texts = [text for text, _ in sentences(300)]
answers = Classifier.load(sys.argv[1], runtime="torch").predict(texts)
print(json.dumps([answer.probabilities["positive"] for answer in answers]))
"""
REPLY = """
import json, sys
from nlpkit.data.examples import Conversation, Turn
from nlpkit.generation.chatbot import Chatbot
from nlpkit.generation.sampling import Sampling
bot = Chatbot.load(sys.argv[1], runtime="torch")
greedy = Sampling(temperature=0, max_new_tokens=24)
said = [Conversation(turns=(Turn(role="user", text=f"think of {word}"),)) for word in sys.argv[2:]]
print(json.dumps(["".join(bot.stream(talk, sampling=greedy)) for talk in said]))
"""


def replies(run: Path, words: list[str]) -> list[str]:
    bot, greedy = Chatbot.load(run, runtime="torch"), Sampling(temperature=0, max_new_tokens=24)
    said = [Conversation(turns=(Turn(role="user", text=f"think of {word}"),)) for word in words]
    return ["".join(bot.stream(talk, sampling=greedy)) for talk in said]


def test_it_scores_as_a_processor_does(toy_run: Path) -> None:
    classifier = Classifier.load(toy_run, runtime="torch")
    assert classifier.device.startswith("cuda")
    answers = classifier.predict([text for text, _ in sentences(300)])
    here = [answer.probabilities["positive"] for answer in answers]
    assert here == pytest.approx(on_a_processor(SCORE, str(toy_run)), abs=1e-3)


def test_it_scores_in_bf16(toy_run: Path) -> None:
    texts = [text for text, _ in sentences(300)]
    whole, half = (Classifier.load(toy_run, runtime=name).predict(texts) for name in ("torch", "torch-bf16"))
    same = sum(full.label == short.label for full, short in zip(whole, half, strict=True))
    assert same >= 0.99 * len(texts)


def test_it_learns_what_a_processor_learns(toy_config: Path, tmp_path: Path) -> None:
    [run] = train_toy(toy_config, f"output={tmp_path}")
    rows = sentences(400, seed=9)
    answers = Classifier.load(run).predict([text for text, _ in rows])
    assert sum(answer.label == label for answer, (_, label) in zip(answers, rows, strict=True)) > 0.9 * 400


def test_it_learns_on_4_bit_weights(tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes")
    base, data = make_chat_base(tmp_path / "base", hidden=64), write_chats(tmp_path / "c.jsonl", chats(120))
    config = tmp_path / "toy.yaml"
    config.write_text(
        f"recipe: dialogue\nname: toy\ndata: {{train: [{{source: {data}}}], validation: 0.2, test: 0.2, "
        f"near_duplicates: 1.0}}\nbase: {{source: {base}, max_tokens: 160, quantize: 4bit}}\n"
        "lora: {rank: 8, alpha: 16}\ntraining: {epochs: 4, batch_size: 8, lr: 0.02, evaluations: 4}\n"
        f"evaluation: {{items: 12, generate: 4, candidates: 5}}\noutput: {tmp_path / 'runs'}\n",
        encoding="utf-8",
    )
    [run] = train_toy(config)
    log = [json.loads(line) for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    losses = [line["eval_loss"] for line in log if "eval_loss" in line]
    assert losses[-1] < losses[0]
    assert all(replies(run, ["tea", "rain"]))


def test_it_replies_as_a_processor_does(chat_run: Path) -> None:
    words = ["tea", "rain", "song", "road"]
    assert replies(chat_run, words) == on_a_processor(REPLY, str(chat_run), *words)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs: NCCL takes one process for each")
def test_two_processes_learn_the_weights_of_one(
    toy_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.integration.test_accelerate.ALONE", {"OMP_NUM_THREADS": "1"})
    for name, processes, batch in (("one", 1, 8), ("two", 2, 4)):
        more = (*SAME, *SENTIMENT, "training.precision=fp32", f"training.batch_size={batch}")
        train(toy_config, tmp_path / name, *more, processes=processes)
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    for name, weight in one.items():
        assert torch.allclose(two[name], weight, rtol=0, atol=1e-3), name
