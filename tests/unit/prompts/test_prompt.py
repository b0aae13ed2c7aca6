from __future__ import annotations

import copy
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlpkit.data.examples import Conversation
from nlpkit.errors import DataError, RunError
from nlpkit.prompts.build import build_prompt, encode_conversation, encode_reply, encode_text
from nlpkit.prompts.template import READ_ONLY, ChatTemplate, EncodedDialogue
from tests.chat_templates import FAMILIES, Family, conversation, messages, replies
from tests.tries import tries

WITH_TEMPLATE = [name for name, family in FAMILIES.items() if family.template]
EXACT = [name for name in WITH_TEMPLATE if not FAMILIES[name].has_prefix_space]
BUDGET = 100_000

TALKS = [
    conversation("Hi", "Hello there"),
    conversation(
        "Hi",
        "Hello there",
        "How are you?",
        "I am fine.",
        "And now?",
        "Let us walk.",
        system="You are a bear.\nBe kind.",
    ),
    conversation("Hello, I begin", "Who are you?", "A bear", first="assistant"),
    conversation(
        "Hello, I begin", "Who are you?", "A bear", "No", system="You are a bear.", first="assistant"
    ),
    conversation(
        "One\n\ntwo\nthree",
        "\nstarts on a new line\n\n\nand ends on one\n",
        "tabs\tand  spaces",
        "\r\nWindows\r\n",
    ),
    conversation(
        "👩‍👩‍👧‍👦 family",
        "🇩🇪 e\u0301 ﷽ 한국어 नमस्ते 👍🏽",
        "\u202eright to left\u202c שלום",
        "z̷̭̈a̴l̸g̵o̶ \u200b\u200d",
    ),
    conversation(" leading", "  leading and trailing  ", "trailing ", " x "),
    conversation("What is it?", "assistant", "user", "user\nassistant\nmodel\nsystem"),
    conversation("Same", "Same", "Same", "Same"),
    conversation(
        "\ue0000\ue001", "\ue0001\ue001 and \ue000", "\ue0002\ue001", "{{ messages }} {% raise %} {# no #}"
    ),
    conversation("Only a question"),
    conversation("a", "b" * 3000, "c", "d e " * 700),
]

PIECES = ["Hello", " ", "\n", "\n\n", "  ", "    ", "?", "👍🏽", "é", "ü", "user", "1234", "\u200d"]
PIECES += ["<|im_end|>", "</s>", "<think>", "[/INST]", "<"]
pieces = st.sampled_from(PIECES)
texts = st.one_of(
    st.lists(pieces, min_size=1, max_size=8).map("".join), st.text(min_size=1, max_size=30)
).filter(str.strip)


@st.composite
def talks(draw: st.DrawFn) -> Conversation:
    said = draw(st.lists(texts, min_size=1, max_size=6))
    return conversation(
        *said, system=draw(st.one_of(st.just(""), texts)), first=draw(st.sampled_from(["user", "assistant"]))
    )


@pytest.fixture(scope="module")
def smollm2() -> Any:
    """The real tokenizer of the catalog's chat model."""
    from nlpkit.models.bases import find_base
    from nlpkit.models.pretrained import load_tokenizer

    return load_tokenizer(find_base("smollm2-135m")[0])


def learned(row: EncodedDialogue) -> Iterator[tuple[int, int]]:
    """(start, end) of each run of labels."""
    flags = [label != READ_ONLY for label in row.labels]
    places = [
        place
        for place, (before, now) in enumerate(zip([False, *flags], [*flags, False], strict=True))
        if before != now
    ]
    return zip(places[::2], places[1::2], strict=True)


def histories(talk: Conversation) -> list[Conversation]:
    """What was said before each reply."""
    return [
        Conversation(turns=talk.turns[:place], system=talk.system, id=talk.id)
        for place, turn in enumerate(talk.turns)
        if turn.role == "assistant"
    ]


