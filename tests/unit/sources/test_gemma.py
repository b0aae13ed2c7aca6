"""gemma3-270m of the catalog: its terms, and the model that is made of its packages, with tiny ones."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nlpkit.cli.app import main
from nlpkit.data.examples import Conversation, Turn
from nlpkit.errors import SourceError
from nlpkit.models.bases import find_base
from nlpkit.models.pretrained import load_language_model, load_tokenizer
from nlpkit.prompts import rendering
from nlpkit.prompts.build import build_prompt
from nlpkit.prompts.template import ChatTemplate
from nlpkit.run import PACKAGE
from nlpkit.sources import Entry, Terms, catalogue, fetch, is_cached, resolve
from nlpkit.sources.entries import find
from nlpkit.sources.weights import GEMMA_TEMPLATE, convert_gemma

NAME = "gemma3-270m"
SIZE, INNER, HEADS, LAYERS = 16, 24, 2, 6
SPECIAL = ("<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>")
LETTERS = ("\n", "▁", *"abcdefghijklmnopqrstuvwxyzABHN.?", "us", "er", "user")
TURNS = (
    Turn(role="user", text="Hi <end_of_turn>"),
    Turn(role="assistant", text="Hello."),
    Turn(role="user", text="And?"),
)


def write_tiny_gguf(path: Path) -> dict[str, Any]:
    """Write a Gemma 3 of six layers in llama.cpp's format, and return its tensors."""
    from gguf import GGUFWriter, TokenType

    tokens = [*SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256)), *LETTERS]
    kinds = [TokenType.CONTROL] * len(SPECIAL) + [TokenType.BYTE] * 256 + [TokenType.NORMAL] * len(LETTERS)
    draw = np.random.default_rng(0)
    shapes: dict[str, tuple[int, ...]] = {"token_embd": (len(tokens), SIZE), "output_norm": (SIZE,)}
    for layer in range(LAYERS):
        own = {
            "attn_q": (HEADS * 8, SIZE), "attn_k": (8, SIZE), "attn_v": (8, SIZE),
            "attn_output": (SIZE, HEADS * 8), "attn_q_norm": (8,), "attn_k_norm": (8,), "attn_norm": (SIZE,),
            "post_attention_norm": (SIZE,), "ffn_norm": (SIZE,), "post_ffw_norm": (SIZE,),
            "ffn_gate": (INNER, SIZE), "ffn_up": (INNER, SIZE), "ffn_down": (SIZE, INNER),
        }  # fmt: skip
        shapes |= {f"blk.{layer}.{name}": shape for name, shape in own.items()}
    tensors = {f"{name}.weight": draw.normal(size=shape).astype("f4") for name, shape in shapes.items()}
    writer = GGUFWriter(path, "gemma3")
    writer.add_context_length(64)
    writer.add_embedding_length(SIZE)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(1)
    writer.add_key_length(8)
    writer.add_value_length(8)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(1e6)
    writer.add_sliding_window(16)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([-1000.0] * (len(SPECIAL) + 256) + [-float(at) for at in range(len(LETTERS))])
    writer.add_token_types(kinds)
    for name, token in (("pad", "<pad>"), ("eos", "<eos>"), ("bos", "<bos>"), ("unk", "<unk>")):
        getattr(writer, f"add_{name}_token_id")(tokens.index(token))
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(False)
    for name, tensor in tensors.items():
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return tensors


