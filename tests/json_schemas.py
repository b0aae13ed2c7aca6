"""Fifty JSON Schemas of the kinds that clients send, for tests of replies that are JSON."""

from __future__ import annotations

from typing import Any

BOOLEAN = {"type": "boolean"}
WORD = {"type": "string", "maxLength": 5}
DIGIT = {"type": "integer", "minimum": 0, "maximum": 9}


def record(**properties: Any) -> dict[str, Any]:
    """An object with exactly these properties."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def array(items: Any, least: int, most: int) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": least, "maxItems": most}


def matching(pattern: str) -> dict[str, Any]:
    return {"type": "string", "pattern": pattern}


TREE = {
    "$defs": {"node": record(value=DIGIT, children=array({"$ref": "#/$defs/node"}, 0, 1))},
    "$ref": "#/$defs/node",
}
SHAPES = {
    "anyOf": [
        record(kind={"const": "circle"}, radius={"type": "number", "exclusiveMinimum": 0, "maximum": 10}),
        record(kind={"const": "square"}, side=DIGIT),
    ]
}

SCHEMAS: list[dict[str, Any]] = [
    # objects
    record(name=WORD),
    record(name=WORD, age={"type": "integer", "minimum": 0, "maximum": 120}),
    {**record(a=WORD, b=DIGIT), "required": []},
    {**record(a=WORD, b=DIGIT), "required": ["b"]},
    {"type": "object", "additionalProperties": DIGIT, "maxProperties": 2},
    {**record(a=DIGIT), "additionalProperties": WORD, "maxProperties": 2},
    record(),
    record(**{"first name": WORD, "a.b": DIGIT, "\"quoted\"": DIGIT, "back\\slash": DIGIT}),
    # unicode keys and values
    record(имя=WORD, 年齢=DIGIT),
    record(**{"größe": DIGIT, "🙂": BOOLEAN}),
    {"enum": ["naïve", "日本", "🙂", "a\nb", "tab\t"]},
    # nested
    record(person=record(name=WORD, home=record(street=WORD, zip=matching("^[0-9]{5}$")))),
    record(a=record(b=record(c=record(d=record(e=DIGIT))))),
    record(rows=array(record(x=DIGIT, y=DIGIT), 1, 3)),
    array(array(DIGIT, 2, 2), 2, 2),
    TREE,
    # arrays
    array(DIGIT, 0, 3),
    array(WORD, 2, 2),
    array({"enum": ["red", "green"]}, 1, 4),
    array(BOOLEAN, 3, 5),
    {"type": "array", "prefixItems": [WORD, DIGIT], "items": False, "minItems": 2},
    {"type": "array", "prefixItems": [{"const": 1}], "items": {"const": 2}, "minItems": 1, "maxItems": 4},
    record(tags=array(WORD, 1, 2), scores=array({"type": "number", "minimum": 0, "maximum": 1}, 1, 2)),
    # enums and constants
    {"enum": ["positive", "neutral", "negative"]},
    {"enum": [1, 2.5, None, True, "one", {"a": 1}, [1, 2]]},
    {"type": "string", "enum": ["a", "b"]},
    {"const": "fixed"},
    {"const": {"a": [1, None, {"b": False}]}},
    record(label={"enum": ["spam", "ham"]}, confident=BOOLEAN),
    # numbers
    {"type": "integer", "minimum": -5, "maximum": 5},
    {"type": "integer", "exclusiveMinimum": 99, "exclusiveMaximum": 1000},
    {"type": "number", "minimum": -1.5, "maximum": 1.5},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    {"type": "integer", "multipleOf": 5, "minimum": 0, "maximum": 1000},
    record(latitude={"type": "number", "minimum": -90, "maximum": 90}, height={**DIGIT, "maximum": 9000}),
    # several types, anyOf, oneOf, allOf
    {"type": ["string", "null"], "maxLength": 4},
    {"anyOf": [DIGIT, {"type": "null"}, BOOLEAN]},
    SHAPES,
    record(shape=SHAPES, note={"anyOf": [WORD, {"type": "null"}]}),
    {"oneOf": [record(kind={"const": "a"}, x=DIGIT), record(kind={"const": "b"}, y=DIGIT)]},
    {"allOf": [{"type": "integer", "minimum": 3}, {"maximum": 8}]},
    # strings
    {"type": "string", "minLength": 3, "maxLength": 6},
    matching("^[A-Z]{2}-[0-9]{3}$"),
    matching("^(?:yes|no|maybe)$"),
    {**matching("^[äöü]+$"), "maxLength": 4},
    {"type": "string", "format": "date"},
    {"type": "string", "format": "date-time"},
    {"type": "string", "format": "uuid"},
    {"type": "string", "format": "ipv4"},
    record(day={"type": "string", "format": "date"}, code=matching("^\\d{4}$"), who=WORD),
]  # fmt: skip
