from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from nlpkit.classifiers.zero_shot import zero_shot, zero_shot_classifier
from nlpkit.data.codebook import Codebook, codebook_of
from nlpkit.errors import ConfigError, RunError
from nlpkit.models.label_readers import ReaderSettings, own_weights, read_words, restore
from nlpkit.models.likelihood_reader import label_orders

TEXTS = ["the film was good", "bad food", "", "a very sad story and a very poor place at that"]
LABELS = Codebook.model_validate(
    {
        "question": "Q?",
        "labels": [
            {"label": "top", "description": "good"},
            {"label": "top_up", "examples": ["fine"]},  # begins as the first does
            {"label": "sad"},
        ],
    }
)


def _softmax(logits: Any) -> Any:
    return torch.tensor(np.asarray(logits)).softmax(-1).numpy()


def test_a_sentence_encoder_reads_labels_by_mean_pooled_cosines(tiny_base: Path) -> None:
    book = codebook_of({"good": "the film was lovely", "bad": ""})
    model, tokenizer = AutoModel.from_pretrained(tiny_base).eval(), AutoTokenizer.from_pretrained(tiny_base)

    def unit(text: str) -> Any:
        with torch.no_grad():
            mean = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0)
        return mean / mean.norm()

    good = unit("good") + unit("the film was lovely")
    directions = torch.stack([good / good.norm(), unit("bad")])
    expected = [20 * directions @ unit(text) for text in TEXTS]
    found = zero_shot(TEXTS, book, base=str(tiny_base))
    np.testing.assert_allclose(found, _softmax(torch.stack(expected)), atol=1e-5)


@pytest.mark.parametrize("prior", ["empty", "none"])
def test_a_language_model_scores_each_label_against_an_empty_text_in_every_order(
    tiny_chat_base: Path, prior: Any
) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny_chat_base).eval()
    prompts = [
        "Q?\n- top: good\n- top up\n- sad\n\nText:\nfine\nAnswer: top up\n\nText:\n",
        "Q?\n- sad\n- top up\n- top: good\n\nText:\nfine\nAnswer: top up\n\nText:\n",
    ]
    tokenizer = AutoTokenizer.from_pretrained(tiny_chat_base)

    def log_likelihood(before: str, label: str) -> float:  # one label at a time, without padding and cache
        ids = tokenizer(before)["input_ids"]
        answer = tokenizer(label)["input_ids"]
        with torch.no_grad():
            scores = model(torch.tensor([ids + answer])).logits[0].log_softmax(-1)
        return sum(float(scores[len(ids) + step - 1, token]) for step, token in enumerate(answer))

    def scores(text: str) -> list[float]:
        return [
            sum(log_likelihood(f"{prompt}{text}\nAnswer:", f" {label}\n") for prompt in prompts) / 2
            for label in ("top", "top up", "sad")
        ]

    expected = np.array([scores(text) for text in TEXTS])
    if prior == "empty":
        expected -= np.array(scores(""))
    reader = ReaderSettings(name="likelihood", prior=prior)
    found = zero_shot(TEXTS, LABELS, base=str(tiny_chat_base), reader=reader)
    np.testing.assert_allclose(found, _softmax(expected), atol=1e-4)
    if prior == "empty":  # nothing is known of a text that says nothing
        np.testing.assert_allclose(found[2], [1 / 3] * 3, atol=1e-5)
    alone = [zero_shot(text, LABELS, base=str(tiny_chat_base), reader=reader)[0] for text in TEXTS]
    np.testing.assert_allclose(found, alone, atol=1e-5)  # whatever shares its batch


def test_orders_are_as_given_then_reversed_then_shuffled() -> None:
    assert label_orders(3, 1) == [[0, 1, 2]]
    assert label_orders(3, 2) == [[0, 1, 2], [2, 1, 0]]
    assert [sorted(order) for order in label_orders(3, 5)] == [[0, 1, 2]] * 5
    assert label_orders(40, 4) == label_orders(40, 4)


