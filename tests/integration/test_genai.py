"""A tiny model on ONNX Runtime GenAI compared with the same model on torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest

from nlpkit.data.examples import Conversation, Turn
from nlpkit.errors import ConfigError, RunError
from nlpkit.generation.chatbot import Chatbot
from nlpkit.generation.reply_format import ReplyFormat
from nlpkit.generation.runtimes import RUNTIMES
from nlpkit.generation.sampling import Sampling
from tests.conftest import make_chat_base

pytestmark = pytest.mark.integration

GREEDY = Sampling(temperature=0.0, repetition_penalty=1.1, max_new_tokens=40)
LONG = GREEDY.model_copy(update={"max_new_tokens": 400})


def talk(*texts: str) -> Conversation:
    roles = ("user", "assistant") * len(texts)
    return Conversation(turns=tuple(Turn(role=roles[place], text=text) for place, text in enumerate(texts)))


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    with patch.dict(os.environ, {"NLPKIT_CACHE": str(folder)}):
        yield folder


@pytest.fixture(scope="module")
def bots(chat_run: Path) -> dict[str, Chatbot]:
    return {runtime: Chatbot.load(chat_run, runtime=runtime, threads=1) for runtime in ("torch", "onnx")}


def test_it_says_what_torch_says_turn_after_turn_and_reads_only_what_is_new(
    bots: dict[str, Chatbot],
) -> None:
    texts: list[str] = []
    for turn in range(5):
        texts.append(f"think of {('tea', 'rain', 'a song')[turn % 3]}")
        said = {}
        for name, bot in bots.items():
            answer = bot.stream(talk(*texts), sampling=GREEDY, session="one")
            said[name] = "".join(answer)
            assert answer.usage is not None
            assert answer.context is not None
            if turn and not answer.context.dropped:
                assert answer.usage.cached_tokens > 20
        assert said["onnx"] == said["torch"]
        texts.append(said["torch"].strip() or "...")


def test_c4_json_is_what_torch_writes(bots: dict[str, Chatbot]) -> None:
    wanted = ReplyFormat(
        schema={"type": "object", "properties": {"a": {"type": "integer", "maximum": 9}}, "required": ["a"],
                "additionalProperties": False},
    )  # fmt: skip
    for temperature in (0.0, 1.0):
        sampling = Sampling(temperature=temperature, seed=5, max_new_tokens=60)
        said = {
            name: "".join(bot.stream(talk("think of tea"), sampling=sampling, reply_format=wanted))
            for name, bot in bots.items()
        }
        assert said["onnx"] == said["torch"]
        assert json.loads(said["onnx"])["a"] <= 9


def test_an_edited_turn_is_read_from_where_it_differs(bots: dict[str, Chatbot]) -> None:
    bot = bots["onnx"]
    "".join(bot.stream(talk("think of tea"), sampling=GREEDY, session="edited"))
    answer = bot.stream(talk("think of rain"), sampling=GREEDY, session="edited")
    fresh = bot.stream(talk("think of rain"), sampling=GREEDY)
    assert "".join(answer) == "".join(fresh)
    assert answer.usage is not None
    assert answer.usage.cached_tokens > 10


def test_several_answers_at_once_are_each_their_own(bots: dict[str, Chatbot]) -> None:
    texts = ["think of tea", "which?", "rain", "a", "no, of moon"]
    bot = bots["onnx"]
    alone = ["".join(bot.stream(talk(one), sampling=GREEDY)) for one in texts]
    together = [bot.stream(talk(one), sampling=GREEDY, session=str(place)) for place, one in enumerate(texts)]
    assert ["".join(one) for one in together] == alone


def test_quantised_weights_are_smaller_and_say_nearly_the_same(tmp_path: Path, cache: Path) -> None:
    import numpy as np

    base = str(make_chat_base(tmp_path / "wider", hidden=64))
    runtimes: tuple[str, ...] = ("onnx", "onnx-int8", "onnx-int4")
    bots = {one: Chatbot.default(base, runtime=one, threads=1) for one in runtimes}
    asked = bots["onnx"].profile.tokenizer("think of tea")["input_ids"]
    said = {
        one: bot.scheduler.decoder.read(bot.scheduler.decoder.new_cache(), asked) for one, bot in bots.items()
    }
    near = {one: float(np.corrcoef(said["onnx"], said[one])[0, 1]) for one in runtimes}
    assert 1 > near["onnx-int8"] > near["onnx-int4"] > 0.9
    sizes = {
        one: sum(
            file.stat().st_size for file in next((cache / "onnx").glob(f"wider-{one}-*/")).glob("model.onnx*")
        )
        for one in ("fp32", "int8", "int4")
    }
    assert sizes["fp32"] > sizes["int8"] > sizes["int4"]


def test_it_is_exported_once_and_loaded_without_its_original(
    chat_run: Path, bots: dict[str, Chatbot], cache: Path
) -> None:
    assert len([one for one in (cache / "onnx").glob(f"{chat_run.name}-fp32-*") if one.is_dir()]) == 1
    with patch("nlpkit.generation.chatbot.LanguageModel.load", side_effect=AssertionError):
        Chatbot.load(chat_run, runtime="onnx", threads=1)


def test_an_export_that_says_something_else_is_refused(
    chat_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NLPKIT_CACHE", str(tmp_path))
    monkeypatch.setitem(RUNTIMES, "onnx", replace(RUNTIMES["onnx"], max_difference=0.0))
    with pytest.raises(RunError, match="logits move by"):
        Chatbot.load(chat_run, runtime="onnx", threads=1)
    assert [one for one in (tmp_path / "onnx").iterdir() if one.is_dir()] == []


def test_a_model_that_the_runtime_does_not_know_is_refused(
    tiny_chat_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    from nlpkit.models.pretrained import load_tokenizer

    monkeypatch.setenv("NLPKIT_CACHE", str(tmp_path / "cache"))
    base = tmp_path / "gpt2"
    GPT2LMHeadModel(
        GPT2Config(vocab_size=300, n_embd=16, n_layer=1, n_head=2, n_positions=256)
    ).save_pretrained(base)
    load_tokenizer(tiny_chat_base).save_pretrained(base)
    with pytest.raises(
        RunError, match=r"cannot be exported to onnxruntime_genai: .*; hint: use the runtime torch"
    ):
        Chatbot.default(str(base), runtime="onnx", threads=1)


def test_a_runtime_that_is_not_installed_is_named_with_its_cure(
    chat_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime_genai", None)
    with pytest.raises(ConfigError, match=r"pip install 'nlpkit\[onnx\]'"):
        Chatbot.load(chat_run, runtime="onnx")


@pytest.fixture(scope="module")
def wide_base(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A base whose 8-bit export passes the parity check."""
    return str(make_chat_base(tmp_path_factory.mktemp("auto") / "wide", hidden=64))


