"""Classifiers that add up what each word is worth, so that explanations can be worked out by hand."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nlpkit.classifiers.classifier import Classifier
from nlpkit.classifiers.text_model import TextModel
from nlpkit.classifiers.text_tokenizer import TextTokenizer
from nlpkit.classifiers.torch_runtime import TorchRuntime
from nlpkit.models.pretrained import load_tokenizer
from nlpkit.tasks.task import TextTask

WORTH = {"good": 2.0, "great": 1.0, "fine": 0.5, "bad": -1.5, "awful": -3.0}
"""What each word adds to the last output; the others add nothing."""


class Bag:
    """A runtime whose last output is a constant and what the words add; the others are 0."""

    name, device, workers = "onnx", "cpu", False
    identity: Mapping[str, str] = {}

    def __init__(self, values: np.ndarray, outputs: int, constant: float) -> None:
        self.values, self.outputs, self.constant = values, outputs, constant
        self.texts = 0

    def logits(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        self.texts += len(ids)
        logits = np.zeros((len(ids), self.outputs))
        logits[:, -1] = self.constant + (self.values[ids] * mask).sum(axis=1)
        return logits

    def free(self) -> None: ...
    def single_threaded(self) -> AbstractContextManager[None]:
        return nullcontext()

    def begin(self) -> None: ...


class TorchBag(torch.nn.Module):
    """The same as a model: an embedding of one number for each word; the last output squashed if asked."""

    def __init__(self, values: np.ndarray, outputs: int, constant: float, *, squashed: bool = False) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding.from_pretrained(
            torch.tensor(values)[:, None].float(), freeze=False
        )
        self.outputs, self.constant, self.squashed = outputs, constant, squashed
        self.device = torch.device("cpu")
        self.config = type("Config", (), {"model_type": "bag"})

    def get_input_embeddings(self) -> torch.nn.Module:
        return self.embedding

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        total = self.constant + (self.embedding(input_ids)[..., 0] * attention_mask).sum(dim=1)
        last = torch.tanh(total) if self.squashed else total
        zeros = torch.zeros(len(input_ids), self.outputs - 1)
        return type("Output", (), {"logits": torch.cat([zeros, last[:, None]], dim=1)})


def bag(
    base: Path,
    task: TextTask,
    *,
    constant: float = 0.0,
    window: int = 64,
    in_torch: bool = False,
    squashed: bool = False,
    padding: float = 0.0,
) -> Classifier:
    """Return such a classifier with the tokenizer of a tiny base."""
    tokenizer = load_tokenizer(base)
    values = np.zeros(len(tokenizer))
    for word, worth in WORTH.items():
        values[tokenizer.convert_tokens_to_ids(word)] = worth
    values[tokenizer.pad_token_id] = padding
    outputs = task.head.outputs
    if in_torch:
        runtime: Any = TorchRuntime(TorchBag(values, outputs, constant, squashed=squashed), name="torch")
    else:
        runtime = Bag(values, outputs, constant)
    return Classifier(
        TextModel(runtime, TextTokenizer.of(tokenizer), task, max_tokens=window, threads=1, name="bag")
    )
