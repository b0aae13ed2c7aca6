"""Which texts an adaptation learns from, how they are cut and masked, and what it measures."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from nlpkit.errors import ConfigError, DataError
from nlpkit.evaluation.adaptation import compare
from nlpkit.models.pretrained import load_tokenizer
from nlpkit.prompts.template import READ_ONLY
from nlpkit.settings.training import Base
from nlpkit.training.adaptation import Adaptation, AdaptationTraining, measure
from nlpkit.training.adaptation_data import AdaptationData, load_texts, windows_of
from nlpkit.training.contrastive_objective import view_losses
from nlpkit.training.masked_words import masker
from tests.conftest import WORDS, make_base, sentences, write_csv


@pytest.fixture(scope="module")
def masking_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("masks"), masks=True, window=16)


def texts_file(folder: Path, texts: list[str]) -> str:
    return str(write_csv(folder / "texts.csv", [(text, "") for text in texts]))


def load(source: str, **more: object) -> AdaptationData:
    return AdaptationData.model_validate({"unlabelled": source, **more})  # an old name


def test_texts_are_held_out_once_near_equal_ones_are_gone(tmp_path: Path) -> None:
    plain = [text for text, _ in sentences(60)]
    source = texts_file(tmp_path, [*plain, plain[0].upper() + "!", plain[1]])
    read = load_texts(load(source, near_duplicates=1.0, held_out=0.1), seed=1)
    assert len(read.held_out) == 6
    assert sorted([*read.train, *read.held_out]) == sorted(plain)  # the first of equal ones is kept
    assert read.dropped == 2
    assert load_texts(load(source, near_duplicates=1.0), seed=2).held_out != read.held_out


def test_too_few_texts_are_refused_with_a_hint_that_works(tmp_path: Path) -> None:
    few = texts_file(tmp_path, [text for text, _ in sentences(49)])
    with pytest.raises(DataError, match=r"49 of 49 texts are left .* expected at least 50; hint: add texts"):
        load_texts(load(few, near_duplicates=1.0), seed=1)
    long = {"source": texts_file(tmp_path, [f"It was good for {n} days. Bad on day {n}." for n in range(30)])}
    cut = [{**long, "cut": "sentences"}]
    assert len(load_texts(load(cut, near_duplicates=1.0), seed=1).train) == 54
    alike = texts_file(tmp_path, [f"{' '.join(WORDS)} {number}" for number in range(80)])
    with pytest.raises(DataError, match=r"1 of 80 texts are left .* hint: data.near_duplicates=1.0"):
        load_texts(load(alike), seed=1)
    assert len(load_texts(load(alike, near_duplicates=1.0), seed=1).train) == 72
    none = texts_file(tmp_path, ["", " "])
    with pytest.raises(DataError, match="none of its 2 texts can be used; expected texts with words"):
        load_texts(load(none), seed=1)


def test_longer_texts_are_cut_in_windows_and_words_begin_where_characters_stand_apart(
    masking_base: Path,
) -> None:
    tokenizer = load_tokenizer(masking_base)
    long = " ".join(["film"] * 20)
    short, rest, first = windows_of([long, "xx, good"], tokenizer, 16)
    assert (first.text, first.start, len(first.input_ids)) == (0, 0, 16)
    assert (rest.text, rest.start, len(rest.input_ids)) == (0, 14, 8)
    # [CLS] x ##x , good [SEP]: the comma belongs to the word before it
    assert short.begins == [None, True, False, False, True, None]


def test_words_are_masked_as_a_whole_and_alike_for_the_same_batch(masking_base: Path) -> None:
    tokenizer = load_tokenizer(masking_base)
    windows = windows_of(["xyz abc", "good film was awful", "qqq film"] * 3, tokenizer, 16)
    collate = masker(tokenizer, share=0.5, whole_words=True, seed=1)
    batch, again = collate(windows), collate(windows)
    assert all(torch.equal(batch[name], again[name]) for name in batch)
    other = masker(tokenizer, share=0.5, whole_words=True, seed=2)(windows)
    assert not torch.equal(batch["labels"], other["labels"])
    assert not torch.equal(batch["labels"], collate(windows[::-1])["labels"].flip(0))
    masked = batch["labels"] != READ_ONLY
    assert 0 < masked.sum() < sum(len(window.input_ids) - 2 for window in windows)
    assert (batch["input_ids"][masked] == tokenizer.mask_token_id).all()
    for row, window in zip(masked, windows, strict=True):
        assert not row[0]
        assert not row[len(window.input_ids) - 1 :].any()  # the end and the padding
        for place, begins in enumerate(window.begins):
            if begins is False:
                assert row[place] == row[place - 1]
            if row[place]:
                assert batch["labels"][windows.index(window), place] == window.input_ids[place]


def test_pseudo_perplexity_is_a_sum_over_tokens_by_hand() -> None:
    # Nats and masked tokens of two texts, three tokens in all
    before = np.array([[math.log(2) + math.log(4), 2], [math.log(8), 1]])
    after = np.array([[2 * math.log(2), 2], [math.log(2), 1]])
    pair = compare(before, after, "masked", seed=1)["perplexity"]
    assert pair["old"]["value"] == pytest.approx(4.0)  # (2 * 4 * 8) ** (1 / 3)
    assert pair["new"]["value"] == pytest.approx(2.0)
    assert pair["test"]["difference"] == pytest.approx(-2.0)
    # Both texts, or one of them twice: 2 * 4 or 8, against 2
    assert pair["test"]["low"] == pytest.approx(2 - 8)
    assert pair["test"]["high"] == pytest.approx(2 - math.sqrt(8))


def test_contrastive_losses_by_hand() -> None:
    first, second = torch.eye(2), torch.tensor([[0.0, 1.0], [0.0, 1.0]])
    # Cosines / 0.5: the first text's view is as near to its own second view as to the other's
    assert view_losses(first, second, 0.5).tolist() == pytest.approx([math.log(2), math.log(2)])
    own = view_losses(first, first, 0.5).tolist()
    assert own == pytest.approx([math.log(1 + math.exp(-2))] * 2)


def test_uniformity_of_two_texts_by_hand() -> None:
    # Sums: loss, squared distance of the views, exp(-2 * squared distance to the other), 1
    sums = np.array([[0.3, 0.1, math.exp(-4), 1], [0.1, 0.3, math.exp(-4), 1]])
    pairs = compare(sums, sums, "contrastive", seed=1)
    assert pairs["loss"]["old"]["value"] == pytest.approx(0.2)
    assert pairs["alignment"]["old"]["value"] == pytest.approx(0.2)
    assert pairs["uniformity"]["old"]["value"] == pytest.approx(-4)  # at right angles


def test_held_out_nats_are_those_of_the_model_window_by_window(masking_base: Path) -> None:
    adaptation = Adaptation.of(Base(source=str(masking_base)), "masked", print)
    held = adaptation.encode([" ".join(["good film"] * 10), "bad food"])
    model, is_new = adaptation.build(None, seed=1)
    assert is_new
    objective = adaptation.objective(model, held, held, AdaptationTraining(masked_share=0.5), seed=1)
    nats, tokens = measure(model, objective, held).T
    batch = objective.collate(list(held))
    labels = batch.pop("labels")
    with torch.no_grad():
        chances = model.eval()(**batch).logits.log_softmax(-1)
    expected = [0.0, 0.0]
    for row, window in enumerate(held):
        for place in (labels[row] != READ_ONLY).nonzero().flatten():
            expected[window.text] -= float(chances[row, place, labels[row, place]])
    assert nats.tolist() == pytest.approx(expected, rel=1e-4)
    assert tokens.sum() == (labels != READ_ONLY).sum()


@pytest.mark.parametrize(
    ("asked", "base", "hint"),
    [
        ("masked", "tiny_base", "contrastive"),  # whose tokenizer has no mask token
        ("masked", "tiny_chat_base", "next_token"),
        ("contrastive", "tiny_chat_base", "next_token"),
        ("next_token", "tiny_base", "contrastive"),
    ],
)
def test_a_method_that_the_base_cannot_learn_by_is_refused(
    asked: str, base: str, hint: str, request: pytest.FixtureRequest
) -> None:
    settings = Base(source=str(request.getfixturevalue(base)))
    with pytest.raises(ConfigError, match=f"method: {asked} needs .*; hint: method={hint}"):
        Adaptation.of(settings, asked, print)
    assert Adaptation.of(settings, hint, print).method == hint


def test_the_method_is_chosen_by_the_base_and_reported(
    tiny_base: Path, tiny_chat_base: Path, tmp_path: Path
) -> None:
    head, said = make_base(tmp_path / "head", masks=True, head=True), list[str]()
    lost = make_base(tmp_path / "lost", masks=True)  # its configuration names a head that is not there
    config = json.loads((lost / "config.json").read_text()) | {"architectures": ["BertForMaskedLM"]}
    (lost / "config.json").write_text(json.dumps(config))
    methods = {tiny_base: "contrastive", lost: "contrastive", tiny_chat_base: "next_token", head: "masked"}
    for base, method in methods.items():
        assert Adaptation.of(Base(source=str(base)), "auto", said.append).method == method
        assert said[-1].startswith(f"method     {method}, as the base")


def test_views_without_dropout_are_refused(tiny_base: Path) -> None:
    still = Adaptation.of(Base(source=str(tiny_base), dropout=0.0), "contrastive", print)
    with pytest.raises(ConfigError, match=r"two views of a text are equal.*hint: base.dropout=0.1"):
        still.build(None, seed=1)
    Adaptation.of(Base(source=str(tiny_base), dropout=0.1), "contrastive", print).build(None, seed=1)
