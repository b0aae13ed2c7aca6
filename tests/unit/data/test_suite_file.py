"""Suites in YAML: how templates are filled, what rows they train on, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from nlpkit.data.records import read_records
from nlpkit.data.suite_file import read_suite
from nlpkit.data.suite_templates import fill, slots_of
from nlpkit.errors import ConfigError, DataError, NlpkitError, SourceError
from nlpkit.sources import resolve

HEAD = """
words:
  thing: [meal, hour]
  good: [great, nice, honest]
tests:
"""


def write(folder: Path, tests: str, name: str = "own.yaml", head: str = HEAD) -> Path:
    path = folder / name
    path.write_text(head.lstrip() + tests, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("{thing:a} and {good:a} one", "An hour and an honest one"),
        ("it was {good2:upper}.", "It was GREAT."),
        ("{thing:tag}", "#Hour"),
        ("{text:lower} again", "the hour again"),
        ("{text:bare}!", "The Hour!"),
    ],
)
def test_a_form_changes_the_word_in_its_slot(template: str, sentence: str) -> None:
    words = {"thing": "hour", "good": "honest", "good2": "great", "text": "The Hour"}
    assert fill(template, words) == sentence
    assert all(slot.form or slot.name for slot in slots_of(template))


def test_a_typo_swaps_two_letters_inside_one_word_and_is_the_same_each_time() -> None:
    text = "The waiter was helpful."
    typo = fill("{text:typo}", {"text": text})
    changed = [(old, new) for old, new in zip(text.split(), typo.split(), strict=True) if old != new]
    assert len(changed) == 1
    assert sorted(changed[0][0]) == sorted(changed[0][1])
    assert changed[0][0][0] == changed[0][1][0]
    assert fill("{text:typo}", {"text": text}) == typo
    assert fill("{text:typo}", {"text": "It is so."}) == "It is so."


def test_every_way_to_fill_a_template_is_a_case_and_slots_of_one_list_differ(tmp_path: Path) -> None:
    path = write(tmp_path, "  - {name: a, expect: positive, templates: ['{good} and {good2}']}")
    cases = read_suite(path)
    assert [case.text for case in cases] == [
        "Great and nice",
        "Great and honest",
        "Nice and great",
        "Nice and honest",
        "Honest and great",
        "Honest and nice",
    ]
    assert {(case.expect, case.topic, case.where) for case in cases} == {
        (("positive",), "a", "own.yaml, line 5")
    }


def test_large_products_are_sampled_the_same_way_each_time(tmp_path: Path) -> None:
    words = ", ".join(f"w{number}" for number in range(100))
    head = f"each: 7\nwords: {{w: [{words}]}}\ntests:\n"
    path = write(tmp_path, "  - {name: a, expect: neutral, templates: ['{w} {w2} {w3}']}", head=head)
    texts = [case.text for case in read_suite(path)]
    assert len(texts) == len(set(texts)) == 7
    assert texts == [case.text for case in read_suite(path)]


def test_a_change_a_varied_slot_and_a_written_pair_give_the_text_before(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
  - {name: a, relation: same, change: "{text} {thing:tag}", templates: ["It was {good}."], each: 1}
  - {name: b, relation: same, vary: thing, templates: ["The {thing} ended."]}
  - {name: c, relation: not down, templates: [{text: "A {thing}.", changed: "A {good} {thing}."}], each: 1}
""",
    )
    pairs = [(case.topic, case.before, case.text) for case in read_suite(path)]
    changed, *varied, written = pairs
    assert changed[1:] in {
        (f"It was {good}.", f"It was {good}. #{thing}")
        for good in ("great", "nice", "honest")
        for thing in ("Meal", "Hour")
    }
    assert varied == [
        ("b", "The meal ended.", "The hour ended."),
        ("b", "The hour ended.", "The meal ended."),
    ]
    assert written[1] in ("A meal.", "A hour.")


def test_files_of_a_folder_share_their_words(tmp_path: Path) -> None:
    write(tmp_path, "", "lists.yaml", head="words: {thing: [meal]}\n")
    write(tmp_path, "  - {name: a, expect: neutral, templates: ['A {thing}.']}", head="tests:\n")
    assert [case.text for case in read_suite(tmp_path)] == ["A meal."]
    write(tmp_path, "", "more.yaml", head="words:\n  thing: [hour]\n")
    with pytest.raises(DataError, match=r"more.yaml, line 2: the list 'thing' stands in another file"):
        read_suite(tmp_path)


@pytest.mark.parametrize(
    ("tests", "message"),
    [
        (
            "  - {name: a, expect: neutral, templates: ['A {things}.']}",
            r"line 5: no words for the slot 'things'",
        ),
        (
            "  - {name: a, expect: neutral, templates: ['A {thing:an}.']}",
            r"line 5: .*no form 'an'; did you mean 'a'",
        ),
        ("  - {name: a, expect: neutral, templates: ['A {thing.']}", r"line 5: .*hint: write a slot as"),
        (
            "  - {name: a, expect: [positive], templates: [Fine.]}\n"
            "  - {name: b, expect: [negative], templates: [Fine.]}",
            r"own.yaml, line 6: 'Fine.' is expected to be negative, but own.yaml, line 5 expects positive",
        ),
        ("  - {name: a, relation: same, vary: good, templates: ['A {thing}.']}", r"line 5: no slot 'good'"),
        ("  - {name: a, templates: ['A {thing}.']}", r"either `expect` or `relation`"),
        ("  - {name: a, relation: same, templates: ['A {thing}.']}", r"'a' changes nothing"),
        ("  - {name: a, expect: up, vary: thing, templates: ['A {thing}.']}", r"expected `relation`"),
        ("  - {name: a, relation: upp, vary: thing, templates: ['A {thing}.']}", r"line 5: .*relation.*upp"),
        (
            "  - {name: a, expects: neutral, templates: ['A.']}",
            r"line 5: .*unknown key; did you mean 'expect'",
        ),
        ("  []", "no tests"),
    ],
)
def test_a_wrong_suite_is_refused_with_its_line(tmp_path: Path, tests: str, message: str) -> None:
    with pytest.raises(NlpkitError, match=message) as caught:
        read_suite(write(tmp_path, tests))
    assert isinstance(caught.value, (ConfigError, DataError))


def test_a_suite_gives_training_rows_with_the_first_label_expected(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
  - {name: a, expect: [positive, neutral], templates: ["Not {good}."]}
  - {name: b, relation: same, vary: thing, templates: ["The {thing} ended."]}
""",
    )
    left_out: list[str] = []
    records = list(read_records(path, on_left_out=lambda row: left_out.append(row.words)))
    assert [record.fields for record in records] == [
        {"text": f"Not {good}.", "label": "positive"} for good in ("great", "nice", "honest")
    ]
    assert left_out == ["cases that compare two answers, and have no label: 2"]


def test_the_half_to_develop_on_is_a_source_of_rows_and_the_other_is_not() -> None:
    records = list(read_records(resolve("behavior/dev", kind="data"), on_left_out=lambda row: None))
    assert {record.fields["label"] for record in records} == {"negative", "neutral", "positive"}
    assert len(records) > 4000
    with pytest.raises(SourceError, match=r"the half to report on.*hint: behavior/dev"):
        resolve("behavior", kind="data")
    with pytest.raises(SourceError, match="is data, expected a model"):
        resolve("behavior/dev")
