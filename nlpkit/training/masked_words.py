"""Masks words of texts, for a model that learns to say what stands there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from zlib import crc32

from nlpkit.training.adaptation_data import Window
from nlpkit.training.objective import Batch


def masker(tokenizer: Any, *, share: float, whole_words: bool, seed: int) -> Callable[[list[Window]], Batch]:
    """Return what masks words of a batch; labels, (batch, time), are READ_ONLY where no token is masked.

    The masks depend on the seed and on which windows share the batch: others in each epoch, whose order
    differs, but the same ones in a training that resumes, and at each evaluation.
    """
    import torch
    from transformers import DataCollatorForLanguageModeling

    masking = DataCollatorForLanguageModeling(
        tokenizer, whole_word_mask=whole_words, mlm_probability=share,
        mask_replace_prob=1.0, random_replace_prob=0.0,
    )  # fmt: skip

    def collate(windows: list[Window]) -> Batch:
        shape = len(windows), max(len(window.input_ids) for window in windows)
        ids, mask = torch.full(shape, tokenizer.pad_token_id), torch.zeros(shape, dtype=torch.long)
        begins, special = torch.zeros_like(mask), torch.ones_like(mask)
        for number, window in enumerate(windows):
            length = len(window.input_ids)
            ids[number, :length], mask[number, :length] = torch.tensor(window.input_ids), 1
            begins[number, :length] = torch.tensor([bool(begin) for begin in window.begins])
            special[number, :length] = torch.tensor([begin is None for begin in window.begins])
        # transformers takes tokens for parts of one word where no character stands between them
        places = 2 * torch.arange(shape[1]).expand(shape)
        offsets = torch.stack([places - 1 + begins, places + 1], dim=-1)
        which = repr((seed, [(window.text, window.start) for window in windows]))
        masking.generator = torch.Generator().manual_seed(crc32(which.encode()))
        ids, labels = masking.torch_mask_tokens(ids, special_tokens_mask=special, offset_mapping=offsets)
        return {"input_ids": ids, "attention_mask": mask, "labels": labels}

    return collate
