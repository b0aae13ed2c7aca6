from __future__ import annotations

from pathlib import Path

import pytest
import torch

from nlpkit.data.examples import Conversation, Turn
from nlpkit.errors import DataError
from nlpkit.generation import language_model
from nlpkit.generation.language_model import LanguageModel
from nlpkit.models.pretrained import load_language_model, load_tokenizer
from nlpkit.prompts.build import build_prompt, encode_reply
from nlpkit.tasks.dialogue import Dialogue

HISTORY = Conversation(
    turns=(
        Turn(role="user", text="think of tea"),
        Turn(role="assistant", text="tea it is"),
        Turn(role="user", text="which?"),
    )
)
REPLIES = ["tea", "tea, not rain and not anything else that one may think of", "y", "a song", "tea"]


@pytest.fixture(scope="module")
def model(tiny_chat_base: Path) -> LanguageModel:
    return LanguageModel(
        load_language_model(tiny_chat_base),
        load_tokenizer(tiny_chat_base),
        Dialogue(),
        window=160,
        name="tiny",
    )


def test_a_likelihood_is_that_of_the_whole_sequence_read_at_once(model: LanguageModel) -> None:
    found = model.log_likelihoods(HISTORY, REPLIES)
    asked = build_prompt(HISTORY, model.tokenizer, 100).ids
    for reply, one in zip(REPLIES, found, strict=True):
        answer = encode_reply(reply, model.tokenizer)
        with torch.no_grad():
            logits = model.model(input_ids=torch.tensor([asked + answer])).logits[0].double()
        expected = torch.log_softmax(logits, dim=-1)[
            range(len(asked) - 1, len(asked) + len(answer) - 1), answer
        ].sum()
        assert one.total == pytest.approx(float(expected), abs=1e-4)
        assert one.tokens == len(answer)


@pytest.mark.parametrize("budget", [1, 40, 10_000])
def test_it_does_not_depend_on_which_replies_share_a_batch(
    model: LanguageModel, budget: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(language_model, "CPU_TOKENS", budget)
    alone = [model.log_likelihoods(HISTORY, [one])[0] for one in REPLIES]
    together = model.log_likelihoods(HISTORY, REPLIES)
    assert [one.tokens for one in together] == [one.tokens for one in alone]
    assert [one.total for one in together] == pytest.approx([one.total for one in alone], abs=1e-4)


def test_a_reply_longer_than_half_the_window_is_refused(model: LanguageModel) -> None:
    with pytest.raises(DataError, match="expected at most 80"):
        model.log_likelihoods(HISTORY, ["tea " * 40])
