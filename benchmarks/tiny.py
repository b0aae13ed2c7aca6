"""A completed run with a tiny model of random weights.

Its answers are random. It is fast, so a benchmark measures what everything around the model costs.
"""

from __future__ import annotations

import random
from pathlib import Path

WORDS = tuple(
    first + last
    for first in ("ba", "de", "fi", "go", "lu", "ma", "ne", "so")
    for last in ("ck", "lm", "nd", "rt", "st", "x")
)
"""The words of its texts; each is a token."""
LABELS = ("negative", "neutral", "positive")
HIDDEN = 32


def tiny_run(folder: Path, *, seed: int = 1) -> Path:
    """Write the run and, in the folder `base` next to it, its base; return the folder of the run."""
    from nlpkit.models.bases import find_base
    from nlpkit.models.lora import add_lora, save_adapter
    from nlpkit.models.pretrained import load_classifier, load_tokenizer
    from nlpkit.run import Run, now, versions
    from nlpkit.run_record import RunRecord
    from nlpkit.settings.training import Lora
    from nlpkit.tasks.polarity import Polarity

    _write_base(folder / "base", seed)
    base, identity = find_base(str(folder / "base"))
    task = Polarity(labels=LABELS)
    model = add_lora(load_classifier(base, head=task.head), Lora(rank=2, alpha=4))
    run = Run.create(folder / "run", config="recipe: sentiment\n")
    save_adapter(model, run.adapter, base=identity.source, initial=None)
    load_tokenizer(base).save_pretrained(run.tokenizer)
    run.finish(
        RunRecord(
            name="tiny",
            recipe="sentiment",
            created=now(),
            task=task.model_dump(mode="json"),
            base=identity,
            outputs=task.head.outputs,
            max_tokens=64,
            seed=seed,
            data={},
            cost={},
            versions=versions(),
        )
    )
    return run.path


def tiny_texts(count: int, *, seed: int) -> list[str]:
    """Return texts of 3 to 12 words, nearly all different."""
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=draw.randint(3, 12))) for _ in range(count)]


def _write_base(folder: Path, seed: int) -> None:
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    from nlpkit.models.pretrained import quiet

    folder.mkdir(parents=True)
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=HIDDEN, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=4 * HIDDEN, max_position_embeddings=64, pad_token_id=0,
    )  # fmt: skip
    with quiet():
        BertModel(config).save_pretrained(folder)
        BertTokenizerFast(vocab=str(folder / "vocab.txt"), model_max_length=64).save_pretrained(folder)


if __name__ == "__main__":
    import sys

    print(tiny_run(Path(sys.argv[1])))
