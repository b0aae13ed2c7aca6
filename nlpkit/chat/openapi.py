"""The server's OpenAPI schema: what each path takes, with every `$ref` in it resolved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastapi import FastAPI
    from pydantic import BaseModel

PLACE = "#/components/schemas/{model}"

_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"description": text, "content": {"application/json": {"schema": _ERROR}}}
    for status, text in (("4XX", "The request is refused."), ("5XX", "The server failed, or is busy."))
}
"""The responses to what is refused, on every path."""


def streamed() -> dict[int | str, dict[str, Any]]:
    """Return the responses of a path that also sends its reply as a stream."""
    return {200: {"description": "The reply.", "content": {"text/event-stream": {}}}, **ERRORS}


def body_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return the part of a path's schema that describes its body."""
    schema = {"$ref": PLACE.format(model=model.__name__)}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def schema_of(app: FastAPI, models: Sequence[type[BaseModel]]) -> dict[str, Any]:
    """Return the schema of an app, whose bodies are these models."""
    from fastapi.openapi.utils import get_openapi

    schema = get_openapi(title=app.title, version=app.version, routes=app.routes)
    parts = schema.setdefault("components", {}).setdefault("schemas", {})
    for model in models:
        tree = model.model_json_schema(ref_template=PLACE)
        _allow_nulls(tree)
        parts |= {**tree.pop("$defs", {}), model.__name__: tree}
    return schema


def _allow_nulls(tree: dict[str, Any]) -> None:
    """Say that a body may give null for each field that it may leave out."""
    for name, field in tree["properties"].items():
        if name not in tree["required"] and {"type": "null"} not in field.get("anyOf", ()):
            tree["properties"][name] = {"anyOf": [field, {"type": "null"}]}
