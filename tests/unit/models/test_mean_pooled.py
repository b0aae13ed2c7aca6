"""A head on the mean of all tokens: what it reads, and that padding changes nothing."""

from __future__ import annotations

from pathlib import Path

import torch

from nlpkit.models.mean_pooled import MeanPooled
from nlpkit.models.pretrained import load_body, load_classifier
from nlpkit.tasks.polarity import Polarity

IDS = torch.tensor([[2, 18, 25, 3], [2, 11, 3, 0]])
MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])


def test_the_head_reads_the_mean_of_the_tokens_that_are_no_padding(tiny_base: Path) -> None:
    head = Polarity(labels=("negative", "positive")).head
    model = load_classifier(tiny_base, head=head, mean_pooled=True).eval()
    assert isinstance(model, MeanPooled)
    assert model.config.id2label == {0: "negative", 1: "positive"}
    with torch.no_grad():
        states = load_body(tiny_base).eval()(input_ids=IDS, attention_mask=MASK).last_hidden_state
        means = torch.stack([states[0].mean(0), states[1, :3].mean(0)])
        units = means / means.pow(2).sum(1, keepdim=True).sqrt()
        expected = units @ model.classifier.weight.T + model.classifier.bias
        found = model(input_ids=IDS, attention_mask=MASK).logits
        alone = model(input_ids=IDS[1:, :3], attention_mask=MASK[1:, :3]).logits
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(found[1:], alone)
