from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import (
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from nlpkit.errors import ConfigError
from nlpkit.generation.sampling import LATELY, Sampler, Sampling, likely_tokens


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[
            (name, value)
            for name in ("temperature", "top_p", "repetition_penalty")
            for value in (math.nan, math.inf, -1, 2.5, "1", None, True)
        ],
        *[
            (name, value)
            for name in ("top_k", "max_new_tokens", "seed")
            for value in (math.nan, -1, 2.5, "1", True, 10**20, [1])
        ],
        ("top_p", 0),
        ("max_new_tokens", 0),
        ("repetition_penalty", 0.9),
        ("temprature", 1),
    ],
)
def test_a_setting_that_cannot_be_meant_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"1 problem\n  - {field}: "):
        Sampling.of({field: value})


def test_whole_numbers_are_numbers() -> None:
    assert Sampling.of({"temperature": 1, "top_p": 1, "seed": None}) == Sampling(temperature=1.0, top_p=1.0)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_what_may_be_drawn_and_how_likely_is_as_in_transformers(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 60))
    logits = np.random.default_rng(data.draw(st.integers(0, 10_000))).normal(0, 3, size).astype(np.float32)
    seen = data.draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=5))
    top_k, top_p = data.draw(st.integers(0, size + 5)), data.draw(st.sampled_from([1.0, 0.9, 0.5, 0.1, 0.01]))
    temperature, penalty = (
        data.draw(st.sampled_from([0.1, 0.7, 1.0, 2.0])),
        data.draw(st.sampled_from([1.0, 1.1, 2.0])),
    )
    theirs = LogitsProcessorList(
        [RepetitionPenaltyLogitsProcessor(penalty), TemperatureLogitsWarper(temperature)]
    )
    if top_k:
        theirs.append(TopKLogitsWarper(top_k))
    theirs.append(TopPLogitsWarper(top_p))
    expected = torch.softmax(
        theirs(torch.tensor([seen]), torch.tensor(logits[None]))[0].double(), dim=-1
    ).numpy()

    sampler = Sampler(
        Sampling(temperature=temperature, top_k=top_k, top_p=top_p, repetition_penalty=penalty), seen
    )
    scores = sampler._penalize(logits) / np.float32(temperature)
    places, weights = likely_tokens(scores, top_k, top_p)
    found = np.zeros(size)
    found[places] = weights / weights.sum()
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_tokens_are_drawn_as_often_as_they_are_likely() -> None:
    logits = np.log(np.array([0.5, 0.3, 0.15, 0.05], dtype=np.float32))
    sampler = Sampler(Sampling(temperature=1, top_p=0.9, repetition_penalty=1, seed=3))
    counts = np.bincount([sampler.choose(logits) for _ in range(4000)], minlength=4)
    # 0.5 + 0.3 is less than 0.9, so that the third is kept and the fourth is not
    np.testing.assert_allclose(counts / 4000, np.array([0.5, 0.3, 0.15, 0]) / 0.95, atol=0.03)


def test_equal_seeds_draw_equal_tokens_and_none_draws_anew() -> None:
    logits = np.zeros(1000, dtype=np.float32)

    def drawn(seed: int | None) -> list[int]:
        sampler = Sampler(Sampling(temperature=1, seed=seed))
        return [sampler.choose(logits) for _ in range(10)]

    assert drawn(5) == drawn(5) != drawn(6)
    assert drawn(None) != drawn(None)


def test_a_new_token_counts_as_seen() -> None:
    logits = np.array([2.0, 1.9, 1.8], dtype=np.float32)
    sampler = Sampler(Sampling(temperature=0, repetition_penalty=1.5))
    assert [sampler.choose(logits) for _ in range(4)] == [0, 1, 2, 0]


def test_d1_control_tokens_are_as_likely_as_without_a_penalty() -> None:
    logits = np.array([2.0, -1.0, 1.0], dtype=np.float32)
    sampler = Sampler(Sampling(repetition_penalty=2.0), [0, 1, 2, 1], exempt=frozenset({1, 2}))
    # Only token 0 is halved; 1 and 2 end or open a turn
    assert sampler._penalize(logits).tolist() == [1.0, -1.0, 1.0]


def test_d1_only_what_was_said_lately_is_penalized() -> None:
    logits = np.ones(LATELY + 2, dtype=np.float32)
    sampler = Sampler(Sampling(repetition_penalty=2.0), range(LATELY + 1))
    # Token 0 was said before the last LATELY tokens, the last one of the vocabulary never
    assert sampler._penalize(logits).tolist() == [1.0, *[0.5] * LATELY, 1.0]


@pytest.mark.parametrize("temperature", [0.0, 5e-324, 1e-30, 9e-6])
def test_c7_the_coldest_temperatures_take_the_likeliest_token(temperature: float) -> None:
    sampler = Sampler(Sampling(temperature=temperature, repetition_penalty=1.0))
    logits = np.array([3.0, 80.0, -2.0, 79.9], dtype=np.float32)
    with np.errstate(all="raise"):
        assert [sampler.choose(logits) for _ in range(5)] == [1] * 5
