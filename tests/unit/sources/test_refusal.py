from __future__ import annotations

import json
import os
import pickle
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest

from nlpkit.errors import RunError
from nlpkit.sources import refuse_pickles

HEADER = b'{"__metadata__":{}}'
SAFE = struct.pack("<Q", len(HEADER)) + HEADER


class Canary:
    """A pickle that makes a file when it is loaded."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("canary",)


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is fine, as the current one's child."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "bert"}')
    (folder / "model.safetensors").write_bytes(SAFE)
    (folder / "vocab.json").write_text('{"auto_map": 1}')
    (folder / "README.md").write_text("words")
    return folder


def refused(folder: Path, file: str, hint: str = "hint:") -> None:
    """Refused with exit code 4, naming the file and a hint, and nothing was run."""
    with pytest.raises(RunError) as caught:
        refuse_pickles(folder)
    assert caught.value.exit_code == 4
    assert file in str(caught.value)
    assert hint in str(caught.value)
    assert not Path("canary").exists()


def test_a_folder_of_safetensors_json_and_text_is_fine(model: Path) -> None:
    refuse_pickles(model)


@pytest.mark.parametrize(
    "name",
    [
        "pytorch_model.bin",
        "adapter_model.bin",
        "weights.pt",
        "w.PTH",
        "model.pkl",
        "a.ckpt",
        "head.joblib",
        "sub/tokenizer.pickle",
    ],
)
def test_a_pickle_is_refused(model: Path, name: str) -> None:
    (model / "model.safetensors").unlink()
    (model / name).parent.mkdir(exist_ok=True)
    (model / name).write_bytes(pickle.dumps(Canary()))
    refused(model, name, "safetensors")


@pytest.mark.parametrize(
    "name", ["training_args.bin", "optimizer.pt", "rng_state.pth", "tokenizer.pkl", "adapter_model.bin"]
)
def test_a_pickle_that_is_no_twin_of_the_weights_is_refused_beside_safetensors_too(
    model: Path, name: str
) -> None:
    (model / name).write_bytes(pickle.dumps(Canary()))
    refused(model, name)


def test_the_pickled_twin_of_safetensors_weights_is_left_alone(model: Path) -> None:
    (model / "pytorch_model.bin").write_bytes(pickle.dumps(Canary()))
    (model / "adapter_model.bin").write_bytes(pickle.dumps(Canary()))
    (model / "adapter_model.safetensors").write_bytes(SAFE)
    refuse_pickles(model)


def test_a_pickle_or_an_archive_renamed_to_safetensors_is_refused(model: Path) -> None:
    for content in (
        pickle.dumps(Canary()),
        b"7z\xbc\xaf\x27\x1c" + bytes(40),
        b"PK\x03\x04" + bytes(40),
        b"",
        struct.pack("<Q", 10**12) + b"{",
        SAFE[:-1],
    ):
        (model / "model.safetensors").write_bytes(content)
        refused(model, "model.safetensors")


def test_an_archive_is_refused(model: Path) -> None:
    with tarfile.open(model / "extra.tar", "w") as made:
        made.add(model / "README.md", arcname="../evil")
    refused(model, "extra.tar")
    (model / "extra.tar").unlink()
    with zipfile.ZipFile(model / "extra.zip", "w") as packed:
        packed.writestr("a", "b")
    refused(model, "extra.zip")


@pytest.mark.parametrize(
    "shard",
    ["../outside.safetensors", "/etc/outside.safetensors", "a/../../b.safetensors", "..\\b.safetensors"],
)
def test_an_index_that_points_outside_is_refused(model: Path, shard: str) -> None:
    (model / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"w": shard}}))
    refused(model, "model.safetensors.index.json", "outside of the model's folder")


@pytest.mark.parametrize(
    ("index", "words"),
    [
        ({"weight_map": {"w": "no.safetensors"}}, "not there"),
        ({"weight_map": {"w": "x.bin"}}, "x.bin"),
        ({}, "weight_map"),
        ([], "weight_map"),
    ],
)
def test_an_index_that_can_not_be_followed_is_refused(model: Path, index: object, words: str) -> None:
    (model / "model.safetensors.index.json").write_text(json.dumps(index))
    refused(model, words)


def test_an_index_of_shards_that_are_there_is_fine(model: Path) -> None:
    (model / "model.safetensors.index.json").write_text('{"weight_map": {"w": "model.safetensors"}}')
    refuse_pickles(model)


def test_a_link_out_of_the_folder_is_refused(model: Path) -> None:
    (model.parent / "secret").write_text("secret")
    (model / "vocab.txt").symlink_to("../secret")
    refused(model, "vocab.txt", "copy")


def test_a_link_inside_the_folder_is_fine_and_a_dangling_one_is_not(model: Path) -> None:
    (model / "other.md").symlink_to("README.md")
    refuse_pickles(model)
    (model / "gone.md").symlink_to("nothing")
    refused(model, "gone.md")


def test_a_link_to_a_folder_outside_is_refused(model: Path) -> None:
    (model.parent / "elsewhere").mkdir()
    (model / "sub").symlink_to("../elsewhere", target_is_directory=True)
    refused(model, "sub")


def test_links_of_the_hubs_cache_to_its_own_blobs_are_fine_and_to_others_are_not(tmp_path: Path) -> None:
    repo, other = tmp_path / "models--a--b", tmp_path / "models--c--d"
    snapshot = repo / "snapshots" / "0123"
    for folder in (snapshot, repo / "blobs", other / "blobs"):
        folder.mkdir(parents=True)
    (repo / "blobs" / "aa").write_bytes(SAFE)
    (other / "blobs" / "bb").write_bytes(SAFE)
    (snapshot / "model.safetensors").symlink_to("../../blobs/aa")
    refuse_pickles(snapshot)
    (snapshot / "extra.safetensors").symlink_to("../../../models--c--d/blobs/bb")
    refused(snapshot, "extra.safetensors")


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.json", {"auto_map": {"AutoModel": "modeling.Model"}}),
        ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["tok.Tok", None]}}),
        ("config.json", {"_attn_implementation_internal": "user/repo"}),
        ("config.json", {"text_config": {"_attn_implementation_internal": "user/repo"}}),
        ("config.json", {"parts": [{"attn_implementation": "user/repo"}]}),
        ("config.json", {"_attn_implementation": "user/repo@main"}),
    ],
)
def test_a_config_that_asks_for_code_is_refused(model: Path, file: str, content: object) -> None:
    (model / file).write_text(json.dumps(content))
    refused(model, file)


@pytest.mark.parametrize(
    "content", [{"auto_map": None}, {"attn_implementation": "eager"}, {"_attn_implementation_internal": None}]
)
def test_a_config_that_asks_for_none_is_fine(model: Path, content: object) -> None:
    (model / "config.json").write_text(json.dumps(content))
    refuse_pickles(model)


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[" * 100_000])
def test_a_config_that_is_not_json_is_refused(model: Path, content: bytes) -> None:
    (model / "config.json").write_bytes(content)
    refused(model, "config.json", "fetch or copy")


def test_a_single_file_is_judged_too(model: Path) -> None:
    (model.parent / "w.bin").write_bytes(pickle.dumps(Canary()))
    refused(model.parent / "w.bin", "w.bin")
