"""A process that renders chat templates for its parent: JSON lines in, JSON lines out.

It runs as a script and imports nothing of nlpkit. It uses the renderer of transformers, so that the text, and
what the sandbox refuses, are what transformers makes of the template.
"""

from __future__ import annotations

import json
import sys
from typing import Any

MEMORY_LIMIT = 512 * 1024 * 1024
"""Bytes of memory that rendering may take in addition to what this process holds at its start."""

MAX_CHARACTERS = 10_000_000
"""Characters of a rendered conversation, in which each message is a placeholder of a few."""


def limit_memory() -> None:
    """Limit the memory of this process; without such limits (Windows), only the parent's timer ends it."""
    try:
        import resource
    except ImportError:
        return
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            held = int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        held = 4 * MEMORY_LIMIT
    try:
        resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY_LIMIT, held + MEMORY_LIMIT))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (OSError, ValueError):  # some systems have the limit and do not accept a value
        return


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Return the rendered text, or why there is none; `over_limit` tells whether it took too much."""
    from transformers.utils.chat_template_utils import render_jinja_template

    try:
        text = render_jinja_template(
            conversations=[request["messages"]],
            chat_template=request["template"],
            add_generation_prompt=request["add_generation_prompt"],
            **request["values"],
        )[0][0]
        if len(text) > MAX_CHARACTERS:
            return {"error": f"it writes {len(text):,} characters around the messages", "over_limit": True}
    except MemoryError:
        return {"error": f"it takes more than {MEMORY_LIMIT // 1024**2} MiB of memory", "over_limit": True}
    except Exception as error:  # a template is a program and raises whatever it likes
        return {"error": (str(error).splitlines() or [""])[0][:200], "over_limit": False}
    return {"text": text}


def main() -> None:
    """Answer requests until the parent ends."""
    import transformers.utils.chat_template_utils  # noqa: F401

    limit_memory()
    out = sys.stdout.buffer
    out.write(b"{}\n")  # ready
    out.flush()
    for line in sys.stdin.buffer:
        out.write(json.dumps(answer(json.loads(line))).encode() + b"\n")
        out.flush()


if __name__ == "__main__":
    main()
