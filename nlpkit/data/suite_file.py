"""A suite of sentences in YAML: tests, each with templates and with what is expected of an answer.

In the manner of CheckList (Ribeiro et al. 2020, arXiv:2005.04118): a test expects labels (minimum
functionality), or it compares the answers to a text and to the same text after a change: the label stays the
same (invariance), or the score moves in one direction only (direction). docs/behavior.md describes the
format.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from nlpkit.config import Keys, read_config, validate
from nlpkit.data.suite_templates import TEXT, Slot, fill, fillings, slots_of
from nlpkit.errors import DataError, nearest
from nlpkit.settings import Settings

Relation: TypeAlias = Literal["same", "up", "down", "not up", "not down"]
"""What the answer to a changed text is, compared with that to the text before: the same label, or a score
that rises, falls, or does not by more than TOLERANCE."""
TOLERANCE = 0.1
"""How far a score may move in the direction that is not expected: 5% of its range from -1 to 1."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A sentence, and what is expected of the answer to it."""

    text: str
    expect: tuple[str, ...] = ()
    """The labels that are right; empty where the answer is compared with that to another text."""
    topic: str
    """The name of its test."""
    template: str
    """The sentence before its slots were filled: cases that share it differ by a word."""
    group: str | None = None
    """The group that the sentence names, where it names one."""
    before: str | None = None
    """The text that it is compared with."""
    relation: Relation | None = None
    phenomenon: str = ""
    where: str = ""
    """File and line of the template."""


def _texts(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _templates(value: object) -> object:
    if isinstance(value, (list, tuple)):
        return tuple({"text": item} if isinstance(item, str) else item for item in value)
    return value


Lines: TypeAlias = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_texts)]
Words: TypeAlias = dict[str, Annotated[tuple[str, ...], BeforeValidator(_texts), Field(min_length=1)]]


class Template(Settings):
    """A sentence with slots."""

    text: Annotated[str, Field(min_length=1)]
    changed: str = ""
    """The sentence after the change, with slots of the same names."""


class SuiteTest(Settings):
    """Cases that ask for one ability."""

    name: Annotated[str, Field(min_length=1)]
    phenomenon: str = ""
    """What part of language it is about: tests of one phenomenon stand together in a report."""
    expect: Lines = ()
    """The labels that are right. A training row gets the first of them."""
    relation: Relation | None = None
    """What the answer after a change is, compared with that before."""
    change: Lines = ()
    """Ways to change every text: templates with the slot `{text}`."""
    vary: str = ""
    """The slot whose word is changed for another of its list."""
    words: Words = Field(default={})
    """Lists of this test alone."""
    each: Annotated[int, Field(ge=1)] | None = None
    """How many cases are drawn of each template; default: the file's."""
    templates: Annotated[tuple[Template, ...], BeforeValidator(_templates), Field(min_length=1)]

    @model_validator(mode="after")
    def _one_kind(self) -> SuiteTest:
        if bool(self.expect) == bool(self.relation):
            raise ValueError(f"the test {self.name!r} has to have either `expect` or `relation`")
        has_change = bool(self.change or self.vary)
        if self.expect and (has_change or any(template.changed for template in self.templates)):
            raise ValueError(
                f"the test {self.name!r} changes texts; expected `relation` in place of `expect`"
            )
        if self.relation and not has_change and not all(template.changed for template in self.templates):
            raise ValueError(
                f"the test {self.name!r} changes nothing; expected `change`, `vary`, or `changed` in each "
                "template"
            )
        return self


class SuiteFile(Settings):
    """What a file holds."""

    title: str = ""
    seed: int = 1
    """Draws the words."""
    each: Annotated[int, Field(ge=1)] = 20
    """How many cases are drawn of each template, at most."""
    words: Words = Field(default={})
    """Lists of words by name: `{name}` in a template stands for one of them."""
    tests: tuple[SuiteTest, ...] = ()


