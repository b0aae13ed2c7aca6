from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlpkit.data.near import near_groups, normalized

# Nine words, eight pairs; one word added at the end: eight of nine pairs in common, 8/9 = 0.889.
NINE = "the film was long but the end was good"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  Good,  FILM!!\n", "good film"),
        ("ＧＯＯＤ film", "good film"),
        ("don't_stop", "don t stop"),
        ("STRASSE straße", "strasse strasse"),
        ("好电影", "好 电 影"),
        ("very好", "very 好"),
        (":-)  :)", ":-) :)"),
        ("", ""),
        (" \t", ""),
    ],
)
def test_normalised_keeps_the_words(text: str, expected: str) -> None:
    assert normalized(text) == expected


def test_equal_but_for_case_form_punctuation_and_spaces() -> None:
    assert near_groups(
        ["Good film!", "other words", "good   film", "ＧＯＯＤ FILM..."], threshold=1.0, seed=0
    ) == [0, 1, 0, 0]


@pytest.mark.parametrize(("threshold", "expected"), [(0.88, [0, 0]), (8 / 9, [0, 0]), (0.9, [0, 1])])
def test_threshold_is_met_exactly(threshold: float, expected: list[int]) -> None:
    assert near_groups([NINE, NINE + " indeed"], threshold=threshold, seed=0) == expected


def test_word_order_counts() -> None:
    # {good not, not bad} and {bad not, not good} share no pair, though they share every word.
    assert near_groups(["good not bad", "bad not good"], threshold=0.5, seed=0) == [0, 1]


def test_one_word_texts_are_compared_by_the_word() -> None:
    assert near_groups(["good", "bad", "Good!", "good good"], threshold=0.5, seed=0) == [0, 1, 0, 2]


def test_chains_share_a_group() -> None:
    chain = [NINE, NINE + " indeed", NINE + " indeed yes"]  # 8/9, 9/10; ends: 8/10
    assert near_groups(chain, threshold=0.85, seed=0) == [0, 0, 0]
    assert near_groups([chain[0], chain[2]], threshold=0.85, seed=0) == [0, 1]


def test_texts_without_words_differ_by_their_signs() -> None:
    assert near_groups([":)", ":(", "", " ", ":)"], threshold=0.8, seed=0) == [0, 1, 2, 2, 0]


def test_unspaced_scripts_are_compared_by_character() -> None:
    assert near_groups(
        ["这部电影真的非常好看我很喜欢", "这部电影真的非常好看我很喜欢啊"], threshold=0.8, seed=0
    ) == [0, 0]


def test_nothing_and_a_lone_surrogate() -> None:
    assert near_groups([], threshold=0.8, seed=0) == []
    assert near_groups(["\ud800 a", "b"], threshold=0.8, seed=0) == [0, 1]


def test_long_texts_are_compared_by_their_beginning() -> None:
    words = [f"w{place}" for place in range(2_000)]
    ends = [" ".join([*words, *[f"{name}{place}" for place in range(2_000)]]) for name in "ab"]
    assert near_groups(ends, threshold=0.99, seed=0) == [0, 0]


def _by_brute_force(texts: list[str], threshold: float) -> set[frozenset[int]]:
    words = [normalized(text).split() for text in texts]
    shingles = [set(itertools.pairwise(one)) or {tuple(one)} for one in words]
    groups = [{place} for place in range(len(texts))]
    for left in range(len(texts)):
        for right in range(left):
            if (
                len(shingles[left] & shingles[right])
                >= threshold * len(shingles[left] | shingles[right]) - 1e-9
            ):
                joined = groups[left] | groups[right]
                for place in joined:
                    groups[place] = joined
    return {frozenset(group) for group in groups}


@given(
    st.lists(st.lists(st.sampled_from("abc"), max_size=8).map(" ".join), max_size=12),
    st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 1.0]),
    st.integers(0, 5),
)
@settings(max_examples=30, deadline=None)
def test_agrees_with_comparing_all_pairs(texts: list[str], threshold: float, seed: int) -> None:
    groups = near_groups(texts, threshold=threshold, seed=seed)
    found = {frozenset(place for place, one in enumerate(groups) if one == group) for group in groups}
    assert found == _by_brute_force(texts, threshold)


@pytest.mark.parametrize("threshold", [0.3, 0.6, 0.8])
def test_finds_every_edited_copy(threshold: float) -> None:
    rng = random.Random(1)
    texts = []
    for _ in range(60):
        original = [f"w{rng.randint(0, 200)}" for _ in range(rng.randint(1, 30))]
        for edits in range(4):
            copy = list(original)
            for _ in range(edits):
                copy[rng.randrange(len(copy))] = f"w{rng.randint(0, 200)}"
            texts.append(" ".join(copy))
    groups = near_groups(texts, threshold=threshold, seed=3)
    found = {frozenset(place for place, one in enumerate(groups) if one == group) for group in groups}
    assert found == _by_brute_force(texts, threshold)


def test_pairs_are_compared_in_slices_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"{NINE} indeed {place % 7} {place}" for place in range(40)]
    whole = near_groups(texts, threshold=0.7, seed=0)
    monkeypatch.setattr("nlpkit.data.near._PAIRS", 50)
    assert near_groups(texts, threshold=0.7, seed=0) == whole
    assert whole == [place % 7 for place in range(40)]  # 10 of 12 pairs in common, or 9 of 13
