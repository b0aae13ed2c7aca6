"""multilingual-e5-small out of its 4-bit file, tried on a small file of the same form."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from nlpkit.models.pretrained import load_tokenizer
from nlpkit.sources.multilingual import multilingual_e5
from nlpkit.tasks.encoding import token_ids

LETTERS = "<>/sunkmapd"
SIZE, INNER, WORDS, POSITIONS = 32, 64, 9 + len(LETTERS), 16
PIECES = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
PIECES += [("\u2581good", -1.0), ("\u2581", -2.0), ("～", -3.0), ("ü", -3.5)]
PIECES += [*((letter, -4.0) for letter in LETTERS), ("<mask>", 0.0)]


def four_bit(rows: int, columns: int) -> bytes:
    """Return blocks of 32 weights: a 16-bit scale of 0.5, then two weights a byte, -8 and 7."""
    block = struct.pack("<e", 0.5) + bytes([0xF0] * 16)
    return block * (rows * columns // 32)


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    text = b"".join(piece.encode() for piece, _ in PIECES)
    starts = np.cumsum([0, *(len(piece.encode()) for piece, _ in PIECES)])
    tensors = {"emb.word": four_bit(WORDS, SIZE), "emb.pos": bytes(4 * POSITIONS * SIZE)}
    tensors |= {"emb.type": bytes(4 * SIZE), "emb.ln.w": bytes(4 * SIZE), "emb.ln.b": bytes(4 * SIZE)}
    shapes = {"q": (SIZE, SIZE), "k": (SIZE, SIZE), "v": (SIZE, SIZE), "ao": (SIZE, SIZE)}
    for name, (rows, columns) in {**shapes, "fi": (INNER, SIZE), "fo": (SIZE, INNER)}.items():
        tensors[f"l0.{name}.w"] = four_bit(rows, columns)
        tensors[f"l0.{name}.b"] = struct.pack("<f", 0.25) * rows
    for name in ("aln", "oln"):
        tensors[f"l0.{name}.w"] = tensors[f"l0.{name}.b"] = struct.pack("<f", 2.0) * SIZE
    head = b"E5S1" + struct.pack("<I7ifi", 1, SIZE, 1, 2, INNER, WORDS, POSITIONS, 1, 1e-12, 32)
    head += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, len(text))
    head += struct.pack(f"<{len(starts)}I", *starts)
    head += struct.pack(f"<{len(PIECES)}f", *(score for _, score in PIECES)) + text
    head += struct.pack("<iI", 0, 0) + struct.pack("<i", len(tensors))
    place = len(head) + sum(2 + len(name) + 1 + 4 + 16 for name in tensors)
    directory = b""
    for name, data in tensors.items():
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", 0, len(data), place, len(data))
        place += len(data)
    path = tmp_path / "packed.bin"
    path.write_bytes(head + directory + b"".join(tensors.values()))
    return path


def test_a_folder_that_transformers_loads_comes_out(packed: Path, tmp_path: Path) -> None:
    from transformers import AutoModel

    folder = tmp_path / "base"
    folder.mkdir()
    multilingual_e5([packed], folder)
    weights = AutoModel.from_pretrained(folder).state_dict()
    word = weights["embeddings.word_embeddings.weight"]
    assert word.shape == (WORDS, SIZE)
    assert word[0].tolist() == [-4.0] * 16 + [3.5] * 16  # (0 - 8) / 2, then (15 - 8) / 2
    assert set(weights["encoder.layer.0.intermediate.dense.bias"].tolist()) == {0.25}
    assert set(weights["encoder.layer.0.output.LayerNorm.weight"].tolist()) == {2.0}
    assert json.loads((folder / "config.json").read_text())["layer_norm_eps"] == 1e-12
    assert not packed.exists()


def test_its_tokenizer_reads_as_the_model_was_trained(packed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "base"
    folder.mkdir()
    multilingual_e5([packed], folder)
    tokenizer = load_tokenizer(folder)
    # composed, wide letters made plain, controls dropped, odd spaces plain, the wide tilde kept
    texts = ["good", "ｇｏｏｄ", "go\x02od", "\u200bgood", "u\u0308", "～"]
    assert token_ids(tokenizer, texts) == [[4], [4], [4], [4], [5, 7], [5, 6]]
    assert tokenizer("good")["input_ids"] == [0, 4, 2]
    # what people write is never a control token
    typed = token_ids(tokenizer, ["<s>", "</s>", "<mask>", "<pad>", "<unk>"])
    letters = ["".join(PIECES[token][0] for token in ids) for ids in typed]
    assert letters == ["\u2581<s>", "\u2581</s>", "\u2581<mask>", "\u2581<pad>", "\u2581<unk>"]
    assert not {0, 1, 2, 3, len(PIECES) - 1} & {token for ids in typed for token in ids}


def test_another_file_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.bin"
    other.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ValueError, match="expected b'E5S1'"):
        multilingual_e5([other], tmp_path)
