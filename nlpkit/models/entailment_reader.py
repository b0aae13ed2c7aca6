"""Labels by entailment: whether a text, as a premise, entails what a label says of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from transformers.modeling_outputs import SequenceClassifierOutput

from nlpkit.data.codebook import Codebook
from nlpkit.errors import RunError
from nlpkit.tasks.encoding import Frame, token_ids

HYPOTHESIS = "This text is about {}."

BUDGET = 2048
"""Tokens a batch of pairs."""


class EntailmentReader(nn.Module):
    """A model of natural language inference that reads each text with each label's hypothesis."""

    label_bias: torch.Tensor

    def __init__(self, model: Any, tokenizer: Any, codebook: Codebook) -> None:
        super().__init__()
        self.model = model
        self.config: Any = model.config
        self._entails = entailment_output(model.config.id2label)
        self._frame, self._pad = Frame.of(tokenizer), tokenizer.pad_token_id
        statements = [entry.description or HYPOTHESIS.format(entry.spoken) for entry in codebook.labels]
        self._hypotheses = token_ids(tokenizer, statements)
        self._middle, self._types = _pair(tokenizer, self._frame)
        self.register_buffer("label_bias", torch.zeros(len(codebook.labels)))

    @property
    def overhead(self) -> int:
        """The tokens of a pair that are not the text's or its frame's."""
        return len(self._middle) + max(map(len, self._hypotheses))

    def take_words(self) -> None:
        """Do nothing: the hypotheses stand next to the text."""

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> SequenceClassifierOutput:
        """Return the log probability of entailment for each label, (batch, labels), plus the bias."""
        before, after = len(self._frame.before), len(self._frame.after)
        pairs = []
        for ids, mask in zip(input_ids, attention_mask, strict=True):
            text = ids[mask.bool()].tolist()[before : int(mask.sum()) - after]
            pairs += [(text, hypothesis) for hypothesis in self._hypotheses]
        longest = max(len(text) + len(hypothesis) for text, hypothesis in pairs) + self._frame.size
        size = max(1, BUDGET // (longest + len(self._middle)))
        scores = [self._score(pairs[start : start + size]) for start in range(0, len(pairs), size)]
        logits = torch.cat(scores).view(len(input_ids), -1) + self.label_bias.float()
        return SequenceClassifierOutput(logits=logits)

    def _score(self, pairs: Sequence[tuple[list[int], list[int]]]) -> torch.Tensor:
        frame, device = self._frame, self.label_bias.device
        first, second = self._types
        rows = []
        for text, hypothesis in pairs:
            left = [*frame.before, *text, *self._middle]
            right = [*hypothesis, *frame.after]
            rows.append((left + right, [first] * len(left) + [second] * len(right)))
        width = max(len(ids) for ids, _ in rows)
        ids = torch.tensor([row + [self._pad] * (width - len(row)) for row, _ in rows], device=device)
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row, _ in rows], device=device)
        inputs = {"input_ids": ids, "attention_mask": mask}
        if second != first:
            inputs["token_type_ids"] = torch.tensor(
                [types + [0] * (width - len(types)) for _, types in rows], device=device
            )
        logits: torch.Tensor = self.model(**inputs).logits.float()
        return logits.log_softmax(-1)[:, self._entails]


def entailment_output(labels: dict[int, str]) -> int:
    """Return which output stands for entailment.

    Raises:
        RunError: none does.
    """
    for index, name in labels.items():
        if str(name).casefold().startswith("entail"):
            return int(index)
    raise RunError(
        f"this model answers with {', '.join(map(str, labels.values()))}; the reader by entailment needs a "
        "model of natural language inference, with an output `entailment`; hint: reader.name=embedding"
    )


def _pair(tokenizer: Any, frame: Frame) -> tuple[list[int], tuple[int, int]]:
    """Return what the tokenizer puts between a premise and a hypothesis, and the token types of the two.

    Raises:
        RunError: it frames a pair otherwise than a single text.
    """
    bare = list(tokenizer("a", add_special_tokens=False)["input_ids"])
    pair = tokenizer("a", "a")
    ids = list(pair["input_ids"])
    start = len(frame.before) + len(bare)
    end = len(ids) - len(frame.after) - len(bare)
    if ids != frame.around([*bare, *ids[start:end], *bare]):
        raise RunError("the tokenizer of this base knows no pairs of texts; hint: reader.name=embedding")
    types = list(pair.get("token_type_ids", [0] * len(ids)))
    return ids[start:end], (types[0], types[-1])
