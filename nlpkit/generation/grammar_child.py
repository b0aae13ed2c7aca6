"""Compile the grammar of a JSON Schema; as a script, in a process that ends before it takes too much.

llguidance limits the size of a grammar and the work for each token. A few schemas, such as a large
`multipleOf`, still take minutes or gigabytes to compile. The script therefore compiles each unknown grammar
first. It imports nothing of nlpkit, reads the grammar from stdin and writes what is wrong with it to stdout.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

SECONDS = 1
"""Processor time that compiling may take; a usual schema takes a hundredth of it."""

MEMORY_LIMIT = 512 * 1024 * 1024
"""Bytes of memory that compiling may take, all of the process included."""

LEXER_STATES = 25_000
"""States of a reply's lexer at most, of 2 kB each; the library's default is ten times as many."""


def llguidance() -> Any:
    """Import the library; the parent has found it before."""
    return importlib.import_module("llguidance")


def new_matcher(tokenizer: Any, grammar: str) -> Any:
    """Return a matcher that has read nothing. Its error is set if the grammar is invalid or too large."""
    library = llguidance()
    limits = library.LLParserLimits(max_lexer_states=LEXER_STATES, verbose_errors=False)
    matcher = library.LLMatcher(tokenizer, grammar, log_level=0, limits=limits)
    if not matcher.is_error():
        matcher.compute_bitmask()  # some limits are only found here
    return matcher


def limit_process() -> None:
    """Limit this process; where that is impossible (Windows), only the parent's timer ends it."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    used = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    for kind, limit in ((resource.RLIMIT_CPU, int(used) + 1 + SECONDS), (resource.RLIMIT_AS, MEMORY_LIMIT)):
        try:
            resource.setrlimit(kind, (limit, limit))
        except (OSError, ValueError):  # some systems have the limit and do not accept a value
            continue


def main() -> None:
    """Compile the grammar for a tokenizer of single bytes."""
    library = llguidance()
    limit_process()
    sys.stdout.write(new_matcher(library.LLTokenizer("byte"), sys.stdin.read()).get_error())


if __name__ == "__main__":
    main()
