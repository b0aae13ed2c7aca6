"""What tests share: a tiny model made on the spot, and a small data set that it can learn."""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

WORDS = [
    "good",
    "great",
    "lovely",
    "fine",
    "bad",
    "awful",
    "poor",
    "sad",
    "the",
    "a",
    "film",
    "food",
    "was",
    "is",
    "very",
    "not",
]
WORDS += ["at", "all", "and", "but", "this", "that", "place", "story"]


def pytest_configure(config: pytest.Config) -> None:
    # No test may ask a hub; children inherit it.
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    # A shell makes background jobs ignore Ctrl-C, and with them the programs that tests start and interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Give each module a cache with the fetched sources of the machine and no exports of others."""
    from nlpkit.sources import cache_folder

    machine, own = cache_folder(), tmp_path_factory.mktemp("cache")
    for manifest in machine.glob("*/manifest.json"):
        (own / manifest.parent.name).symlink_to(manifest.parent, target_is_directory=True)
    with patch.dict(os.environ, {"NLPKIT_CACHE": str(own)}):
        yield
    for manifest in own.glob("*/manifest.json"):  # fetched just now: kept for the next module
        fetched, draft = manifest.parent, machine / f".{manifest.parent.name}.{os.getpid()}"
        if not fetched.is_symlink():
            machine.mkdir(parents=True, exist_ok=True)
            shutil.move(fetched, draft)  # from another disk, perhaps
            try:
                draft.rename(machine / fetched.name)
            except OSError:  # another process of the tests was sooner
                shutil.rmtree(draft)


TRAINING = {
    "integration",
    "reliability",
    "training",
    "tasks",
    "labeling",
    "federated",
    "classifiers",
    "search",
}
"""Folders of tests that train much, and look at no picture of the reports."""

PICTURES: dict[tuple[str, int], str] = {}
"""The first picture of each kind of plot in this process."""


@pytest.fixture(scope="module", autouse=True)
def pictures(request: pytest.FixtureRequest) -> Iterator[None]:
    """Where tests train much, draw the first plot of each kind alone: plots are half of a tiny training."""
    if request.path.parent.name not in TRAINING:
        yield
        return
    from nlpkit.reports import plots

    draw = plots.draw

    def drawn(plot: plots.Plot) -> str:
        kind = (plot.id, len(plot.panels))
        if kind not in PICTURES:
            PICTURES[kind] = draw(plot)
        return PICTURES[kind]

    with patch("nlpkit.reports.plots.draw", drawn):
        yield


def make_base(
    folder: Path,
    *,
    hidden: int = 16,
    layers: int = 2,
    seed: int = 0,
    words: list[str] | None = None,
    window: int = 64,
    masks: bool = False,
    head: bool = False,
) -> Path:
    """A BERT of a few thousand random weights with a WordPiece tokenizer, saved as transformers saves it.

    `masks`: with a mask token; `head`: with a head for masked words, and without a pooler.
    """
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertForMaskedLM, BertModel, PreTrainedTokenizerFast

    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    vocabulary = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        *(["[MASK]"] if masks else []),
        *(words or WORDS),
        *letters,
        *".,!?'",
        *(f"##{one}" for one in letters),
    ]
    tokens = {token: place for place, token in enumerate(dict.fromkeys(vocabulary))}
    tokenizer = Tokenizer(models.WordPiece(tokens, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]" if masks else None,
        model_max_length=window,
    ).save_pretrained(folder)
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(tokens), hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=2,
        intermediate_size=2 * hidden, max_position_embeddings=window, pad_token_id=0, initializer_range=0.2,
    )  # fmt: skip
    (BertForMaskedLM if head else BertModel)(config).save_pretrained(folder)
    return folder


def sentences(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """Texts whose sentiment is in one word: (text, label), half of each, none twice."""
    draw = random.Random(seed)
    found: dict[str, str] = {}
    while len(found) < count:
        label = ("negative", "positive")[len(found) % 2]
        word = draw.choice(
            ("bad", "awful", "poor", "sad") if label == "negative" else ("good", "great", "lovely", "fine")
        )
        around = ("the", "a", "this", "that", "film", "food", "place", "story", "was", "is", "very")
        filler = [draw.choice(around) for _ in range(draw.randint(4, 9))]
        filler.insert(draw.randrange(len(filler)), word)
        found.setdefault(" ".join(filler), label)
    return list(found.items())


def write_csv(path: Path, rows: list[tuple[str, str]], header: tuple[str, str] = ("text", "label")) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([header, *rows])
    return path


@pytest.fixture
def on_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], bool]:
    """Whether all of a file's bytes are on the disk: flushed since it was last written."""
    flushed: dict[int, tuple[int, int]] = {}
    real = os.fsync

    def state(found: os.stat_result) -> tuple[int, int]:
        return found.st_size, found.st_mtime_ns

    def fsync(number: int) -> None:
        real(number)
        found = os.fstat(number)
        flushed[found.st_ino] = state(found)

    def is_on_disk(path: Path) -> bool:
        found = path.stat()
        return flushed.get(found.st_ino) == state(found)

    monkeypatch.setattr(os, "fsync", fsync)
    return is_on_disk


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
base: {{source: {base}, dropout: 0.02}}
lora: {{rank: 4, alpha: 16, dropout: 0.02}}
training: {{epochs: 10, batch_size: 16, lr: 0.01, evaluations: 4}}
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
    """A completed run: the tiny model trained on the toy sentences."""
    return train_toy(toy_config)[0]


