from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from nlpkit.data.examples import Conversation, Turn
from nlpkit.generation.chatbot import Chatbot
from nlpkit.generation.json_constraint import JsonConstraints
from nlpkit.generation.language_model import LanguageModel
from nlpkit.generation.reply_format import ReplyFormat, ReplyFormatError
from nlpkit.generation.sampling import Sampling
from nlpkit.models.pretrained import load_language_model, load_tokenizer
from nlpkit.prompts.template import ChatTemplate
from nlpkit.tasks.dialogue import Dialogue
from tests.conftest import CHATML

CLOSED = {"type": "object", "additionalProperties": False}

END = 2
"""The id of <|im_end|> in the tiny chat model."""


@pytest.fixture(scope="module")
def tokenizer(tiny_chat_base: Path) -> Any:
    return load_tokenizer(tiny_chat_base)


@pytest.fixture(scope="module")
def constraints(tokenizer: Any) -> JsonConstraints:
    return JsonConstraints(tokenizer, ChatTemplate.of(tokenizer))


def write(constraints: JsonConstraints, schema: dict[str, Any] | None, seed: int) -> list[int]:
    """Return tokens that the constraint allows, chosen at random, up to the end token."""
    draw, constraint, ids = random.Random(seed), constraints.new(ReplyFormat(schema=schema)), []
    while END not in ids[-1:]:
        ids.append(int(draw.choice(constraint.allowed(400))))
        constraint.push(ids[-1])
    return ids


def test_c4_only_what_the_schema_allows_can_be_written(constraints: JsonConstraints, tokenizer: Any) -> None:
    schema = {"properties": {"a": {"enum": ["x", 2]}}, **CLOSED, "required": ["a"]}
    texts = [tokenizer.decode(write(constraints, schema, seed)[:-1]) for seed in range(12)]
    assert {json.dumps(json.loads(text)) for text in texts} == {'{"a": "x"}', '{"a": 2}'}
    for seed in range(5):
        assert isinstance(json.loads(tokenizer.decode(write(constraints, None, seed)[:-1])), dict)


def test_c4_no_control_token_is_part_of_a_string(constraints: JsonConstraints) -> None:
    constraint = constraints.new(ReplyFormat(schema={"type": "string"}))
    first = constraint.allowed(259).tolist()
    assert len(first) == 1
    constraint.push(first[0])
    assert not {0, 1, END} & set(constraint.allowed(259).tolist())
    # A model may have fewer logits than its tokenizer has tokens, or more
    assert constraint.allowed(100).max() < 100
    assert constraint.allowed(1000).max() < 259


def nested(levels: int) -> str:
    return '{"items":' * levels + "{}" + "}" * levels


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"$ref": "http://127.0.0.1:9/schema.json"}, "does not fetch"),
        ({"$ref": "file:///etc/passwd"}, "does not fetch"),
        ({"$schema": "https://example.org/own", "type": "object"}, "does not fetch"),
        ({"$ref": "#/$defs/missing"}, "does not exist"),
        ({"$ref": "#"}, "refused"),
        ({"type": "integer", "multipleOf": 123_456_789}, "takes too long or too much memory"),
        ({"allOf": [{"anyOf": [{"properties": {f"{a}{b}": {}}} for a in "abc"]} for b in "123456789"]},
         "too large"),
        (json.loads(nested(300)), "recursion limit"),
        ({"type": "string", "pattern": "("}, "unclosed group"),
        ({"type": "string", "pattern": "^(?=a)"}, "look-around"),
        ({"type": "array", "uniqueItems": True}, "uniqueItems"),
        ({"type": "array", "uniqueItems": True, "x-guidance": {"lenient": True}}, "uniqueItems"),
        ({"not": {"type": "string"}}, "not"),
        ({"type": "string", "format": "phone"}, "Unknown format"),
        ({"type": "text"}, "Invalid type"),
        ({"type": "string", "minLength": 2, "maxLength": 1}, "Unsatisfiable"),
        ({"enum": []}, "Unsatisfiable"),
    ],
)  # fmt: skip
def test_c4_hostile_and_unsupported_schemas_are_refused(
    constraints: JsonConstraints, schema: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ReplyFormatError, match=r"the schema is refused: .*hint: ") as refused:
        constraints.new(ReplyFormat(schema=schema))
    assert reason in str(refused.value)
    assert refused.value.code == "invalid_json_schema"
    assert len(str(refused.value)) < 300


def test_c4_a_schema_has_a_largest_size_and_depth() -> None:
    with pytest.raises(ReplyFormatError, match="100,031 characters; expected at most 100,000"):
        ReplyFormat(schema={"type": "string", "const": "x" * 100_000})
    schema: dict[str, Any] = {}
    for _ in range(100_000):
        schema = {"items": schema}
    with pytest.raises(ReplyFormatError, match="too many levels"):
        ReplyFormat(schema=schema)


def test_c4_without_the_library_the_extra_is_named(
    constraints: JsonConstraints, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "llguidance", None)
    with pytest.raises(ReplyFormatError, match=r"hint: pip install 'nlpkit\[json\]'") as refused:
        constraints.new(ReplyFormat())
    assert refused.value.code == "unsupported_parameter"


def test_c4_a_tokenizer_that_cannot_spell_the_reply_is_refused() -> None:
    tokens = {token: place for place, token in enumerate(["<|x|>", "<|im_start|>", "<|im_end|>", *'"abc'])}
    inner = Tokenizer(models.BPE(tokens, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    small = PreTrainedTokenizerFast(
        tokenizer_object=inner, eos_token="<|im_end|>", additional_special_tokens=["<|im_start|>"],
        chat_template=CHATML,
    )  # fmt: skip
    constraints = JsonConstraints(small, ChatTemplate.of(small))
    with pytest.raises(ReplyFormatError, match="the schema is refused"):
        write(constraints, {"const": "ad"}, 0)


def test_c4_a_chat_model_writes_json_within_its_length(tiny_chat_base: Path, tokenizer: Any) -> None:
    language = LanguageModel(
        load_language_model(tiny_chat_base), tokenizer, Dialogue(), window=256, name="tiny", threads=1
    )
    bot = Chatbot.of(language)
    hello = Conversation(turns=(Turn(role="user", text="hello"),))
    wanted = ReplyFormat(schema={"type": "array", "items": {"type": "boolean"}, "minItems": 3, "maxItems": 3})
    for temperature in (0.0, 1.0):
        sampling = Sampling(temperature=temperature, seed=3, top_k=5, max_new_tokens=120)
        completions = [bot.stream(hello, sampling=sampling, reply_format=wanted) for _ in range(2)]
        replies = ["".join(completion) for completion in completions]
        assert replies[0] == replies[1]
        assert [type(value) for value in json.loads(replies[0])] == [bool] * 3
        assert completions[0].finish == "stop"
    cut = bot.stream(hello, sampling=Sampling(max_new_tokens=4, seed=1), reply_format=wanted)
    assert "".join(cut).startswith("[")
    assert cut.finish == "length"
    bot.close()
