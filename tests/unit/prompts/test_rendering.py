"""Unknown chat templates: refused in time if they take too much, else rendered as transformers does."""

from __future__ import annotations

import copy
import multiprocessing
import os
import threading
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest

from nlpkit.errors import RunError
from nlpkit.prompts import rendering
from nlpkit.prompts.rendering import TemplateLimitError, render_template
from nlpkit.prompts.template import ChatTemplate
from tests.chat_templates import FAMILIES

SAID = [{"role": "user", "content": "Hello"}]


def strange(name: str = "org/strange") -> Any:
    return SimpleNamespace(name_or_path=name, special_tokens_map={"eos_token": "<end>"})


MEMORY = {
    "a product": "{{ 'a' * 10**9 }}",
    "a product that only the messages know": "{{ messages[0].content * 10**9 }}",
    "a list": "{{ ([0] * 10**9) | length }}",
    "doubling by +": (
        "{% set n = namespace(x='a') %}{% for i in range(60) %}{% set n.x = n.x + n.x %}{% endfor %}{{ "
        "n.x | length }}"
    ),
    "doubling by ~": (
        "{% set n = namespace(x='a') %}{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}{{ "
        "n.x | length }}"
    ),
    "doubling by join": (
        "{% set n = namespace(x='a') %}{% for i in range(60) %}{% set n.x = [n.x, n.x] | join %}{% "
        "endfor %}{{ n.x }}"
    ),
    "doubling by replace": (
        "{% set n = namespace(x='a') %}{% for i in range(60) %}{% set n.x = n.x.replace('a', 'aa') "
        "%}{% endfor %}"
    ),
    "a wide number": "{{ '%1000000000d' % 1 }}",
    "a wide field": "{{ '{:>1000000000}'.format(1) }}",
    "the filter format": "{{ '%1000000000d' | format(1) }}",
    "the filter center": "{{ 'a' | center(10**9) }}",
    "the filter indent": "{{ 'a\nb' | indent(10**9) }}",
    "much text": "{% for i in range(4000) %}{{ 'a' * 10000 }}{% endfor %}",
}
TIME = {
    "loops in loops": (
        "{% for i in range(10**4) %}{% for j in range(10**4) %}{% for k in range(9) %}{% endfor %}{% "
        "endfor %}{% endfor %}"
    ),
    "a huge power": "{{ (9 ** (9 ** 9)) % 10 }}",
    "a macro that calls itself twice": (
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}"
    ),
}


@pytest.mark.parametrize("source", MEMORY.values(), ids=MEMORY)
def test_a_template_that_fills_the_memory_is_refused(source, monkeypatch):
    monkeypatch.setattr(rendering, "SECONDS", 120.0)  # the memory is to decide on a slow machine too
    with pytest.raises(
        RunError, match=r"^org/strange: its chat template is refused: it (takes more than|writes) .*; hint: "
    ) as refused:
        render_template(strange(), source, SAID, add_generation_prompt=True)
    assert refused.value.exit_code == 4
    assert "a" * 30 not in str(refused.value)


@pytest.mark.parametrize("source", TIME.values(), ids=TIME)
def test_a_template_that_does_not_end_is_ended(source, monkeypatch):
    monkeypatch.setattr(rendering, "SECONDS", 1.0)
    with pytest.raises(
        TemplateLimitError, match=r"^org/strange: its chat template is refused: it ran for 1 seconds"
    ):
        render_template(strange(), source, SAID, add_generation_prompt=True)


def test_a_macro_without_an_end_fails_as_a_template_does():
    with pytest.raises(RunError, match="org/strange: its chat template fails: maximum recursion"):
        render_template(
            strange(), "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", SAID, add_generation_prompt=True
        )


def test_the_next_template_renders_after_one_that_was_ended():
    with pytest.raises(TemplateLimitError):
        render_template(strange(), "{{ 'a' * 10**9 }}", SAID, add_generation_prompt=True)
    assert (
        render_template(
            strange(), "{{ messages[0].content }}{{ eos_token }}", SAID, add_generation_prompt=True
        )
        == "Hello<end>"
    )


@pytest.mark.parametrize("name", [name for name, family in FAMILIES.items() if family.template])
@pytest.mark.parametrize("asking", [True, False])
def test_the_child_writes_what_transformers_writes(name, asking):
    tokenizer = FAMILIES[name].tokenizer
    talk = [
        {"role": "user", "content": "Hi «ö» \ue000 😀"},
        {"role": "assistant", "content": "Yes?"},
        {"role": "user", "content": "No."},
    ]
    expected = tokenizer.apply_chat_template(
        talk, tokenize=False, add_generation_prompt=asking, enable_thinking=False
    )
    assert (
        render_template(tokenizer, tokenizer.get_chat_template(), talk, add_generation_prompt=asking)
        == expected
    )


def test_a_template_is_refused_as_a_whole_where_only_some_messages_make_it_take_too_much():
    """It must not pass for one that has no place for a system prompt."""
    tokenizer = copy.deepcopy(FAMILIES["chatml"].tokenizer)
    tokenizer.chat_template = (
        "{% if messages[0].role == 'system' %}{{ 'a' * 10**9 }}{% endif %}" + FAMILIES["chatml"].template
    )
    with pytest.raises(TemplateLimitError):
        ChatTemplate(tokenizer)


def test_renders_of_many_threads_are_not_mixed_up():
    found: dict[int, str] = {}

    def render(number: int) -> None:
        found[number] = render_template(
            strange(),
            "{{ messages[0].content }}",
            [{"role": "user", "content": str(number)}],
            add_generation_prompt=True,
        )

    threads = [threading.Thread(target=render, args=(number,)) for number in range(20)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert found == {number: str(number) for number in range(20)}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_has_a_child_of_its_own():
    render_template(strange(), "{{ messages[0].content }}", SAID, add_generation_prompt=True)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply(render_own) == ("Hello", True)


def render_own() -> tuple[str, bool]:
    before = set(rendering._renderers)
    return render_template(
        strange(), "{{ messages[0].content }}", SAID, add_generation_prompt=True
    ), os.getpid() not in before


@pytest.mark.integration
def test_the_template_of_the_catalogues_own_bot_is_known_and_needs_no_child():
    from nlpkit.models.bases import find_base
    from nlpkit.models.pretrained import load_tokenizer

    tokenizer = load_tokenizer(find_base("smollm2-135m")[0])
    with patch.object(rendering, "_renderer", side_effect=AssertionError("a child was asked")):
        assert "<|im_start|>user\nHello<|im_end|>" in render_template(
            tokenizer, tokenizer.get_chat_template(), SAID, add_generation_prompt=True
        )
