"""The chat model that the package holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlpkit.config import read_config
from nlpkit.generation.chatbot import Chatbot
from nlpkit.run import BUILT_IN_CHAT_MODEL, PACKAGE, Run

if TYPE_CHECKING:
    import pytest

RECIPE = Path(__file__).parents[3] / "recipes" / "configs" / "default-bot.yaml"


def test_d1_the_package_holds_a_chat_model_of_a_few_megabytes_that_is_as_it_was_saved() -> None:
    run = Run.open(BUILT_IN_CHAT_MODEL)
    record = run.read_verified()
    assert record.recipe == "dialogue"
    assert record.base.source == "smollm2-135m"
    assert record.max_tokens == 2048
    assert sum(path.stat().st_size for path in run.path.rglob("*")) < 10_000_000
    assert "Apache-2.0" in run.card.read_text(encoding="utf-8")


def test_d1_the_config_of_the_built_in_chat_model_is_the_recipes() -> None:
    """What the recipe says is what it was trained by, key by key."""

    def differences(given: Any, resolved: Any, path: str) -> list[str]:
        if isinstance(given, dict):
            return [line for key in given for line in differences(given[key], resolved[key], f"{path}.{key}")]
        if isinstance(given, list):
            return [
                line
                for number, value in enumerate(given)
                for line in differences(value, resolved[number], path)
            ]
        return [] if given == resolved else [path]

    resolved, _ = read_config(Run.open(BUILT_IN_CHAT_MODEL).config)
    recipe, _ = read_config(RECIPE)
    assert differences(recipe, resolved, "") == []


def test_d1_the_default_chat_model_is_the_built_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[Path] = []
    monkeypatch.setattr(Chatbot, "load", lambda run, **options: loaded.append(run.path))
    Chatbot.default(threads=1)
    assert loaded == [PACKAGE / BUILT_IN_CHAT_MODEL]
