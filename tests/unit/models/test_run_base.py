"""Hostile runs and bases: each is refused at once, before a model is built, in one clear sentence."""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nlpkit.classifiers.loading import load_model
from nlpkit.errors import RunError
from nlpkit.models.run_base import refuse_other_base
from nlpkit.run import Run
from nlpkit.run_record import BaseModelIdentity

DEEP = "[" * 100_000 + "]" * 100_000


FIXTURES = Path(__file__).parents[2] / "legacy" / "fixtures"


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A copy of a run and its base, whose maker also left out the hashes."""
    run, base = tmp_path / "run", tmp_path / "base"
    shutil.copytree(FIXTURES / "runs" / "polarity", run)
    shutil.copytree(FIXTURES / "bases" / "bert", base)
    change(run / "run.json", files={}, base={**read(run / "run.json")["base"], "source": str(base)})
    return run


def read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text()))


def change(path: Path, **fields: Any) -> None:
    path.write_text(json.dumps({**read(path), **fields}))


def refused(run: Path) -> str:
    begun = time.monotonic()
    with pytest.raises(RunError) as caught:
        load_model(Run.open(run))
    assert time.monotonic() - begun < 5
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 4
    return str(caught.value)


def sparse(path: Path, size: int, start: bytes = b"{") -> None:
    """A file that claims this size and takes no space."""
    with path.open("wb") as file:
        file.write(start)
        file.truncate(size)


@pytest.mark.parametrize("part", ["weights_sha256", "tokenizer_sha256"])
def test_other_weights_or_another_tokenizer_are_refused(part: str) -> None:
    base = BaseModelIdentity(source="a", revision=None, weights_sha256="1" * 64, tokenizer_sha256="2" * 64)
    refuse_other_base(Path("run"), base, base)
    with pytest.raises(RunError, match="an adapter on another base gives wrong answers"):
        refuse_other_base(Path("run"), base, base.model_copy(update={part: "3" * 64}))


def test_c8_the_copy_loads_as_it_is(hostile: Path) -> None:
    model, _ = load_model(Run.open(hostile))
    assert model.config.num_labels == 2


@pytest.mark.parametrize(
    ("setting", "value", "found"),
    [
        ("r", 10**8, "a rank of 100000000; the weights have ranks up to"),
        ("r", 0, "a rank of 0"),
        ("r", "8", "a rank of 8"),
        ("rank_pattern", {".*": 10**8}, "a rank of 100000000"),
        ("rank_pattern", ["x"], "a rank of None"),
        ("layer_replication", [[0, 2]] * 10**5, "layer_replication is"),
        ("megatron_config", {"x": 1}, "megatron_config is"),
        ("megatron_core", "antigravity", "megatron_core is antigravity"),
        ("init_lora_weights", "pissa", "init_lora_weights is pissa"),
        ("target_modules", "(a+)+$", "target_modules is no list of names"),
        ("target_modules", None, "target_modules is no list of names"),
        ("target_modules", ["query"], "its config leaves out .* of its weights"),
        ("modules_to_save", "classifier", "modules_to_save is no list"),
        ("peft_type", "IA3", "expected a LoRA adapter"),
    ],
)
def test_c8_adapter_settings_that_nlpkit_never_writes(
    hostile: Path, setting: str, value: object, found: str
) -> None:
    change(hostile / "adapter" / "adapter_config.json", **{setting: value})
    assert re.search(found, refused(hostile))


@pytest.mark.parametrize(
    "name",
    [
        "run.json",
        "adapter/adapter_config.json",
        "tokenizer/tokenizer.json",
        "tokenizer/tokenizer_config.json",
    ],
)
@pytest.mark.parametrize("content", [DEEP, "{}", "null", "\ud800", ""], ids=["deep", "{}", "null", "utf", ""])
def test_c8_json_that_is_deep_or_empty(hostile: Path, name: str, content: str) -> None:
    (hostile / name).write_bytes(content.encode("utf-8", "surrogatepass"))
    if (name, content) == ("tokenizer/tokenizer_config.json", "{}"):
        load_model(Run.open(hostile))
        return
    assert name.split("/")[0] in refused(hostile)


@pytest.mark.parametrize(
    ("name", "size", "start", "found"),
    [
        ("run.json", 17_000_000, b"{", "17,000,000 bytes; expected at most 16,000,000; hint: fetch"),
        ("adapter/adapter_config.json", 10**11, b"{", "expected at most 16,000,000"),
        ("adapter/adapter_model.safetensors", 10**13, b"{", "expected at most 4,000,000,000"),
        (
            "adapter/adapter_model.safetensors",
            10**8,
            struct.pack("<Q", 9 * 10**7) + b"{",
            "a header of 90,000,0",
        ),
        ("tokenizer/tokenizer.json", 10**11, b"{", "expected at most 48,000,000"),
        ("tokenizer/tokenizer.json", 40_000_000, b"{", "as its base has one of"),
        ("tokenizer/vocab.txt", 10**11, b"a", "expected at most 48,000,000"),
        ("tokenizer/chat_template.jinja", 10**11, b"a", "expected at most 16,000,000"),
        ("config.yaml", 10**11, b"a", "expected at most 16,000,000"),
    ],
)
def test_c8_files_too_large_to_be_read(hostile: Path, name: str, size: int, start: bytes, found: str) -> None:
    sparse(hostile / name, size, start)
    message = refused(hostile)
    assert found in message
    assert name in message


@pytest.mark.parametrize(
    "name", ["run.json", "adapter", "tokenizer", "adapter/adapter_model.safetensors", "config.yaml"]
)
def test_c8_a_link_out_of_the_run(hostile: Path, name: str) -> None:
    elsewhere = hostile.parent / "elsewhere"
    (hostile / name).rename(elsewhere)
    (hostile / name).symlink_to(elsewhere)
    assert f"{hostile / name}: is a link to {elsewhere}, outside of {hostile}; hint: put a copy" in refused(
        hostile
    )


def test_c8_a_link_inside_the_run_is_read(hostile: Path) -> None:
    (hostile / "adapter").rename(hostile / "weights")
    (hostile / "adapter").symlink_to("weights")
    load_model(Run.open(hostile))
    (hostile / "tokenizer" / "loop.json").symlink_to("loop.json")
    assert "is a link that leads back to itself" in refused(hostile)


def test_c8_a_pipe_in_place_of_a_file(hostile: Path) -> None:
    for name in ("tokenizer/added_tokens.json", "adapter/adapter_config.json"):
        (hostile / name).unlink(missing_ok=True)
        os.mkfifo(hostile / name)
        assert f"{hostile / name}: is no regular file" in refused(hostile)


@pytest.mark.parametrize(
    "labels", [["bad", "bad"], ["only"], [f"label {number}" for number in range(300_000)], []]
)
def test_c8_labels_that_are_no_head(hostile: Path, labels: list[str]) -> None:
    change(hostile / "run.json", task={**read(hostile / "run.json")["task"], "labels": labels})
    refused(hostile)


def quantized(method: str) -> Callable[[Path], None]:
    return lambda base: change(base / "config.json", quantization_config={"quant_method": method})


@pytest.mark.parametrize(
    "harm",
    [
        quantized("awq"),
        quantized("gptq"),
        lambda base: change(base / "config.json", vocab_size=10**9),
        lambda base: change(base / "config.json", hidden_size=10**7),
        lambda base: change(base / "config.json", hidden_size="big"),
        lambda base: change(base / "config.json", num_attention_heads=0),
        lambda base: change(base / "config.json", num_hidden_layers=10**7),
        lambda base: change(base / "config.json", max_position_embeddings=10**10),
        lambda base: change(base / "config.json", intermediate_size=10**10),
        lambda base: (base / "config.json").write_text(DEEP),
        lambda base: (base / "config.json").write_text("[]"),
    ],
    ids=["awq", "gptq", "vocab", "hidden", "text", "heads", "layers", "positions", "inner", "deep", "[]"],
)
def test_c8_a_base_whose_config_does_not_fit_its_weights(hostile: Path, harm: Callable[[Path], None]) -> None:
    harm(hostile.parent / "base")
    refused(hostile)


def test_c8_a_chat_run_is_checked_as_a_classifier_is(tmp_path: Path) -> None:
    from nlpkit.generation.language_model import read_dialogue_run

    run, base = tmp_path / "run", tmp_path / "base"
    shutil.copytree(FIXTURES / "runs" / "bot", run)
    shutil.copytree(FIXTURES / "bases" / "llama", base)
    change(run / "run.json", files={}, base={**read(run / "run.json")["base"], "source": str(base)})
    assert read_dialogue_run(Run.open(run))[1] == base
    change(run / "adapter" / "adapter_config.json", r=10**8)
    with pytest.raises(RunError, match="a rank of 100000000"):
        read_dialogue_run(Run.open(run))
