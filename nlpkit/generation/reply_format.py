"""The format that a reply must have: JSON, of a schema where one is given."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nlpkit.errors import NlpkitError

MAX_CHARACTERS = 100_000
"""Characters of a schema."""


class ReplyFormatError(NlpkitError):
    """The chat model cannot write replies in this format."""

    def __init__(self, message: str, *, code: str = "invalid_json_schema") -> None:
        super().__init__(message)
        self.code = code
        """The code of OpenAI's protocol for it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplyFormat:
    """A reply that is one JSON value."""

    schema: Mapping[str, Any] | None = None
    """The JSON Schema that the value obeys; None: any object."""
    name: str = "reply"
    """What the client calls the schema."""

    def __post_init__(self) -> None:
        """Refuse a schema that is too large.

        Raises:
            ReplyFormatError: it has too many characters or levels.
        """
        try:
            size = len(self.schema_text)
        except RecursionError:
            raise ReplyFormatError("the schema has too many levels; hint: use a simpler one") from None
        if size > MAX_CHARACTERS:
            raise ReplyFormatError(
                f"the schema has {size:,} characters; expected at most {MAX_CHARACTERS:,}; "
                "hint: use a simpler one"
            )

    @property
    def schema_text(self) -> str:
        """Return the schema as JSON."""
        return json.dumps({"type": "object"} if self.schema is None else self.schema)

    @property
    def request_field(self) -> dict[str, Any]:
        """Return the format as `response_format` of OpenAI's protocol."""
        if self.schema is None:
            return {"type": "json_object"}
        return {"type": "json_schema", "json_schema": {"name": self.name, "schema": self.schema}}
