"""Labels by likelihood: how much likelier a language model finds a label after the text than after none."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from transformers import DynamicCache
from transformers.modeling_outputs import SequenceClassifierOutput

from nlpkit.data.codebook import Codebook, LabelWords
from nlpkit.tasks.encoding import Frame, token_ids

QUESTION = "Which label fits the text?"
ANSWER = "\nAnswer:"

BUDGET = 4096
"""Tokens a batch, those of the prompt included."""

POSITIONS = 512
"""Places of a batch at which the whole vocabulary is scored."""


class LikelihoodReader(nn.Module):
    """A causal language model that is asked which label fits, once for each order of the labels."""

    label_bias: torch.Tensor

    def __init__(self, model: Any, tokenizer: Any, codebook: Codebook, *, orders: int) -> None:
        super().__init__()
        self.model = model
        self.config: Any = model.config
        self._frame = Frame.of(tokenizer)
        prompts = [_prompt(codebook, order) for order in label_orders(len(codebook.labels), orders)]
        self._prompts = [[*self._frame.before, *ids] for ids in token_ids(tokenizer, prompts)]
        self._suffix = token_ids(tokenizer, [ANSWER])[0]
        self._labels = _label_ids(tokenizer, codebook.labels)
        self._lock = threading.Lock()
        self._cached: dict[tuple[Any, ...], list[tuple[torch.Tensor, torch.Tensor]]] = {}
        self.register_buffer("label_bias", torch.zeros(len(codebook.labels)))

    @property
    def overhead(self) -> int:
        """The tokens that stand around a text, those of a label included."""
        return max(map(len, self._prompts)) + len(self._suffix) + max(map(len, self._labels))

    def take_words(self) -> None:
        """Do nothing: the words stand in the prompt."""

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> SequenceClassifierOutput:
        """Return the log-likelihood of each label, (batch, labels): means over the orders plus the bias."""
        before, after = len(self._frame.before), len(self._frame.after)
        texts = [
            ids[mask.bool()].tolist()[before : int(mask.sum()) - after]
            for ids, mask in zip(input_ids, attention_mask, strict=True)
        ]
        kept = 1 + sum(len(label) - 1 for label in self._labels)
        longest = max(map(len, texts)) + len(self._suffix) + kept
        size = max(1, min(BUDGET // (len(self._prompts[0]) + longest), POSITIONS // kept))
        rows = [self._score(texts[start : start + size]) for start in range(0, len(texts), size)]
        return SequenceClassifierOutput(logits=torch.cat(rows) + self.label_bias.float())

    def _score(self, texts: Sequence[list[int]]) -> torch.Tensor:
        scores = [self._log_likelihoods(texts, number) for number in range(len(self._prompts))]
        return torch.stack(scores).mean(0)

    def _log_likelihoods(self, texts: Sequence[list[int]], number: int) -> torch.Tensor:
        """Score every label in one pass: all stand behind the text, and none sees another.

        A row is the prompt, which is cached, the padded text, the suffix, and each label but its last token.
        """
        device = self.label_bias.device
        prompt, suffix = len(self._prompts[number]), len(self._suffix)
        width = max(map(len, texts))
        tails = [label[:-1] for label in self._labels]
        flat = [token for tail in tails for token in tail]
        ids = torch.zeros(len(texts), width + suffix + len(flat), dtype=torch.long)
        real = torch.ones_like(ids, dtype=torch.bool)
        positions = torch.empty_like(ids)
        for row, text in enumerate(texts):
            ids[row] = torch.tensor([*text, *[0] * (width - len(text)), *self._suffix, *flat])
            real[row, len(text) : width] = False
            end = prompt + len(text) + suffix
            steps = [end + step for tail in tails for step in range(len(tail))]
            positions[row] = torch.tensor(
                [*range(prompt, prompt + width), *range(prompt + len(text), end), *steps]
            )
        visible = _visible(width + suffix, tails)[None] & real[:, None, :]
        seen = torch.cat([visible.new_ones(*visible.shape[:2], prompt), visible], dim=2)[:, None]
        dtype = self.model.get_input_embeddings().weight.dtype
        mask = torch.zeros(seen.shape, dtype=dtype).masked_fill(~seen, torch.finfo(dtype).min)
        last = width + suffix - 1
        output = self.model(
            input_ids=ids.to(device),
            attention_mask=mask.to(device),
            position_ids=positions.to(device),
            past_key_values=self._prompt_cache(number, len(texts)),
            logits_to_keep=torch.arange(last, ids.shape[1], device=device),
        )
        return self._sums(output.logits.float().log_softmax(-1))

    def _sums(self, log_probabilities: torch.Tensor) -> torch.Tensor:
        """Add up the log probabilities of each label's tokens: the first is read at the suffix's end."""
        places, tokens, owners, start = [], [], [], 1
        for owner, label in enumerate(self._labels):
            places += [0, *range(start, start + len(label) - 1)]
            tokens += label
            owners += [owner] * len(label)
            start += len(label) - 1
        each = log_probabilities[:, places, tokens]
        sums = each.new_zeros(len(each), len(self._labels))
        return sums.index_add(1, torch.tensor(owners, device=each.device), each)

    def _prompt_cache(self, number: int, rows: int) -> DynamicCache:
        """Return a cache that holds the prompt for so many rows; it is computed once."""
        weight = self.model.get_input_embeddings().weight
        key = (number, weight.device, weight.dtype)
        with self._lock:
            if key not in self._cached:
                ids = torch.tensor([self._prompts[number]], device=weight.device)
                filled = self.model(input_ids=ids, past_key_values=DynamicCache(), use_cache=True)
                layers = filled.past_key_values.layers
                self._cached[key] = [(layer.keys, layer.values) for layer in layers]
        cache = DynamicCache()
        for layer, (keys, values) in enumerate(self._cached[key]):
            cache.update(keys.expand(rows, -1, -1, -1), values.expand(rows, -1, -1, -1), layer)
        return cache


def label_orders(labels: int, count: int) -> list[list[int]]:
    """Return so many orders of the labels: as given, reversed, then shuffled; the same on every call."""
    orders = [list(range(labels)), list(reversed(range(labels)))]
    draw = random.Random(0)  # noqa: S311
    orders += [draw.sample(range(labels), labels) for _ in range(count - 2)]
    return orders[:count]


def _prompt(codebook: Codebook, order: Sequence[int]) -> str:
    entries = [codebook.labels[index] for index in order]
    named = [f"- {entry.spoken}{f': {entry.description}' if entry.description else ''}" for entry in entries]
    most = max(len(entry.examples) for entry in entries)
    shots = [
        f"\n\nText:\n{entry.examples[number]}{ANSWER} {entry.spoken}"
        for number in range(most)
        for entry in entries
        if number < len(entry.examples)
    ]
    return "\n".join([codebook.question or QUESTION, *named]) + "".join(shots) + "\n\nText:\n"


def _label_ids(tokenizer: Any, labels: Sequence[LabelWords]) -> list[list[int]]:
    """Return the tokens of each label; where one begins as another does, all end with a line break."""
    ids = token_ids(tokenizer, [f" {entry.spoken}" for entry in labels])
    ordered = sorted(ids)
    if any(after[: len(before)] == before for before, after in itertools.pairwise(ordered)):
        ids = token_ids(tokenizer, [f" {entry.spoken}\n" for entry in labels])
    return ids


def _visible(before: int, tails: Sequence[list[int]]) -> torch.Tensor:
    """Return which place, (query, key), sees which: a label's tokens see the text and their own label."""
    size = before + sum(map(len, tails))
    visible = torch.zeros(size, size, dtype=torch.bool)
    visible[:before, :before] = torch.ones(before, before, dtype=torch.bool).tril()
    visible[before:, :before] = True
    start = before
    for tail in tails:
        end = start + len(tail)
        visible[start:end, start:end] = torch.ones(len(tail), len(tail), dtype=torch.bool).tril()
        start = end
    return visible