def train_toy(
    config: Path, *overrides: str, check: bool = False, overwrite: bool = False, said: list[str] | None = None
) -> list[Path]:
    from nlpkit.evaluation.instruments import Instruments
    from nlpkit.training.train import train_seeds

    talk = [].append if said is None else said.append

    # The real encoder and sentiment model would be fetched where they are not cached
    none = Instruments(embed="not measured: a test", negative="not measured: a test")
    with patch("nlpkit.evaluation.measure_dialogue.load_instruments", return_value=none):
        runs = train_seeds(config, given=overrides, check=check, overwrite=overwrite, talk=talk)
    return [run.path for run in runs]


CASCADE = """
recipe: cascade
name: both
fast: {fast}
slow: {slow}
data: {{validation: [{{source: {data}}}]}}
loses: 0.1
output: {output}
"""


def make_cascade(folder: Path, toy_config: Path, toy_run: Path, toy_csv: Path) -> Path:
    """A cascade whose slow run is the toy run; the fast one has one layer and has learned for a few steps."""
    short = (f"base.source={make_base(folder / 'base')}", "base.layers=1", "training.max_steps=12")
    fast = train_toy(toy_config, f"output={folder}", "name=small", *short)[0]
    config = folder / "cascade.yaml"
    config.write_text(CASCADE.format(fast=fast, slow=toy_run, data=toy_csv, output=folder))
    made = train_toy(config)[0]
    shutil.rmtree(fast)  # the cascade holds copies
    return made


CHATML = (
    "{% for message in messages %}"
    "<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""The format of SmolLM2, Qwen and others."""


def make_chat_base(
    folder: Path, *, seed: int = 0, window: int = 256, template: str | None = CHATML, hidden: int = 32
) -> Path:  # fmt: skip
    """A Llama of a few thousand random weights that reads bytes and speaks ChatML."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE({one: place for place, one in enumerate(tokens)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=["<|im_start|>"],
        chat_template=template,
        model_max_length=window,
    ).save_pretrained(folder)
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokens),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=window,
        bos_token_id=None,
        eos_token_id=2,
        pad_token_id=0,
        initializer_range=0.1,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def chats(count: int, seed: int = 0) -> list[dict[str, object]]:
    """Rows of `messages` in which the chat model names what the user asked it to think of before."""
    draw = random.Random(seed)
    things = ["tea", "rain", "song", "road", "moon", "cake", "bird", "lamp", "ship", "tree", "door", "hill"]
    rows: list[dict[str, object]] = []
    for number in range(count):
        one, other = draw.sample(things, 2)
        said = [
            f"think of {one}",
            f"{one} it is",
            f"no, of {other}",
            f"then {other}",
            "which?",
            f"{other}, not {one}",
        ]
        messages = [
            {"role": ("user", "assistant")[place % 2], "content": text}
            for place, text in enumerate(said[: draw.choice((4, 6))])
        ]
        rows.append({"id": f"chat-{number}", "messages": messages})
    return rows


def write_chats(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny_chat_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_chat_base(tmp_path_factory.mktemp("chat-base"))


CHAT_CONFIG = """
recipe: dialogue
name: toy
data:
  train: [{{source: {data}}}]
  validation: 0.2
  test: 0.2
  near_duplicates: 1.0
base: {{source: {base}, max_tokens: 160}}
lora: {{rank: 8, alpha: 16, dropout: 0.1}}
training: {{epochs: 4, batch_size: 8, lr: 0.02, evaluations: 4}}
evaluation: {{items: 12, generate: 4, candidates: 5}}
output: {output}
"""


@pytest.fixture(scope="session")
def chat_config(tmp_path_factory: pytest.TempPathFactory, tiny_chat_base: Path) -> Path:
    folder = tmp_path_factory.mktemp("chat")
    data = write_chats(folder / "chats.jsonl", chats(120))
    path = folder / "toy.yaml"
    path.write_text(
        CHAT_CONFIG.format(data=data, base=tiny_chat_base, output=folder / "runs"), encoding="utf-8"
    )
    return path


@pytest.fixture(scope="session")
def chat_run(chat_config: Path) -> Path:
    """A completed dialogue run: the tiny model trained on the toy conversations."""
    return train_toy(chat_config)[0]
