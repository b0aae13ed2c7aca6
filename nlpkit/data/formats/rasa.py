"""Rasa's training data: the examples of intents (a row an example), and stories (a row a turn).

A story names intents and actions. What is said is a step's own text; else the first example of the intent and
the first response of the action, from the same file, or from `nlu.yml` and `domain.yml` next to it or one
folder up.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from nlpkit.data.formats.spoken_rows import ASSISTANT, USER, Tally, header, spoken
from nlpkit.data.formats.yaml_text import yaml_of
from nlpkit.data.rows import DataFile, Row, Stream
from nlpkit.data.text_files import parsed_text
from nlpkit.errors import DataError

NLU, STORIES = "rasa-nlu", "rasa-stories"
LABELED = ("text", "label")

_OTHERS = ("nlu.yml", "nlu.yaml", "domain.yml", "domain.yaml", "responses.yml")
_ENTITY = re.compile(r"\[([^\]\n]+)\](?:\([^)\n]*\)|\{[^}\n]*\})")


def has_nlu(start: str) -> bool:
    """Return whether the document has examples of intents."""
    return re.search(r"^nlu\s*:", start, re.MULTILINE) is not None and "intent" in start


def has_stories(start: str) -> bool:
    """Return whether the document has stories or rules."""
    return re.search(r"^(stories|rules)\s*:", start, re.MULTILINE) is not None and "steps" in start


def is_domain(start: str) -> bool:
    """Return whether the document lists intents and what is answered."""
    return re.search(r"^(intents|responses|actions)\s*:", start, re.MULTILINE) is not None


def examples(file: DataFile, columns: Collection[str]) -> Stream:
    """Yield the header, then a row for each example of an intent."""
    yield header(file, columns, LABELED)
    tally, document = Tally(file), _document(file)
    row = 0
    for item in _items(document, "nlu"):
        intent = item.get("intent")
        texts = _examples(item)
        if not isinstance(intent, str):
            kind = next(iter(item), "")
            tally.add(f"entries under {kind!r:.40}, which label no text")
            continue
        for text in texts:
            row += 1
            fields = {"text": _ENTITY.sub(r"\1", text), "label": intent}
            yield spoken(fields, file=file.name, row=row)
    tally.add("entries that are no intent", _others(document, "nlu"))
    tally.add(f"stories and rules (--format {STORIES} reads them)", len(_stories(document)))
    yield from tally.left_out()


def stories(file: DataFile, columns: Collection[str]) -> Stream:
    """Yield the header, then a row for each turn of the stories and rules in which someone speaks."""
    yield header(file, columns)
    tally, document = Tally(file), _document(file)
    words = _Words.of([document, *_next_to(file)])
    for number, (name, steps) in enumerate(_stories(document), 1):
        yield from _story(name, steps, words, tally, file, number)
    tally.add("entries that are no story", _others(document, "stories") + _others(document, "rules"))
    tally.add(f"intents with examples (--format {NLU} reads them)", len(_items(document, "nlu")))
    yield from tally.left_out()


def _document(file: DataFile) -> Mapping[str, Any]:
    (document,) = parsed_text(file, lambda text: (value for value in [yaml_of(file, text)]))
    if not isinstance(document, dict):
        raise DataError(f"{file.name}: expected Rasa's keys, such as nlu or stories")
    return document


def _next_to(file: DataFile) -> Iterator[Mapping[str, Any]]:
    """Yield the documents next to a file, or one folder up, that may hold what is said."""
    folders = [file.path.parent, file.path.absolute().parent.parent] if file.path else []
    for path in (folder / name for folder in folders for name in _OTHERS):
        if path.is_file() and file.path and path.absolute() != file.path.absolute():
            yield _document(replace(file, path=path, name=str(path)))


def _items(document: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    listed = document.get(key)
    return [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []


def _others(document: Mapping[str, Any], key: str) -> int:
    """Return how many entries of a list are none."""
    listed = document.get(key)
    return len(listed) - len(_items(document, key)) if isinstance(listed, list) else 0


def _stories(document: Mapping[str, Any]) -> list[tuple[str, list[Mapping[str, Any]]]]:
    return [
        (str(item.get("story") or item.get("rule") or ""), _items(item, "steps"))
        for key in ("stories", "rules")
        for item in _items(document, key)
    ]


def _examples(item: Mapping[str, Any]) -> list[str]:
    """Return the examples of an intent: lines after dashes, or a list of objects with a text."""
    listed = item.get("examples")
    if isinstance(listed, str):
        lines = [line.strip() for line in listed.splitlines()]
        return [text for line in lines if (text := line.removeprefix("-").strip())]
    if not isinstance(listed, list):
        return []
    texts = [example.get("text") if isinstance(example, dict) else example for example in listed]
    return [text.strip() for text in texts if isinstance(text, str)]


@dataclass(frozen=True, kw_only=True)
class _Words:
    """What stands for an intent and for an action: the first example, and the first response."""

    intents: Mapping[str, str]
    actions: Mapping[str, str]

    @classmethod
    def of(cls, documents: Collection[Mapping[str, Any]]) -> _Words:
        intents: dict[str, str] = {}
        actions: dict[str, str] = {}
        for document in documents:
            for item in _items(document, "nlu"):
                if texts := _examples(item):
                    intents.setdefault(str(item.get("intent")), _ENTITY.sub(r"\1", texts[0]))
            responses = document.get("responses")
            responses = responses if isinstance(responses, dict) else {}
            for name in responses:
                texts = [
                    item["text"] for item in _items(responses, name) if isinstance(item.get("text"), str)
                ]
                if texts:
                    actions.setdefault(name, texts[0])
        return cls(intents=intents, actions=actions)


def _story(
    name: str, steps: list[Mapping[str, Any]], words: _Words, tally: Tally, file: DataFile, number: int
) -> Iterator[Row]:
    """Yield the turns of a story, or none where what the user says is not known."""
    turns: list[tuple[str, str]] = []
    for step in steps:
        choices = _items(step, "or")
        tally.add("further choices of an 'or'", max(0, len(choices) - 1))
        step = choices[0] if choices else step
        if "user" in step or "intent" in step:
            text = step.get("user") or words.intents.get(str(step.get("intent")).removeprefix("/"))
            if text is None:
                tally.add("stories and rules with an intent of which no example was found")
                return
            turns.append((USER, _ENTITY.sub(r"\1", str(text)).strip()))
        elif "bot" in step or "action" in step:
            text = step.get("bot") or words.actions.get(str(step.get("action")))
            if text is None:
                tally.add("actions of which no response was found")
            else:
                turns.append((ASSISTANT, str(text).strip()))
        else:
            tally.add("steps in which nobody speaks")
    tally.add("stories and rules in which nobody speaks", not turns)
    for speaker, turn in turns:
        fields = {
            "conversation": f"{number} {name}".strip(),
            "speaker": speaker,
            "text": turn,
        }
        yield spoken(fields, file=file.name, row=number)