def test_a_label_set_longer_than_the_window_is_refused(tiny_chat_base: Path) -> None:
    book = codebook_of({"good": "lovely " * 20, "bad": "awful " * 20})  # 256 bytes are read at once
    with pytest.raises(ConfigError, match=r"reads 256 tokens at once.*hint: shorten the codebook"):
        zero_shot("fine", book, base=str(tiny_chat_base), reader=ReaderSettings(name="likelihood"))


@pytest.fixture(scope="module")
def tiny_entailment(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of natural language inference with random weights."""
    from tokenizers import processors

    folder = tmp_path_factory.mktemp("entailment")
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    names = {0: "CONTRADICTION", 1: "NEUTRAL", 2: "ENTAILMENT"}
    model = AutoModelForSequenceClassification.from_pretrained(tiny_base, id2label=names)
    model.save_pretrained(folder)
    return folder


def test_a_model_of_inference_reads_the_text_with_each_label(tiny_entailment: Path) -> None:
    book = codebook_of({"good": "", "bad": "the story is awful"})
    tokenizer = AutoTokenizer.from_pretrained(tiny_entailment)
    model = AutoModelForSequenceClassification.from_pretrained(tiny_entailment).eval()
    said = ["This text is about good.", "the story is awful"]

    def entails(text: str) -> list[float]:
        with torch.no_grad():
            pairs = [model(**tokenizer(text, other, return_tensors="pt")).logits[0] for other in said]
        return [float(logits.log_softmax(-1)[2]) for logits in pairs]

    found = zero_shot(TEXTS, book, base=str(tiny_entailment), reader=ReaderSettings(name="entailment"))
    np.testing.assert_allclose(found, _softmax([entails(text) for text in TEXTS]), atol=1e-5)


def test_a_model_that_knows_no_entailment_is_refused(tiny_base: Path, tmp_path: Path) -> None:
    names = {0: "negative", 1: "positive"}
    AutoModelForSequenceClassification.from_pretrained(tiny_base, id2label=names).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(tiny_base).save_pretrained(tmp_path)
    with pytest.raises(RunError, match=r"answers with negative, positive.*hint: reader.name=embedding"):
        zero_shot("good", ["a", "b"], base=str(tmp_path), reader=ReaderSettings(name="entailment"))
    with pytest.raises(ConfigError, match="has no base of its own; hint: name one"):
        zero_shot("good", ["a", "b"], reader=ReaderSettings(name="entailment"))


def test_what_a_reader_took_from_the_words_is_restored(tiny_base: Path) -> None:
    model, tokenizer = AutoModel.from_pretrained(tiny_base).eval(), AutoTokenizer.from_pretrained(tiny_base)
    settings, book = ReaderSettings(prior="empty"), codebook_of(["good", "bad"])
    first = read_words(model, tokenizer, book, settings)
    again = restore(model, tokenizer, book, settings, own_weights(first))
    ids = torch.tensor([[2, 9, 3]])
    before, after = (module(ids, torch.ones_like(ids)).logits for module in (first, again))
    assert torch.equal(before, after)
    with pytest.raises(RunError, match=r"expected .*; hint: restore the run from a copy"):
        restore(model, tokenizer, codebook_of(["a", "b", "c"]), settings, own_weights(first))


def test_labels_without_a_codebook_and_one_text_are_enough(tiny_base: Path) -> None:
    found = zero_shot("a good film", ["good", "bad"], base=str(tiny_base))
    assert found.shape == (1, 2)
    assert found.sum() == pytest.approx(1)
    classifier = zero_shot_classifier(["good", "bad"], base=str(tiny_base))
    assert list(classifier.predict("a good film")[0].probabilities) == ["good", "bad"]
    with pytest.raises(ConfigError, match="labels: found the text 'good'"):
        zero_shot("a", "good", base=str(tiny_base))
