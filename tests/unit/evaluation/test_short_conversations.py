"""The conversations that the built-in chat model learns from."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

from nlpkit.config import yaml_value
from nlpkit.evaluation.chat_checks import CONTACT

FOLDER = Path(__file__).parents[3] / "recipes" / "data"


@pytest.fixture(scope="module")
def rows() -> list[list[dict[str, str]]]:
    lines = (FOLDER / "short-conversations.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["messages"] for line in lines]


def test_d1_the_script_writes_the_same_conversations_again(rows: list[list[dict[str, str]]]) -> None:
    written: dict[str, Any] = runpy.run_path(str(FOLDER / "short_conversations.py"))
    path = FOLDER / "short-conversations.yaml"
    phrases = yaml_value(path.read_text(encoding="utf-8"), where=str(path))
    pairs = [list(pairs) for pairs in written["conversations"](phrases)]
    texts = [[message["content"] for message in messages] for messages in rows]
    assert [[text for pair in talk for text in pair] for talk in pairs] == texts


def test_d1_no_reply_invents_a_contact_and_none_is_long(rows: list[list[dict[str, str]]]) -> None:
    for messages in rows:
        users = " ".join(message["content"] for message in messages[::2])
        for message in messages[1::2]:
            assert all(match[0] in users for match in CONTACT.finditer(message["content"])), message
            assert len(message["content"].split()) <= 60


def test_d1_a_planned_dish_holds_nothing_that_the_guest_cannot_eat(rows: list[list[dict[str, str]]]) -> None:
    path = FOLDER / "short-conversations.yaml"
    dishes = yaml_value(path.read_text(encoding="utf-8"), where=str(path))["dishes"]
    checked = 0
    for messages in rows:
        for message in messages[1::2]:
            for dish, holds in dishes.items():
                if message["content"].lower().startswith(dish):
                    assert not any(f"no {food}" in message["content"] for food in holds)
                    assert not any(f"without {food}" in message["content"] for food in holds)
                    checked += 1
    assert checked > 100
