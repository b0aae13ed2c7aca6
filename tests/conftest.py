"""What tests share: a tiny model made on the spot, and a small data set that it can learn."""

from __future__ import annotations

import csv
import os
import random
from pathlib import Path

import pytest

WORDS = ["good", "great", "lovely", "fine", "bad", "awful", "poor", "sad", "the", "a", "film", "food", "was", "is", "very", "not"]
WORDS += ["at", "all", "and", "but", "this", "that", "place", "story"]


def pytest_configure(config: pytest.Config) -> None:
    # No test may ask a hub; children inherit it.
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"


def make_base(folder: Path, *, hidden: int = 16, layers: int = 2, seed: int = 0, words: list[str] | None = None, window: int = 64) -> Path:
    """A BERT of a few thousand random weights with a WordPiece tokenizer, saved as transformers saves it."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *(words or WORDS), *letters, *".,!?'", *(f"##{one}" for one in letters)]
    tokens = {token: place for place, token in enumerate(dict.fromkeys(vocabulary))}
    tokenizer = Tokenizer(models.WordPiece(tokens, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]", model_max_length=window
    ).save_pretrained(folder)
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(tokens), hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=2,
        intermediate_size=2 * hidden, max_position_embeddings=window, pad_token_id=0, initializer_range=0.2,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    return folder


def sentences(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """Texts whose sentiment is in one word: (text, label), half of each, none twice."""
    draw = random.Random(seed)
    found: dict[str, str] = {}
    while len(found) < count:
        label = ("negative", "positive")[len(found) % 2]
        word = draw.choice(("bad", "awful", "poor", "sad") if label == "negative" else ("good", "great", "lovely", "fine"))
        around = ("the", "a", "this", "that", "film", "food", "place", "story", "was", "is", "very")
        filler = [draw.choice(around) for _ in range(draw.randint(4, 9))]
        filler.insert(draw.randrange(len(filler)), word)
        found.setdefault(" ".join(filler), label)
    return list(found.items())


def write_csv(path: Path, rows: list[tuple[str, str]], header: tuple[str, str] = ("text", "label")) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([header, *rows])
    return path


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="session")
def toy_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(tmp_path_factory.mktemp("data") / "toy.csv", sentences(240))


CONFIG = """
recipe: sentiment
name: toy
task: {{kind: polarity, labels: [negative, positive]}}
data:
  train: [{{source: {data}}}]
  validation: 0.2
  test: 0.2
  near_duplicates: 1.0
base: {{source: {base}, dropout: 0.1}}
lora: {{rank: 4, alpha: 8, dropout: 0.1}}
training: {{epochs: 10, batch_size: 16, lr: 0.02, evaluations: 4}}
output: {output}
"""


@pytest.fixture(scope="session")
def toy_config(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path, toy_csv: Path) -> Path:
    folder = tmp_path_factory.mktemp("toy")
    path = folder / "toy.yaml"
    path.write_text(CONFIG.format(data=toy_csv, base=tiny_base, output=folder / "runs"), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def toy_run(toy_config: Path) -> Path:
    """A whole run: the toy sentences learnt by the tiny model."""
    return train_toy(toy_config)[0]


def train_toy(config: Path, *overrides: str, check: bool = False, overwrite: bool = False, said: list[str] | None = None) -> list[Path]:
    from nlpkit.config import load_config
    from nlpkit.recipes import load_recipe

    recipe = load_recipe("sentiment")
    settings = load_config(config, recipe.Config, overrides)
    talk = [].append if said is None else said.append
    runs = recipe.train(settings, check=check, overwrite=overwrite, talk=talk, progress=lambda step: None)
    return [run.path for run in runs]
