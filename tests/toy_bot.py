"""A tiny chat model that answers one of two words, so that ratings have something to change."""

from __future__ import annotations

import random
from pathlib import Path

from tests.conftest import make_chat_base, train_toy, write_chats

BOT = """
recipe: dialogue
name: toy
data: {{train: [{{source: {data}}}], validation: 0.1, test: 0.1, near_duplicates: 1.0}}
base: {{source: {base}, max_tokens: 64}}
lora: {{rank: 16, alpha: 32, dropout: 0.0}}
training: {{epochs: 8, batch_size: 16, lr: 0.02, evaluations: 2}}
evaluation: {{items: 6, generate: 2, candidates: 3}}
output: {output}
"""


def train_bot(folder: Path) -> Path:
    """A run of a tiny model that answers "thanks" or "never" to everything."""
    draw = random.Random(0)
    said = [(f"hello {number}", draw.choice(["thanks", "never"])) for number in range(240)]
    rows: list[dict[str, object]] = [
        {"messages": [{"role": "user", "content": user}, {"role": "assistant", "content": reply}]}
        for user, reply in said
    ]
    config = folder / "toy.yaml"
    data = write_chats(folder / "chats.jsonl", rows)
    config.write_text(
        BOT.format(data=data, base=make_chat_base(folder / "base"), output=folder / "runs"), encoding="utf-8"
    )
    return train_toy(config)[0]
