"""Constrained decoding: of the next tokens only those that keep a reply valid JSON, or valid for its schema.

llguidance follows the grammar. Each reply has a constraint of its own, which its sampler asks for the tokens
that may follow. It needs only logits, so it is the same on every runtime.
"""

from __future__ import annotations

import functools
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlpkit.errors import ConfigError, optional
from nlpkit.generation import grammar_child
from nlpkit.generation.reply_format import ReplyFormat, ReplyFormatError
from nlpkit.prompts.template import ChatTemplate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WALL_SECONDS = 20.0
"""Time limit for the process that compiles a schema first, its start on a busy machine included."""

OPTIONS: dict[str, Any] = {
    "item_separator": ",",
    "key_separator": ":",
    "whitespace_flexible": True,
    # One space, or a line break and an indent: with unlimited white space, small models write nothing else
    "whitespace_pattern": r" |\n {0,16}",
    "coerce_one_of": False,
    "lenient": False,
}
"""How schemas are read. These overrule a schema's own `x-guidance`, so that nothing of it is ignored."""


class JsonConstraint:
    """The tokens that may come next in one reply."""

    def __init__(self, matcher: Any, writable: NDArray[np.uint8]) -> None:
        self._matcher = matcher
        self._writable = writable

    def allowed(self, vocabulary: int) -> NDArray[np.int64]:
        """Return the ids that may come next, in ascending order.

        Args:
            vocabulary: how many logits there are.

        Raises:
            ReplyFormatError: the reply needs more work than is allowed, or the tokenizer cannot spell it.
        """
        import numpy as np

        bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        _raise_error(self._matcher)
        ids = np.flatnonzero(np.unpackbits(bits & self._writable, count=vocabulary, bitorder="little"))
        if not len(ids):
            raise _refusal("the model's tokenizer cannot spell a text that it requires")
        return ids

    def push(self, token: int) -> None:
        """Add the token that was chosen."""
        self._matcher.consume_token(token)
        _raise_error(self._matcher)


class JsonConstraints:
    """Makes the constraints of one model's replies. For any thread."""

    def __init__(self, tokenizer: Any, template: ChatTemplate) -> None:
        self._tokenizer = tokenizer
        self._template = template
        self._lock = threading.Lock()
        self._loaded: tuple[Any, NDArray[np.uint8]] | None = None

    def new(self, reply_format: ReplyFormat) -> JsonConstraint:
        """Return the constraint of a reply in this format.

        Raises:
            ReplyFormatError: llguidance is missing, does not know the tokenizer, or refuses the schema.
        """
        grammar = _grammar(reply_format.schema_text)
        if error := _compile_error(grammar):
            raise _refusal(error)
        with self._lock:
            tokenizer, writable = self._loaded = self._loaded or self._load()
        matcher = grammar_child.new_matcher(tokenizer, grammar)
        _raise_error(matcher)
        return JsonConstraint(matcher, writable)

    def _load(self) -> tuple[Any, NDArray[np.uint8]]:
        """Return the tokenizer as llguidance reads it, and a bit for each token that a reply may hold."""
        import numpy as np

        ends = [self._template.end_id]
        if self._tokenizer.eos_token_id not in (None, *ends):
            ends.append(self._tokenizer.eos_token_id)
        try:
            tokenizer = grammar_child.llguidance().LLTokenizer(
                self._tokenizer.backend_tokenizer.to_str(), eos_token=ends
            )
        except Exception as error:  # it raises several kinds, and a slow tokenizer has no backend
            reason = f"this model's tokenizer cannot write JSON alone: {_line(error)}"
            raise ReplyFormatError(
                f"{reason}; hint: leave out response_format", code="unsupported_parameter"
            ) from None
        writable = np.ones((tokenizer.vocab_size + 31) // 32 * 32, dtype=bool)
        # The reader of a reply never sees control tokens, so they are no part of its text
        hidden = sorted(self._template.control_ids - {*ends})
        writable[[token for token in hidden if token < len(writable)]] = False
        return tokenizer, np.packbits(writable, bitorder="little")


def _grammar(schema: str) -> str:
    try:
        library: Any = optional("llguidance", extra="json")
    except ConfigError as error:
        raise ReplyFormatError(str(error), code="unsupported_parameter") from None
    try:
        grammar: str = library.LLMatcher.grammar_from_json_schema(schema, overrides=OPTIONS)
    except ValueError as error:
        raise _refusal(str(error)) from None
    return grammar


TOO_COSTLY = "compiling it takes too long or too much memory, often because of patterns or a large multipleOf"

_compiling = threading.Lock()
"""Clients that send costly schemas use one processor together."""


@functools.lru_cache(maxsize=256)
def _compile_error(grammar: str) -> str:
    """Return what is wrong with a grammar, found in a process that is killed if it takes too much."""
    with _compiling:
        try:
            # -P: the script's folder holds modules with the names of others
            child = subprocess.run(
                [sys.executable, "-P", str(Path(grammar_child.__file__))],
                input=grammar.encode(),
                capture_output=True,
                timeout=WALL_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:  # not cached: the machine may have been busy
            raise _refusal(TOO_COSTLY) from None
    return TOO_COSTLY if child.returncode else child.stdout.decode(errors="replace")


def _raise_error(matcher: Any) -> None:
    if error := matcher.get_error():
        raise _refusal(error)


def _refusal(error: str) -> ReplyFormatError:
    return ReplyFormatError(f"the schema is refused: {_line(error)}; hint: use a simpler schema")


def _line(error: object) -> str:
    """Return the start of a library's message as one line."""
    return " ".join(str(error).replace("<non-verbose/>", "").split())[:200]