def read_suite(path: Path) -> tuple[Case, ...]:
    """Return the cases of a file, or of all YAML files of a folder, which share their lists of words.

    Raises:
        ConfigError: a file is not valid YAML, or a key of it is wrong; names file and line.
        DataError: a slot has no words, two tests expect different labels for one text, or there are no tests.
    """
    files = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    read = [_read(file) for file in files]
    words: dict[str, tuple[str, ...]] = {}
    for file, (suite, lines) in zip(files, read, strict=True):
        for name, listed in suite.words.items():
            if name in words:
                raise DataError(
                    f"{file.name}, line {lines['words', name]}: the list {name!r} stands in another file of "
                    f"{path.name} too; hint: give one of them another name"
                )
            words[name] = listed
    cases = [
        case
        for file, (suite, lines) in zip(files, read, strict=True)
        for number, test in enumerate(suite.tests)
        for case in _cases(suite, test, words, _Source(file=file.name, lines=lines, test=number))
    ]
    if not cases:
        raise DataError(f"{path}: no tests; expected at least one below `tests`; see docs/behavior.md")
    _refuse_contradictions(cases)
    return tuple(cases)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Source:
    """Where a test stands."""

    file: str
    lines: Mapping[Keys, int]
    test: int

    def of(self, *keys: str | int) -> str:
        return f"{self.file}, line {self.lines['tests', self.test, *keys]}"


def _read(file: Path) -> tuple[SuiteFile, Mapping[Keys, int]]:
    tree, lines = read_config(file)
    return validate(tree, SuiteFile, where=file, lines=lines), lines


def _cases(
    suite: SuiteFile, test: SuiteTest, words: Mapping[str, Sequence[str]], source: _Source
) -> Iterator[Case]:
    lists = {**words, **test.words}
    changes = [(change, _slots(change, lists, source.of("change"), {TEXT})) for change in test.change]
    for number, template in enumerate(test.templates):
        where = source.of("templates", number)
        slots = _slots(template.text, lists, where)
        after = _slots(template.changed, lists, where)
        varied = [Slot(name=f"{test.vary}0", form="")] if test.vary else []
        if varied and test.vary not in {slot.name for slot in slots}:
            raise DataError(f"{where}: no slot {test.vary!r}, which `vary` names; hint: add {{{test.vary}}}")
        more = [slot for _, own in changes for slot in own if slot.name != TEXT]
        seed = f"{suite.seed} {test.name} {template.text}"
        ways = fillings([*slots, *after, *varied, *more], lists, test.each or suite.each, seed)
        for index, way in enumerate(ways):
            text = fill(template.text, way)
            before = None
            if template.changed:
                before, text = text, fill(template.changed, way)
            elif varied:
                before, text = text, fill(template.text, {**way, test.vary: way[varied[0].name]})
            elif changes:
                before, text = text, fill(changes[index % len(changes)][0], {**way, TEXT: text})
            if before != text:
                yield Case(
                    text=text,
                    expect=test.expect,
                    topic=test.name,
                    template=template.changed or template.text,
                    before=before,
                    relation=test.relation,
                    phenomenon=test.phenomenon or test.name,
                    where=where,
                )


def _slots(
    template: str,
    lists: Mapping[str, Sequence[str]],
    where: str,
    given: frozenset[str] | set[str] = frozenset(),
) -> list[Slot]:
    try:
        slots = slots_of(template)
    except ValueError as error:
        raise DataError(f"{where}: {error}; hint: write a slot as {{name}} or {{name:form}}") from None
    for slot in slots:
        if slot.name not in given and slot.words not in lists:
            raise DataError(
                f"{where}: no words for the slot {slot.name!r}; expected a list of that name below "
                f"`words`{nearest(slot.words, lists)}"
            )
    return slots


def _refuse_contradictions(cases: Sequence[Case]) -> None:
    first: dict[str, Case] = {}
    for case in cases:
        if not case.expect:
            continue
        known = first.setdefault(case.text, case)
        if set(known.expect) != set(case.expect):
            raise DataError(
                f"{case.where}: {case.text!r} is expected to be {' or '.join(case.expect)}, but "
                f"{known.where} expects {' or '.join(known.expect)}; hint: correct one of them"
            )