def check_masks(family: Family, talk: Conversation) -> None:
    rows = encode_conversation(talk, family.tokenizer, BUDGET)
    end = family.ids(family.end)
    said = []
    for row in rows:
        assert len(row.input_ids) == len(row.labels)
        assert all(
            label in (READ_ONLY, token) for label, token in zip(row.labels, row.input_ids, strict=True)
        )
        for start, stop in learned(row):
            assert row.labels[stop - 1 : stop] == end
            assert end[0] not in row.labels[start : stop - 1]
            said.append((row.input_ids[:start], row.labels[start:stop]))
    assert [family.text(ids[:-1]) for _, ids in said] == [family.survives(reply) for reply in replies(talk)]
    assert sum(row.replies for row in rows) == len(replies(talk))
    assert sum(row.learned for row in rows) == sum(len(ids) for _, ids in said)
    asked = [build_prompt(history, family.tokenizer, BUDGET) for history in histories(talk)]
    assert [ids for ids, _ in said] == [one.ids for one in asked]
    assert [ids for _, ids in said] == [encode_reply(reply, family.tokenizer) for reply in replies(talk)]
    assert all(one.dropped == 0 for one in asked)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("place", range(len(TALKS)))
def test_the_labels_are_the_replies_and_their_ends_after_the_prompts_that_ask_for_them(
    name: str, place: int
) -> None:
    check_masks(FAMILIES[name], TALKS[place])


@pytest.mark.parametrize("name", FAMILIES)
@settings(max_examples=tries(300, 30), deadline=None)
@given(talk=talks())
def test_so_it_is_for_any_conversation(name: str, talk: Conversation) -> None:
    check_masks(FAMILIES[name], talk)


