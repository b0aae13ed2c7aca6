from __future__ import annotations

import pytest

from nlpkit.classifiers.first_token import READ_FIRST, first_token_only


def tiny(kind: str):
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification

    torch.manual_seed(3)
    config = AutoConfig.for_model(
        kind, vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=40, num_labels=3,
    )  # fmt: skip
    if kind == "electra":
        config.embedding_size = 16
    return AutoModelForSequenceClassification.from_config(config).eval()


def batch():
    import torch

    ids = torch.tensor([[2, 7, 8, 9, 3], [2, 11, 3, 1, 1]])
    return {"input_ids": ids, "attention_mask": torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])}


@pytest.mark.parametrize("kind", READ_FIRST)
def test_the_answer_is_the_same(kind):
    import torch

    model = tiny(kind)
    with torch.inference_mode():
        whole = model(**batch()).logits
        cut = first_token_only(model)(**batch()).logits
    assert whole.shape == (2, 3)
    assert torch.allclose(whole, cut, atol=1e-6)


@pytest.mark.parametrize("kind", READ_FIRST)
def test_the_last_layer_computes_one_token(kind):
    model = first_token_only(tiny(kind))
    widths = []
    for layer in model.base_model.encoder.layer:
        layer.intermediate.register_forward_hook(
            lambda module, arguments, output: widths.append(tuple(output.shape[:2]))
        )
    model(**batch())
    assert widths == [(2, 5), (2, 1)]


def test_a_model_of_another_kind_is_left_as_it_is():
    import torch
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    torch.manual_seed(3)
    model = DistilBertForSequenceClassification(
        DistilBertConfig(
            vocab_size=50, dim=16, n_layers=2, n_heads=2, hidden_dim=32, max_position_embeddings=40
        )
    )
    first_token_only(model)
    assert not any(module._forward_hooks for module in model.modules())
