"""The built-in chat model on its real base."""

from __future__ import annotations

from contextlib import closing

import pytest

from nlpkit.evaluation.chat_behavior import load_chat_suite, run_chat_suite
from nlpkit.generation.chatbot import Chatbot

pytestmark = pytest.mark.integration


def test_d1_the_default_bot_is_the_tuned_one_and_ends_its_replies() -> None:
    cases = [case for case in load_chat_suite("dev") if case.topic == "ends by itself"]
    with closing(Chatbot.default(threads=1)) as bot:
        assert (bot.name, bot.window) == ("default-bot", 2048)
        assert all(result.passed for result in run_chat_suite(bot, cases))