def benign(texts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return texts.map(lambda text: re.sub("[<>|\\[\\]]", "", text).strip()).filter(bool)


@st.composite
def benign_talks(draw: st.DrawFn, family: Family) -> Conversation:
    """From the user to the assistant, with no ends of texts that a template or a tokenizer could tidy."""
    said = draw(st.lists(benign(texts), min_size=2, max_size=6))
    system = draw(st.one_of(st.just(""), benign(texts))) if family.takes_system else ""
    return conversation(*said[: len(said) // 2 * 2], system=system)


def templated(tokenizer: Any, talk: Conversation, *, add_generation_prompt: bool = False) -> list[int]:
    """What transformers makes of it."""
    made = tokenizer.apply_chat_template(
        messages(talk), add_generation_prompt=add_generation_prompt, enable_thinking=False, return_dict=False
    )
    return list(made)


@pytest.mark.parametrize("name", EXACT)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_ids_are_those_of_apply_chat_template(name: str, data: st.DataObject) -> None:
    family = FAMILIES[name]
    talk = data.draw(benign_talks(family))
    if family.fixed_frames:
        [row] = encode_conversation(talk, family.tokenizer, BUDGET)
        assert row.input_ids == templated(family.tokenizer, talk)
    for history in histories(talk):
        assert build_prompt(history, family.tokenizer, BUDGET).ids == templated(
            family.tokenizer, history, add_generation_prompt=True
        )


@pytest.mark.parametrize("name", [name for name in WITH_TEMPLATE if FAMILIES[name].has_prefix_space])
def test_where_a_text_on_its_own_gets_a_space_the_ids_spell_the_same_but_for_spaces(name: str) -> None:
    # Such a tokenizer puts a space after each control token and joins the space before a word to it, so that
    # ids of the parts cannot
    # equal those of the whole; transformers' own sanitised prompts differ in the same places.
    family = FAMILIES[name]
    for talk in TALKS[:3]:
        if talk.turns[0].role == "assistant" and not family.takes_leading_reply:
            continue
        for history in histories(talk):
            ours = family.tokenizer.decode(build_prompt(history, family.tokenizer, BUDGET).ids)
            theirs = (
                family.tokenizer.decode(templated(family.tokenizer, history, add_generation_prompt=True))
                if history.turns
                else ours
            )
            assert "".join(ours.split()) == "".join(theirs.split())


@pytest.mark.integration
def test_the_catalogues_chat_model_gets_the_ids_that_transformers_makes(smollm2: Any) -> None:
    for talk in TALKS[:4]:
        [row] = encode_conversation(talk, smollm2, BUDGET)
        assert row.input_ids == templated(smollm2, talk)
        runs = [smollm2.decode(row.input_ids[start:stop]) for start, stop in learned(row)]
        assert runs == [f"{reply}<|im_end|>" for reply in replies(talk)]
        for history, (start, _) in zip(histories(talk), learned(row), strict=True):
            assert build_prompt(history, smollm2, BUDGET).ids == row.input_ids[:start]


def test_a_template_and_a_default_one() -> None:
    for family in FAMILIES.values():
        template = ChatTemplate.of(family.tokenizer)
        assert template.is_default is (family.template is None)
        assert [template.end_id] == family.ids(family.end)
        assert template.control_ids == set(family.ids(*family.tokens))
    none = FAMILIES["none"].tokenizer
    made = build_prompt(conversation("Hi", "Hello", "And?", system="Be kind."), none, BUDGET)
    end = "<|endoftext|>"
    assert (
        none.decode(made.ids)
        == f"system:\nBe kind.{end}\nuser:\nHi{end}\nassistant:\nHello{end}\nuser:\nAnd?{end}\nassistant:\n"
    )


def test_where_there_is_no_place_for_the_systems_text_it_stands_before_the_first_question() -> None:
    gemma = FAMILIES["gemma"].tokenizer
    shown = gemma.decode(
        build_prompt(conversation("Hi", "Hello", "And?", system="Be kind."), gemma, BUDGET).ids
    )
    assert shown.startswith(
        "<bos><start_of_turn>user\nBe kind.\n\nHi<end_of_turn>\n<start_of_turn>model\nHello<end_of_turn>\n"
    )
    shown = gemma.decode(
        build_prompt(conversation("Hello", "Hi", system="Be kind.", first="assistant"), gemma, BUDGET).ids
    )
    assert shown.startswith(
        "<bos><start_of_turn>user\nBe kind.<end_of_turn>\n<start_of_turn>model\nHello<end_of_turn>\n"
    )


def random_talk(draw: random.Random, turns: int) -> Conversation:
    words = ["Hello", "there", "the film", "👍", "<|im_end|>", "\n"]
    said = [" ".join(draw.choices(words, k=draw.randint(1, 12))) + "." for _ in range(turns)]
    first = draw.choice(["user", "assistant"])
    if (turns % 2 == 1) != (first == "user"):
        said = said[1:]  # ends with a question
    return conversation(*said, system=draw.choice(["", "You are a bear."]), first=first)


def test_a_prompt_keeps_to_its_room_and_drops_whole_turns_from_the_oldest() -> None:
    draw = random.Random(0)
    done = refused = 0
    for name, family in FAMILIES.items():
        for _ in range(1000 // len(FAMILIES) + 1):
            talk = random_talk(draw, draw.randint(1, 40))
            budget = draw.randint(20, 400)
            try:
                made = build_prompt(talk, family.tokenizer, budget)
            except DataError:
                last = Conversation(turns=talk.turns[-1:], system=talk.system)
                assert len(build_prompt(last, family.tokenizer, BUDGET).ids) > budget, name
                refused += 1
                continue
            kept = Conversation(turns=talk.turns[made.dropped :], system=talk.system)
            assert made.ids == build_prompt(kept, family.tokenizer, BUDGET).ids, (
                name
            )  # whole turns, and the system's text with them
            assert len(made.ids) <= budget
            if made.dropped:
                more = Conversation(turns=talk.turns[made.dropped - 1 :], system=talk.system)
                assert len(build_prompt(more, family.tokenizer, BUDGET).ids) > budget, (
                    name
                )  # none was dropped that fits
            done += 1
    assert done + refused >= 1000
    assert min(done, refused) >= 50


def test_of_500_turns_the_systems_text_and_the_last_turns_are_read() -> None:
    for name, family in FAMILIES.items():
        talk = conversation(*(f"This is turn {number}" for number in range(1, 500)), system="You are a bear.")
        made = build_prompt(talk, family.tokenizer, 500)
        shown = family.text(made.ids)
        numbers = [int(one) for one in re.findall(r"This is turn (\d+)", shown)]
        assert numbers == list(range(made.dropped + 1, 500)), name
        assert len(numbers) > 5, name
        assert shown.count("You are a bear.") == 1, name


def test_a_last_turn_that_does_not_fit_is_refused() -> None:
    chatml = FAMILIES["chatml"].tokenizer
    talk = Conversation(turns=conversation("Hi", "Hello", "word " * 50).turns, where="chats.jsonl, row 7")
    with pytest.raises(DataError, match=r"^chats\.jsonl, row 7: the last turn.* expected at most 40$"):
        build_prompt(talk, chatml, 40)
    with pytest.raises(DataError):
        build_prompt(conversation(system="word " * 50), chatml, 40)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_long_conversation_becomes_rows_that_learn_each_reply_once(name: str) -> None:
    family = FAMILIES[name]
    draw = random.Random(1)
    for _ in range(20):
        talk = random_talk(draw, draw.randint(10, 60))
        rows = encode_conversation(talk, family.tokenizer, 200)
        assert all(len(row.input_ids) <= 200 for row in rows)
        assert len(rows) > 1
        said = [family.text(row.input_ids[start : stop - 1]) for row in rows for start, stop in learned(row)]
        assert said == [family.survives(reply) for reply in replies(talk)]


def test_a_reply_that_fits_no_row_is_left_out() -> None:
    for name in ("chatml", "qwen3-think"):
        family = FAMILIES[name]
        talk = conversation("Hi", "Hello", "And?", "word " * 300, "So?", "Fine")
        rows = encode_conversation(talk, family.tokenizer, 120)
        said = [family.text(row.input_ids[start : stop - 1]) for row in rows for start, stop in learned(row)]
        assert said == ["Hello", "Fine"], name


@pytest.mark.parametrize("name", FAMILIES)
def test_s1_a_reply_is_left_out_where_its_question_does_not_fit_beside_it(name: str) -> None:
    """S1: 'Yes' alone fits, but not with the 300 words that it answers."""
    family = FAMILIES[name]
    talk = conversation("Hi", "Hello", "word " * 300, "Yes", "So?", "Fine", system="Be kind.")
    rows = encode_conversation(talk, family.tokenizer, 120)
    said = [family.text(row.input_ids[start : stop - 1]) for row in rows for start, stop in learned(row)]
    assert said == ["Hello", "Fine"]
    assert encode_conversation(conversation("word " * 300, "Yes"), family.tokenizer, 120) == []


@pytest.mark.parametrize("name", FAMILIES)
def test_s1_each_learned_reply_stands_after_the_turn_that_it_answers(name: str) -> None:
    """S1: in rows of 90 tokens; a reply is left out exactly where it and its question fit no row."""
    family = FAMILIES[name]
    draw = random.Random(2)
    for _ in range(10):
        said = [f"<{number}>" + " word" * draw.choice([1, 5, 20, 60]) for number in range(1, 21)]
        rows = encode_conversation(conversation(*said), family.tokenizer, 90)
        found = []
        for row in rows:
            for start, stop in learned(row):
                (number,) = re.findall(r"<(\d+)>", family.text(row.input_ids[start:stop]))
                before = re.findall(r"<(\d+)>", family.text(row.input_ids[:start]))
                assert int(before[-1]) == int(number) - 1
                found.append(int(number))
        pairs = {number: conversation(*said[number - 2 : number]) for number in range(2, 21, 2)}
        fits = [number for number, pair in pairs.items() if encode_conversation(pair, family.tokenizer, 90)]
        assert found == fits
        assert len(fits) < len(pairs)


def test_a_conversation_without_a_reply_gives_no_row() -> None:
    for family in FAMILIES.values():
        assert encode_conversation(conversation("Only a question"), family.tokenizer, BUDGET) == []


def test_a_text_of_endless_length_is_refused_before_it_is_tokenized() -> None:
    with pytest.raises(DataError, match="1,000,001 characters"):
        encode_text("a" * 1_000_001, FAMILIES["chatml"].tokenizer)


BROKEN = {
    "syntax": "{% for message in messages %}",
    "always raises": "{{ raise_exception('not today') }}",
    "undefined": "{{ messages[0].nothing.at.all }}",
    "no messages": "hello",
    "each twice": (
        "{% for message in messages %}{{ message.content }}{{ message.content }}<|im_end|>{% endfor %}"
    ),
    "cut": "{% for message in messages %}{{ message.content[:2] }}<|im_end|>{% endfor %}",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_template_that_cannot_be_used_is_refused(kind: str) -> None:
    with pytest.raises(RunError, match="chat template"):
        ChatTemplate.of(with_template(BROKEN[kind]))


ESCAPES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ ()|attr('__class__') }}",
    "{{ '{0.__class__.__mro__}'.format(messages) }}",
    "{% set f = '{0.__class__}'.format %}{{ f(messages) }}",
    "{{ '{m.__class__}'.format_map({'m': messages}) }}",
    "{{ cycler.__init__.__globals__.os.system('touch CANARY') }}",
    "{{ joiner.__init__.__globals__['os'].popen('touch CANARY').read() }}",
    "{{ lipsum.__globals__['os'].system('touch CANARY') }}",
    "{{ raise_exception.__globals__['__builtins__']['open']('CANARY', 'w') }}",
    "{{ self.__init__.__globals__['__builtins__']['eval']('1') }}",
    "{{ self._TemplateReference__context.environment.globals }}",
    "{% set n = namespace() %}{% set n.__class__ = 1 %}{{ n }}",
    "{{ messages.append(messages[0]) }}",
    "{{ [''.format]|map(attribute='__self__')|list|first }}",
    "{% include '/etc/hostname' %}",
    "{% import 'os' as os %}{{ os.system('touch CANARY') }}",
    "{{ dict.__class__.__bases__ }}",
    "{{ range(10**9)|list }}",
]


@pytest.mark.parametrize("place", range(len(ESCAPES)))
def test_a_template_that_reaches_out_of_its_sandbox_is_refused_or_reaches_nothing(
    place: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    chatml = FAMILIES["chatml"]
    tokenizer = with_template(ESCAPES[place] + chatml.template)
    try:
        ids = build_prompt(TALKS[0], tokenizer, BUDGET).ids
    except RunError as error:
        reason = str(error)
    else:
        reason = "" if ids == build_prompt(TALKS[0], chatml.tokenizer, BUDGET).ids else tokenizer.decode(ids)
    assert not reason or reason.startswith("the model: its chat template fails: ")
    assert not list(tmp_path.iterdir())


def test_of_several_templates_the_default_one_is_taken() -> None:
    chatml = FAMILIES["chatml"]
    several = with_template({"default": chatml.template, "tool_use": "{{ raise_exception('no') }}"})
    assert build_prompt(TALKS[0], several, BUDGET) == build_prompt(TALKS[0], chatml.tokenizer, BUDGET)
    with pytest.raises(RunError, match=r"\['rag', 'tool_use'\]; expected one named 'default'"):
        ChatTemplate.of(with_template({"tool_use": "a", "rag": "b"}))


def test_a_template_without_an_end_token_ends_replies_with_the_tokenizers() -> None:
    plain = "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}"
    tokenizer = with_template(plain)
    assert ChatTemplate.of(tokenizer).end_id == tokenizer.eos_token_id
    with pytest.raises(RunError, match="no token ends a reply"):
        ChatTemplate.of(with_template(plain, eos_token=None))


def with_template(template: Any, **changes: Any) -> Any:
    tokenizer = copy.deepcopy(FAMILIES["chatml"].tokenizer)
    tokenizer.chat_template = template
    for name, value in changes.items():
        setattr(tokenizer, name, value)
    return tokenizer


@pytest.mark.parametrize(
    ("name", "stops"),
    [
        ("chatml", {"<|im_end|>", "<|im_start|>"}),
        ("llama3", {"<|eot_id|>", "<|start_header_id|>", "<|begin_of_text|>"}),
        ("gemma", {"<end_of_turn>", "<start_of_turn>", "<eos>", "<bos>"}),
        ("phi3", {"<|end|>", "<|user|>", "<|assistant|>", "<|system|>", "<|endoftext|>"}),
        ("mistral", {"</s>", "[INST]", "[/INST]", "<s>"}),
        ("qwen3-think", {"<|im_end|>", "<|im_start|>"}),  # not <think>, with which its replies begin
        ("none", {"<|endoftext|>"}),
    ],
)
def test_a_reply_ends_with_its_end_and_with_what_opens_another_turn(name: str, stops: set[str]) -> None:
    tokenizer = FAMILIES[name].tokenizer
    assert set(tokenizer.convert_ids_to_tokens(sorted(ChatTemplate.of(tokenizer).stops))) == stops
