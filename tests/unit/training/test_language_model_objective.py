"""The loss of a language model: the same however conversations are cut into batches or packed into rows."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from nlpkit.data.examples import Conversation, Turn
from nlpkit.errors import RunError
from nlpkit.models.pretrained import load_language_model, load_tokenizer
from nlpkit.prompts.build import encode_conversation
from nlpkit.prompts.template import READ_ONLY, EncodedDialogue
from nlpkit.run import Run
from nlpkit.settings.training import DialogueTraining, LanguageBase, Lora
from nlpkit.training.chat_model import build_chat_model, load_chat_base
from nlpkit.training.language_model_objective import (
    _collator,
    language_model_objective,
    learnt_only,
    pack,
    verify_packing,
)
from nlpkit.training.runs import RunInProgress, TrainOptions
from nlpkit.training.trainer import fit


def conversations(count: int) -> list[Conversation]:
    texts = [
        ("hi", "hello you"),
        ("what is it?", "a bird"),
        ("and now?", "now it is a very old tree"),
        ("no", "yes"),
    ]
    found = []
    for number in range(count):
        pairs = texts[: 1 + number % len(texts)]
        turns = [
            Turn(role=role, text=f"{text} {number}")
            for pair in pairs
            for role, text in zip(("user", "assistant"), pair, strict=True)
        ]
        found.append(Conversation(turns=tuple(turns)))
    return found


def rows(base: Path, count: int) -> list[EncodedDialogue]:
    tokenizer = load_tokenizer(base)
    return [row for one in conversations(count) for row in encode_conversation(one, tokenizer, 200)]


def row(ids: list[int], learned: int) -> EncodedDialogue:
    return EncodedDialogue(
        input_ids=ids, labels=[READ_ONLY] * (len(ids) - learned) + ids[len(ids) - learned :], replies=1
    )


def test_a_batch_keeps_packed_conversations_apart_by_their_positions() -> None:
    batch = _collator(0)([[row([5, 6, 7], 1), row([8, 9], 1)], [row([4, 3], 1)]])
    assert batch["input_ids"].tolist() == [[5, 6, 7, 8, 9], [4, 3, 0, 0, 0]]
    assert batch["labels"].tolist() == [[-100, -100, 7, -100, 9], [-100, 3, -100, -100, -100]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 0, 1], [0, 1, 2, 3, 4]]


def test_the_first_token_of_a_conversation_is_never_learned_from_the_one_before() -> None:
    batch = _collator(0)([[row([5, 6], 1), row([8, 9], 2)]])
    assert batch["labels"].tolist() == [[-100, 6, -100, 9]]


def test_packing_fills_rows_and_loses_none() -> None:
    found = pack([row([1] * size, 1) for size in (3, 8, 5, 2, 7)], 10)
    assert [[len(one.input_ids) for one in bin] for bin in found] == [[8, 2], [7, 3], [5]]


def test_logits_are_computed_for_what_is_learned_and_equal_the_whole_ones(tiny_chat_base: Path) -> None:
    model = load_language_model(tiny_chat_base).eval()
    batch = _collator(0)([[one] for one in rows(tiny_chat_base, 3)])
    labels = batch.pop("labels")
    with torch.no_grad():
        whole = model(**batch).logits
        with learnt_only(model, {"labels": labels}):
            few = model(**batch).logits
        assert model(**batch).logits.shape == whole.shape  # the hook is gone
    assert few.shape[:2] == (1, int((labels != READ_ONLY).sum()))
    assert torch.allclose(few[0], whole[:, :-1][labels[:, 1:] != READ_ONLY], atol=1e-6)


@pytest.fixture(scope="module")
def steps(
    tiny_chat_base: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[float, float, float]]:
    """Train on the same eight conversations, cut into batches in different ways.

    Returns:
        Training loss of the first step, loss after it and perplexity after it, by the way.
    """
    ways: dict[str, dict[str, Any]] = {
        "8 x 1": {"batch_size": 8, "accumulate": 1},
        "4 x 2": {"batch_size": 4, "accumulate": 2},
        "2 x 4": {"batch_size": 2, "accumulate": 4},
        "packed": {"batch_size": 8, "accumulate": 1, "packing": True},
        "packed 1 x n": {"batch_size": 1, "packing": True},
    }
    base = load_chat_base(LanguageBase(source=str(tiny_chat_base), max_tokens=200))
    train = rows(tiny_chat_base, 8)
    found = {}
    for name, way in ways.items():
        if name == "packed 1 x n":
            way["accumulate"] = len(pack(train, 200))
        training = DialogueTraining(
            max_steps=1, evaluations=1, lr=1e-2, warmup=0, group_by_length=False, **way
        )
        objective = language_model_objective(
            train, train[:5], tokenizer=base.tokenizer, training=training, max_tokens=200
        )
        model = build_chat_model(base, LanguageBase(source=str(tiny_chat_base)), Lora(rank=4), seed=3)
        run = Run.create(tmp_path_factory.mktemp("run") / "one", config="")
        job = RunInProgress(
            run=run, seed=3, fingerprint="f", started=0.0, options=TrainOptions(talk=print), config=training
        )
        fit(model, base.tokenizer, objective, training=training, job=job)
        log = [json.loads(line) for line in run.log.read_text().splitlines()]
        merged = {key: value for entry in log for key, value in entry.items()}
        found[name] = merged["loss"], merged["eval_loss"], merged["eval_perplexity"]
    return found


@pytest.mark.parametrize("way", ["4 x 2", "2 x 4", "packed", "packed 1 x n"])
def test_loss_and_perplexity_are_equal_however_the_rows_are_cut(
    way: str, steps: dict[str, tuple[float, float, float]]
) -> None:
    assert steps[way] == pytest.approx(steps["8 x 1"], rel=1e-6, abs=1e-6)


def test_the_loss_is_the_mean_over_the_learned_tokens(
    tiny_chat_base: Path, steps: dict[str, tuple[float, float, float]]
) -> None:
    """Against torch's own cross entropy on each conversation alone, without padding, packing or our loss."""
    model = load_language_model(tiny_chat_base).eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for one in rows(tiny_chat_base, 8):
            ids, labels = torch.tensor([one.input_ids]), torch.tensor(one.labels)
            logits = model(input_ids=ids).logits[0, :-1].double()
            total += float(
                torch.nn.functional.cross_entropy(logits, labels[1:], ignore_index=READ_ONLY, reduction="sum")
            )
            count += sum(label != READ_ONLY for label in one.labels)
    assert steps["8 x 1"][0] == pytest.approx(total / count, abs=1e-5)  # a fresh adapter changes nothing
    assert steps["8 x 1"][2] == pytest.approx(math.exp(steps["8 x 1"][1]))


def test_a_model_that_sees_through_packing_is_refused(tiny_chat_base: Path) -> None:
    model = load_language_model(tiny_chat_base)
    verify_packing(model, rows(tiny_chat_base, 3), 0)

    class Leaky(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = model

        def forward(
            self, input_ids: torch.Tensor, position_ids: torch.Tensor | None = None, use_cache: bool = False
        ) -> Any:
            return self.inner(input_ids=input_ids)  # as models do that know nothing of packing

    with pytest.raises(RunError, match="see each other"):
        verify_packing(Leaky(), rows(tiny_chat_base, 3), 0)
