import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from nlpkit.errors import ConfigError, RunError
from nlpkit.models.bases import find_base
from nlpkit.models.lora import add_lora, load_adapter, save_adapter
from nlpkit.models.pretrained import load_classifier, load_tokenizer, window_of
from nlpkit.settings.training import Lora
from nlpkit.tasks.answers.family import Head
from nlpkit.tasks.polarity import Polarity
from tests.conftest import make_base

HEAD = Head(names=("negative", "positive"), problem="single_label_classification")
IDS = torch.tensor([[2, 5, 9, 11, 3], [2, 7, 6, 8, 3]])


def plain(folder: Path, head: Head = HEAD):
    torch.manual_seed(3)
    return load_classifier(folder, head=head)


def disturbed(model):
    """As if trained: every trainable weight moved, so that a lost one shows."""
    torch.manual_seed(5)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn_like(weight) * 0.1)
    return model.eval()


@pytest.fixture
def adapter(tiny_base: Path, tmp_path: Path) -> Path:
    model = disturbed(add_lora(plain(tiny_base), Lora(rank=4)))
    save_adapter(model, tmp_path / "adapter", base="minilm-l6", initial=None)
    return tmp_path / "adapter"


@pytest.mark.parametrize(
    "lora",
    [
        Lora(rank=4),
        Lora(rank=4, rslora=True),
        Lora(rank=4, dora=True),
        Lora(rank=2, targets=("query", "value")),
        Lora(rank=4, targets="dense"),
    ],
    ids=["plain", "rslora", "dora", "targets", "one-target"],
)
def test_adapter_and_head_come_back_as_they_were(tiny_base: Path, tmp_path: Path, lora: Lora) -> None:
    model = disturbed(add_lora(plain(tiny_base), lora))
    save_adapter(model, tmp_path / "a", base="x", initial=None)
    torch.manual_seed(99)  # a head drawn anew would differ
    back = load_adapter(load_classifier(tiny_base, head=HEAD), tmp_path / "a")
    with torch.inference_mode():
        assert torch.allclose(model(IDS).logits, back(IDS).logits, atol=1e-5)
    assert sorted(one.name for one in (tmp_path / "a").iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]


def test_pissa_is_saved_as_plain_lora_for_the_plain_base(tiny_base: Path, tmp_path: Path) -> None:
    from nlpkit.run import Run
    from nlpkit.training.loaded_base import save_initial

    lora = Lora(rank=4, init="pissa")
    model = add_lora(plain(tiny_base), lora)
    initial = save_initial(model, Run.create(tmp_path / "run", config=""), lora)
    disturbed(model)
    save_adapter(model, tmp_path / "a", base="x", initial=initial)
    back = load_adapter(load_classifier(tiny_base, head=HEAD), tmp_path / "a")
    with torch.inference_mode():
        assert torch.allclose(model(IDS).logits, back(IDS).logits, atol=1e-5)


def test_targets_that_name_no_layer_are_refused(tiny_base: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"names no linear layer of this model; known: dense, key, query, value, all-linear"
    ):
        add_lora(plain(tiny_base), Lora(targets=("q_proj",)))


@pytest.mark.filterwarnings("ignore::FutureWarning")  # PEFT asks transformers by an old name
def test_plain_peft_reads_what_was_saved(tiny_base: Path, adapter: Path) -> None:
    from peft import PeftModel

    theirs = PeftModel.from_pretrained(plain(tiny_base), adapter).eval()
    ours = load_adapter(plain(tiny_base), adapter)
    with torch.inference_mode():
        assert torch.allclose(theirs(IDS).logits, ours(IDS).logits, atol=1e-5)


def test_an_adapter_on_a_base_that_it_does_not_fit_is_refused(adapter: Path, tmp_path: Path) -> None:
    bases = {
        "hidden": make_base(tmp_path / "hidden", hidden=32),
        "layers": make_base(tmp_path / "layers", layers=1),
    }
    for folder in bases.values():
        with pytest.raises(RunError, match="the adapter does not fit this base") as caught:
            load_adapter(plain(folder), adapter)
        assert caught.value.exit_code == 4


def test_an_adapter_for_other_labels_is_refused(tiny_base: Path, adapter: Path) -> None:
    with pytest.raises(RunError, match=r"classifier.* does not fit|does not fit this base: classifier"):
        load_adapter(plain(tiny_base, Polarity(labels=("a", "b", "c")).head), adapter)


def test_a_lost_head_is_refused(tiny_base: Path, adapter: Path) -> None:
    path = adapter / "adapter_model.safetensors"
    weights = load_file(path)
    save_file({key: weight for key, weight in weights.items() if "classifier" not in key}, path)
    with pytest.raises(RunError, match=r"lacks .*classifier"):
        load_adapter(plain(tiny_base), adapter)


def test_pickled_weights_are_refused(tiny_base: Path, adapter: Path) -> None:
    torch.save({}, adapter / "adapter_model.bin")
    (adapter / "adapter_model.safetensors").unlink()
    with pytest.raises(RunError, match=r"only adapter_model.bin: pickled weights are refused"):
        load_adapter(plain(tiny_base), adapter)


@pytest.mark.parametrize("damage", ["empty", "text", "truncated", "config", "other"])
def test_a_damaged_adapter_is_refused(tiny_base: Path, adapter: Path, damage: str) -> None:
    path = adapter / "adapter_model.safetensors"
    if damage == "empty":
        path.write_bytes(b"")
    elif damage == "text":
        path.write_text("hello " * 10)
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "config":
        (adapter / "adapter_config.json").write_text("{")
    else:
        (adapter / "adapter_config.json").write_text(json.dumps({"peft_type": "IA3"}))
    with pytest.raises(RunError, match=r"damaged adapter|expected a LoRA adapter"):
        load_adapter(plain(tiny_base), adapter)


def test_a_base_says_who_it_is_and_pickles_are_refused(tiny_base: Path, tmp_path: Path) -> None:
    folder, identity = find_base(str(tiny_base))
    assert len(identity.weights_sha256) == 64
    other = find_base(str(make_base(tmp_path / "other", seed=1)))[1]
    assert other.weights_sha256 != identity.weights_sha256
    assert other.tokenizer_sha256 == identity.tokenizer_sha256
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / "model.safetensors").unlink()
    torch.save({}, copy / "pytorch_model.bin")
    with pytest.raises(RunError, match=r"pytorch_model.bin"):
        find_base(str(copy))


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"config.json"):
        find_base(str(tmp_path))


def test_the_window_is_the_smaller_of_model_and_tokenizer(tmp_path: Path) -> None:
    folder = make_base(tmp_path, window=48)
    assert window_of(folder, load_tokenizer(folder)) == 48
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 32}))
    assert window_of(folder, load_tokenizer(folder)) == 32