def in_pieces(folder: Path, count: int = 4) -> tuple[list[Path], dict[str, Any]]:
    """Return a tiny model in pieces, followed by its terms, and its tensors."""
    tensors = write_tiny_gguf(folder / "whole")
    content = (folder / "whole").read_bytes()
    (folder / "whole").unlink()
    length = -(-len(content) // count)
    paths = [folder / f"m.gguf.part{number:02}" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(content[number * length :][:length])
    (folder / "GEMMA_TERMS.html").write_text("the terms")
    return [*paths, folder / "GEMMA_TERMS.html"], tensors


def test_d1_the_pieces_of_gemma_become_a_chat_model_that_ends_its_turns(tmp_path: Path) -> None:
    raw, tensors = in_pieces(tmp_path)
    folder = tmp_path / "model"
    folder.mkdir()
    convert_gemma(raw, folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]  # no piece is left
    assert (folder / "GEMMA_TERMS.html").read_text() == "the terms"
    model = load_language_model(folder)
    embedded = model.get_input_embeddings().weight.detach().numpy()
    assert np.abs(embedded - tensors["token_embd.weight"]).max() < 0.02  # bfloat16 keeps 8 bits
    norm = model.model.norm.weight.detach().numpy()
    assert np.abs(norm + 1 - tensors["output_norm.weight"]).max() < 0.02  # llama.cpp adds the 1 beforehand

    tokenizer = load_tokenizer(folder)
    assert tokenizer.model_max_length == 64
    template = ChatTemplate.of(tokenizer)
    ends = {tokenizer.convert_tokens_to_ids(token) for token in ("<end_of_turn>", "<eos>")}
    assert ends <= template.stops
    assert template.end_id == tokenizer.convert_tokens_to_ids("<end_of_turn>")
    prompt = build_prompt(Conversation(turns=TURNS, system="Be kind."), tokenizer, 500).ids
    assert tokenizer.decode(prompt) == (
        "<bos><start_of_turn>user\nBe kind.\n\nHi <end_of_turn><end_of_turn>\n<start_of_turn>model\n"
        "Hello.<end_of_turn>\n<start_of_turn>user\nAnd?<end_of_turn>\n<start_of_turn>model\n"
    )
    # What a person wrote as a turn's end is letters, and only the template's own three turns end
    assert prompt.count(template.end_id) == 3
    learned = template.learn(template.parts(Conversation(turns=TURNS[:2])), 0, 0, 2)
    assert tokenizer.decode([id for id in learned.labels if id >= 0]) == "Hello.<end_of_turn>"


def test_d1_a_system_prompt_before_a_reply_stays_the_users_turn() -> None:
    from jinja2 import Environment

    template = Environment(trim_blocks=True, lstrip_blocks=True).from_string(GEMMA_TEMPLATE)  # noqa: S701
    messages = [
        {"role": "system", "content": "Be kind."},
        {"role": "assistant", "content": "Hello "},
        {"role": "user", "content": "Hi"},
    ]
    assert template.render(messages=messages, bos_token="<bos>") == (
        "<bos><start_of_turn>user\nBe kind.<end_of_turn>\n<start_of_turn>model\nHello<end_of_turn>\n"
        "<start_of_turn>user\nHi<end_of_turn>\n"
    )


def test_d1_the_template_is_a_reviewed_one() -> None:
    import hashlib

    assert hashlib.sha256(GEMMA_TEMPLATE.encode()).hexdigest() in rendering.KNOWN


def test_d1_nothing_is_downloaded_before_the_terms_are_accepted_by_name(
    fake: Entry, use: Callable[[Entry], Entry], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terms = Terms(name="gemma", title="Gemma Terms of Use", address="https://example.org/terms")
    entry = use(dataclasses.replace(fake, terms=terms))
    popen = subprocess.Popen

    def never(*args: object, **kwargs: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess, "Popen", never)
    doors: tuple[Callable[[], object], ...] = (
        lambda: fetch(entry.name),
        lambda: fetch(entry.name, accepted_terms=["Gemma", "apache"]),
        lambda: resolve(entry.name),
        lambda: find_base(entry.name),  # of train, evaluate, chat and serve
    )
    for door in doors:
        with pytest.raises(SourceError) as caught:
            door()
        assert "Gemma Terms of Use (https://example.org/terms)" in str(caught.value)
        assert str(caught.value).endswith(f"nlpkit sources fetch {entry.name} --accept-terms gemma")
        assert not cache.exists()
    monkeypatch.setattr(subprocess, "Popen", popen)
    path = fetch(entry.name, accepted_terms=["gemma"])
    assert is_cached(entry)
    assert fetch(entry.name) == path == resolve(entry.name)  # accepted once


def test_d1_the_command_that_the_hint_gives_fetches(
    fake: Entry,
    use: Callable[[Entry], Entry],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    terms = Terms(name="gemma", title="Gemma Terms", address="https://example.org/terms")
    entry = use(dataclasses.replace(fake, terms=terms, effort="an age"))

    def run(*arguments: str) -> tuple[object, str, str]:
        monkeypatch.setattr(sys, "argv", ["nlpkit", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        captured = capsys.readouterr()
        return end.value.code, captured.out, " ".join(captured.err.split())

    code, _, talk = run("sources", "fetch", entry.name)
    assert code == 1
    assert "an age" not in talk
    code, out, talk = run(*talk.partition("then nlpkit ")[2].split())
    assert code == 0
    assert "converted once, which takes an age" in talk
    assert Path(out.strip()) == resolve(entry.name)


def test_d1_gemma_comes_in_four_pieces_and_is_no_default() -> None:
    entry = find(NAME)[0]
    assert entry.terms == Terms(
        name="gemma", title="Gemma Terms of Use", address="https://ai.google.dev/gemma/terms"
    )
    members = [member for wheel in entry.wheels for member in wheel.members]
    assert [member.rsplit(".", 1)[-1] for member in members] == [
        "part00", "part01", "part02", "part03", "html",
    ]  # fmt: skip
    bound = [entry.name for entry in catalogue() if entry.terms]
    shipped = [*PACKAGE.glob("default*/run.json"), *PACKAGE.glob("multilingual/run.json")]
    shipped += (PACKAGE.parent / "recipes" / "configs").glob("*.yaml")
    assert len(shipped) > 3
    assert not [path for path in shipped for name in bound if name in path.read_text(encoding="utf-8")]
