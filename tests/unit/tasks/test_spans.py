"""Scores of spans and pairs: the loss, decoding and what is fitted, against values worked out by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from nlpkit.classifiers.text_tokenizer import TextTokenizer
from nlpkit.models.pretrained import load_tokenizer
from nlpkit.tasks.answers.span_decoding import without_rivals
from nlpkit.tasks.answers.span_fit import best_threshold
from nlpkit.tasks.answers.span_scores import SIZE, score_tables, tables_loss, window_tables
from nlpkit.tasks.encoding import encode_placed, whole_characters


def test_a_score_is_the_product_of_vectors_turned_by_their_places() -> None:
    draw = np.random.default_rng(0)
    outputs = draw.normal(size=(5, 2 * SIZE))
    (table,) = window_tables(outputs, 1)
    half = SIZE // 2
    turn = 1 / 10_000 ** (np.arange(half) * 2 / SIZE)

    def turned(vector: np.ndarray, place: int) -> np.ndarray:
        pairs = (vector[:half] + 1j * vector[half:]) * np.exp(1j * place * turn)
        return np.concatenate([pairs.real, pairs.imag])

    expected = [
        [turned(outputs[i, :SIZE], i) @ turned(outputs[j, SIZE:], j) / math.sqrt(SIZE) for j in range(5)]
        for i in range(5)
    ]
    assert table == pytest.approx(np.array(expected))
    cosine, sine = (np.cos(np.arange(5)[:, None] * turn), np.sin(np.arange(5)[:, None] * turn))
    by_torch = score_tables(torch.tensor(outputs), 1, torch.tensor(cosine), torch.tensor(sine))
    assert by_torch[0].numpy() == pytest.approx(table)


def test_the_loss_of_a_head_that_knows_nothing_counts_the_cells() -> None:
    # a window of three tokens between two special ones; all scores are 0
    logits = torch.zeros(1, 5, 2 * SIZE * 4)
    target = torch.tensor([[1.0, 4.0, 1, 1, 3, 3, 0, -1, -1, -1, -1, -1]])
    spans = math.log(1 + 5) + math.log(2)  # of 6 spans one is true
    pairs = math.log(1 + 8) + math.log(2)  # of 9 pairs one is true
    loss = tables_loss(logits, target, spans=2, polarities=1, pairs=True)
    assert loss.tolist() == pytest.approx([(2 * spans + 2 * pairs) / 4])
    # padding behind the window changes nothing
    longer = tables_loss(torch.zeros(1, 9, 2 * SIZE * 4), target, spans=2, polarities=1, pairs=True)
    assert longer.tolist() == pytest.approx(loss.tolist())


def test_of_candidates_that_share_both_parts_the_best_stays() -> None:
    places = np.array([[0, 1, 4, 4], [1, 1, 4, 5], [1, 1, 7, 7], [3, 3, 4, 4]])
    assert without_rivals(places, np.array([0.5, 0.9, 0.4, 0.1])) == [1, 2, 3]


def test_the_threshold_with_the_highest_f1() -> None:
    answers = [(0.9, True), (0.8, False), (0.6, True), (0.2, False)]
    # 2/(1+3), 2/(2+3), 4/(3+3), 4/(4+3): three answers
    assert best_threshold(answers, 3) == pytest.approx(0.4)


def test_offsets_take_in_marks_and_leave_out_space() -> None:
    text = " cafe\u0301 👩‍🍳!"
    assert whole_characters(text, [(0, 5), (6, 8), (10, 11)]) == [(1, 6), (7, 10), (10, 11)]
    assert text[1:6] == "cafe\u0301"
    # a token that begins within a character begins where the character does
    assert whole_characters(text, [(4, 6), (9, 10)]) == [(4, 6), (7, 10)]
    assert whole_characters("\u0915\u0940", [(0, 1), (1, 2)]) == [(0, 2), (0, 2)]


def test_both_tokenizers_place_tokens_alike(tiny_base: Path) -> None:
    plain = load_tokenizer(tiny_base)
    own = TextTokenizer.of(plain)
    read = TextTokenizer.read(tiny_base, frame=own.frame, pad_id=own.pad_id)
    texts = ["the café was great", "[SEP] 😀 good", "cafe\u0301 bad", "", "good " * 90]
    ours, theirs = (encode_placed(texts, tokenizer, 64) for tokenizer in (own, read))
    assert ours == theirs
    places = ours[2].places
    assert places is not None
    start, end = places.offsets[0][-2]
    assert (start, end) == (0, 5) or end == 5
    assert [len(offsets) for offsets in ours[4].places.offsets] == [
        len(window) - own.frame.size for window in ours[4].windows
    ]
