from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from nlpkit.errors import SourceError
from nlpkit.models.encoder import Encoder


def test_embeddings_are_those_of_the_model_without_its_special_tokens(tiny_base: Path) -> None:
    texts = ["the film was good", "", "a very very sad story", *["food"] * 20]
    found = Encoder.load(str(tiny_base)).embed(texts)
    model, tokenizer = AutoModel.from_pretrained(tiny_base).eval(), AutoTokenizer.from_pretrained(tiny_base)
    for text, states in zip(texts, found, strict=True):
        with torch.no_grad():
            expected = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0, 1:-1].numpy()
        assert states.shape == expected.shape
        np.testing.assert_allclose(states, expected, atol=1e-5)


def test_a_long_text_is_read_up_to_the_window(tiny_base: Path) -> None:
    assert Encoder.load(str(tiny_base)).embed(["good " * 500])[0].shape == (62, 16)


def test_an_encoder_that_is_nowhere_says_so() -> None:
    with pytest.raises(SourceError, match="no-such-encoder"):
        Encoder.load("no-such-encoder")


def test_features_are_the_mean_over_the_tokens_however_texts_are_batched(tiny_base: Path) -> None:
    texts = ["the film was good", "", "a very very sad story", *["food " * 30] * 90, "good " * 500]
    counts: list[tuple[int, int]] = []
    found = Encoder.load(str(tiny_base)).features(texts, lambda done, total: counts.append((done, total)))
    model, tokenizer = AutoModel.from_pretrained(tiny_base).eval(), AutoTokenizer.from_pretrained(tiny_base)
    assert found.shape == (94, 16)
    for index in (0, 1, 2, 40, 93):
        inputs = tokenizer(texts[index], return_tensors="pt", truncation=True, max_length=64)
        with torch.no_grad():
            expected = model(**inputs).last_hidden_state[0].mean(0).numpy()
        np.testing.assert_allclose(found[index], expected, atol=1e-5)
    assert counts[-1] == (94, 94)
    assert len(counts) > 1
