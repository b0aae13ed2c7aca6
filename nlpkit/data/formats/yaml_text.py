"""The values of a YAML file, each scalar as the text that it is written as: nothing is constructed."""

from __future__ import annotations

import io
from typing import Any

from nlpkit.data.rows import DataFile
from nlpkit.errors import DataError

MAX_CHARACTERS = 16 << 20
MAX_DEPTH = 50


def yaml_of(file: DataFile, text: io.TextIOWrapper) -> Any:
    """Return the lists, mappings and texts of a YAML file; an empty value is None.

    Raises:
        DataError: it is not YAML, too long, too deep, or uses aliases, which may grow without end.
    """
    from ruamel.yaml.error import YAMLError

    content = text.read(MAX_CHARACTERS + 1)
    if len(content) > MAX_CHARACTERS:
        raise DataError(
            f"{file.name}: longer than {MAX_CHARACTERS:,} characters, which is read as a whole; "
            "hint: split it into several files"
        )
    try:
        return _built(file, content)
    except (YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark is not None else ""
        reason = str(getattr(error, "problem", None) or error).strip().splitlines()[0]
        raise DataError(f"{file.name}{where}: not valid YAML: {reason}; hint: correct it") from None


def _built(file: DataFile, content: str) -> Any:
    """Build the values from the events of the parser, one after another."""
    from ruamel.yaml import YAML
    from ruamel.yaml import events as kinds

    parser: Any = YAML(typ="safe", pure=True)
    # The list or mapping that is open, with the key that waits for its value.
    open_values: list[tuple[Any, list[str]]] = []
    documents: list[Any] = []
    for event in parser.parse(io.StringIO(content)):
        if isinstance(event, kinds.AliasEvent):
            line = event.start_mark.line + 1
            raise DataError(
                f"{file.name}, line {line}: an alias (*{event.anchor}); hint: write the value out"
            )
        if isinstance(event, kinds.CollectionEndEvent):
            open_values.pop()
            continue
        if isinstance(event, kinds.ScalarEvent):
            is_empty = event.style is None and event.value in ("", "~", "null")
            value = None if is_empty else event.value
        elif isinstance(event, kinds.CollectionStartEvent):
            value = {} if isinstance(event, kinds.MappingStartEvent) else []
        else:
            continue
        _put(value, open_values, documents)
        if isinstance(event, kinds.CollectionStartEvent):
            open_values.append((value, []))
            if len(open_values) > MAX_DEPTH:
                raise DataError(f"{file.name}: nested deeper than {MAX_DEPTH} levels; hint: correct it")
    if len(documents) != 1:
        raise DataError(f"{file.name}: expected one YAML document, found {len(documents)}")
    return documents[0]


def _put(value: Any, open_values: list[tuple[Any, list[str]]], documents: list[Any]) -> None:
    """Put a value where it belongs: into the open list or mapping, or as the key of the next one."""
    if not open_values:
        documents.append(value)
        return
    inside, key = open_values[-1]
    if isinstance(inside, list):
        inside.append(value)
    elif not key:
        if isinstance(value, (dict, list)):
            raise ValueError("a key that is a list or a mapping")
        key.append(value or "")
    elif key[0] in inside:
        raise ValueError(f"the key {key[0]!r} stands there twice")
    else:
        inside[key.pop()] = value
