"""A process that renders chat templates for its parent: JSON lines in, JSON lines out. It runs as a script and imports nothing of nlpkit.

The renderer is transformers' own, so that what comes out, and what its sandbox refuses, is what transformers makes of the template.
"""

from __future__ import annotations

import json
import sys
from typing import Any

ROOM = 512 * 1024 * 1024
"""Bytes of memory that rendering may take on top of what this process holds at its start."""

LONGEST = 10_000_000
"""Characters of a rendered conversation, in which each message is a placeholder of a few."""


def limit_memory() -> None:
    """Refuse this process more than ROOM; without such limits (Windows) only the parent's clock ends it."""
    try:
        import resource
    except ImportError:
        return
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            held = int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        held = 4 * ROOM
    try:
        resource.setrlimit(resource.RLIMIT_AS, (held + ROOM, held + ROOM))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (OSError, ValueError):  # some systems know the limit and do not take it
        return


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """The rendered text, or why there is none; `over` says that it took too much."""
    from transformers.utils.chat_template_utils import render_jinja_template

    try:
        text = render_jinja_template(
            conversations=[request["messages"]],
            chat_template=request["template"],
            add_generation_prompt=request["asking"],
            **request["values"],
        )[0][0]
        if len(text) > LONGEST:
            return {"error": f"it writes {len(text):,} characters around the messages", "over": True}
    except MemoryError:
        return {"error": f"it takes more than {ROOM // 1024**2} MiB of memory", "over": True}
    except Exception as error:  # a template is a program of its own and raises what it likes
        return {"error": (str(error).splitlines() or [""])[0][:200], "over": False}
    return {"text": text}


def main() -> None:
    """Answer until the parent ends."""
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