def test_d11_torch_replies_until_the_export_is_there(wide_base: str) -> None:
    bot = Chatbot.default(wide_base, runtime="auto", threads=1)
    assert bot.runs_on == "torch; onnx-int8 replies once its export is made"
    begun = iter(bot.stream(talk("think of tea"), sampling=LONG))
    said = [next(begun)]
    assert bot.export is not None
    bot.export.join()
    assert bot.runs_on == bot.runtime == "onnx-int8"
    said += begun  # goes on as it began
    fresh = Chatbot.default(wide_base, threads=1)
    assert "".join(said) == "".join(fresh.stream(talk("think of tea"), sampling=LONG))
    assert "".join(bot.stream(talk("think of tea"), sampling=GREEDY))
    with patch("nlpkit.generation.chatbot.load_language_model", side_effect=AssertionError):
        assert Chatbot.default(wide_base, runtime="auto", threads=1).runs_on == "onnx-int8"


def test_d11_without_an_export_torch_goes_on_and_says_why(
    wide_base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NLPKIT_CACHE", str(tmp_path))
    monkeypatch.setattr("nlpkit.generation.fast_runtime.FREE", 1 << 60)
    full = Chatbot.default(wide_base, runtime="auto", threads=1)
    assert (full.export, full.runs_on) == (None, "torch")
    monkeypatch.undo()
    monkeypatch.setenv("NLPKIT_CACHE", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "onnxruntime_genai").mkdir()  # stands before the library, and is none
    (tmp_path / "onnxruntime_genai" / "__init__.py").write_text("__version__ = '0'\n")
    broken = Chatbot.default(wide_base, runtime="auto", threads=1)
    assert broken.export is not None
    broken.export.join()
    assert broken.runs_on.startswith("torch; no onnx-int8: the model cannot be exported")
    assert "goes on in torch" in caplog.text
    assert "".join(broken.stream(talk("think of tea"), sampling=GREEDY))


def test_d11_an_export_ends_with_its_chat_model_and_leaves_nothing(
    wide_base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NLPKIT_CACHE", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    bot = Chatbot.default(wide_base, runtime="auto", threads=1)
    wait_for(lambda: any(tmp_path.glob("onnx/tmp*/tmp*/plain")))  # the exporter runs
    bot.close()
    assert bot.export is not None
    bot.export.join()
    assert bot.export.failure == ""
    assert unfinished(tmp_path) == []


def test_d11_an_export_ends_when_its_program_is_killed(wide_base: str, tmp_path: Path) -> None:
    begin = (
        "import sys, time; from nlpkit.generation.chatbot import Chatbot\n"
        "bot = Chatbot.default(sys.argv[1], runtime='auto', threads=1); time.sleep(600)"
    )
    environment = {**os.environ, "NLPKIT_CACHE": str(tmp_path), "TMPDIR": str(tmp_path)}
    program = subprocess.Popen([sys.executable, "-c", begin, wide_base], env=environment)
    wait_for(lambda: any(tmp_path.glob("onnx/tmp*/tmp*/plain")))
    program.kill()
    program.wait()
    wait_for(lambda: unfinished(tmp_path) == [])
    assert unfinished(tmp_path) == []


def unfinished(cache: Path) -> list[str]:
    return [folder.name for folder in cache.glob("onnx/*") if folder.is_dir()]


def wait_for(condition: Callable[[], bool]) -> None:
    for _ in range(1200):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("it never came")
