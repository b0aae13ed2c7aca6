"""A bot that leaves nlpkit answers, begins and ends as it did inside; one that does not is not written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from nlpkit.errors import ConfigError, RunError
from nlpkit.generation import language_model
from nlpkit.generation.export_chat import export_chat_model
from nlpkit.generation.language_model import LanguageModel, save_language_model
from nlpkit.run import Run

pytestmark = pytest.mark.integration


def test_a_merged_bot_is_a_plain_model_that_stops_where_its_template_ends(
    chat_run: Path, tmp_path: Path
) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    said: list[str] = []
    folder = export_chat_model(Run.open(chat_run), "merged", tmp_path / "bot", talk=said.append)
    assert "100.0% of" in said[0]
    assert "100.0% of" in (folder / "README.md").read_text()
    assert {one.name for one in folder.iterdir()} >= {
        "model.safetensors",
        "tokenizer.json",
        "generation_config.json",
        "config.json",
    }
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    asked = tokenizer.apply_chat_template(
        [{"role": "user", "content": "think of tea"}], add_generation_prompt=True, return_tensors="pt"
    )
    reply = model.generate(**asked, do_sample=False, max_new_tokens=40)[0, asked["input_ids"].shape[1] :]
    assert len(reply) < 40
    assert int(reply[-1]) in json.loads((folder / "generation_config.json").read_text())["eos_token_id"]


def with_another_template(language: LanguageModel, folder: Path) -> None:
    save_language_model(language, folder)
    path = folder / "chat_template.jinja"
    path.write_text("a" + path.read_text())


def with_another_end(language: LanguageModel, folder: Path) -> None:
    save_language_model(language, folder)
    path = folder / "generation_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "eos_token_id": 5}))


def without_its_adapter(language: LanguageModel, folder: Path) -> None:
    save_language_model(LanguageModel.without_adapter(Run.open(language.run)), folder)  # type: ignore[attr-defined]  # set by the test


@pytest.mark.parametrize(
    ("broken", "failure"),
    [
        (with_another_template, "its tokenizer and chat template make another prompt"),
        (with_another_end, r"it ends at the tokens \[5\], and the template's replies end with"),
        (without_its_adapter, "of the next tokens are equal, expected at least 99%"),
    ],
)
def test_a_broken_bot_is_refused_and_leaves_nothing(
    broken: Callable[[LanguageModel, Path], None],
    failure: str,
    chat_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(language_model, "save_language_model", broken)
    monkeypatch.setattr(LanguageModel, "run", chat_run, raising=False)
    with pytest.raises(RunError, match=failure):
        export_chat_model(Run.open(chat_run), "merged", tmp_path / "bot")
    assert list(tmp_path.iterdir()) == []
    export_chat_model(Run.open(chat_run), "merged", tmp_path / "bot", force=True)
    assert "**Not like its run:**" in (tmp_path / "bot" / "README.md").read_text()


def test_where_it_goes_is_asked_for_and_never_written_over(chat_run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="-o FOLDER"):
        export_chat_model(Run.open(chat_run), "merged", None)
    with pytest.raises(ConfigError, match="exists already"):
        export_chat_model(Run.open(chat_run), "merged", tmp_path)
