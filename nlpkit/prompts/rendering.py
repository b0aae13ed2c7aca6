"""A tokenizer's chat template, rendered around messages, without the time and the memory that a hostile one would take.

A template is a program from whoever made the model. transformers' sandbox keeps it from files and names, not from `'a' * 10**9`
or a loop that never ends. Limits inside jinja2 leak: text grows by `*`, `~`, `+`, join, replace, center, indent, format and blocks that
are set, and one long call is never counted. So a template that is not known renders in a process that can be ended.

* render_template
  x KNOWN      templates by their SHA-256, read by us: they are rendered here
  x Renderer   one child process for all others, kept between renders: rendering_child
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nlpkit.errors import RunError

SECONDS = 5.0
"""For one render; a usual one takes a thousandth."""

STARTING = 120.0
"""Seconds for the child to start, which takes one on a quiet machine."""

CHILD = Path(__file__).with_name("rendering_child.py")

DEFAULT_TEMPLATE = (
    "{% for message in messages %}{{ message.role }}:\n{{ message.content }}{{ eos_token }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:\n{% endif %}"
)
"""For models that bring none: each turn below its role, closed by the end token."""

KNOWN = frozenset({
    hashlib.sha256(DEFAULT_TEMPLATE.encode()).hexdigest(),
    "872be49dbb638044ad01b60388f48d469ff2980e5f0dccdc22ec907db54d0788",  # smollm2-135m of the catalogue
})  # fmt: skip


class TemplateLimitError(RunError):
    """A chat template took more time or memory than a template may."""


def render_template(
    tokenizer: Any, source: str, messages: Sequence[Mapping[str, str]], *, asking: bool
) -> str:
    """The conversation as the template writes it; `asking` opens a reply after it.

    Raises:
        TemplateLimitError: the template took too much time or memory, or its process ended.
        RunError: the template fails.
    """
    if hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest() not in KNOWN:
        request = {"template": source, "messages": messages, "asking": asking}
        return _renderer().render(
            {**request, "values": {**tokenizer.special_tokens_map, "enable_thinking": False}},
            who=_who(tokenizer),
        )
    try:
        written: str = tokenizer.apply_chat_template(
            list(messages),
            chat_template=source,
            tokenize=False,
            add_generation_prompt=asking,
            enable_thinking=False,
        )
    except Exception as error:  # as jinja2 and the template's own raise_exception like
        raise RunError(
            f"{_who(tokenizer)}: its chat template fails: {(str(error).splitlines() or [''])[0][:200]}"
        ) from None
    return written


def _who(tokenizer: Any) -> str:
    return str(getattr(tokenizer, "name_or_path", "")) or "the model"


class Renderer:
    """A child process that renders; a new one where there is none. For any thread, one render at a time."""

    def __init__(self) -> None:
        self._one_at_a_time = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None

    def render(self, request: Mapping[str, Any], *, who: str) -> str:
        """What the child makes of a request.

        Raises:
            RunError: as for `render_template`.
        """
        with self._one_at_a_time:
            child = self._child or self._start()
            line = self._line(child, SECONDS, json.dumps(request).encode() + b"\n")
            if not line:
                self.end()
                raise _too_much(
                    who, f"it ran for {SECONDS:.0f} seconds, or broke the process that renders it"
                )
            found = json.loads(line)
            if found.get("over"):
                self.end()  # what it took may not all be given back
                raise _too_much(who, found["error"])
        if "error" in found:
            raise RunError(f"{who}: its chat template fails: {found['error']}")
        return str(found["text"])

    def end(self) -> None:
        """End the child, whatever it does."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            with child:  # closes its pipes and waits
                pass

    def _start(self) -> subprocess.Popen[bytes]:
        # -P: the script's folder holds modules that are called as others are
        self._child = child = subprocess.Popen(
            [sys.executable, "-P", str(CHILD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        )
        if not self._line(child, STARTING):
            self.end()
            raise RunError(
                "the process that renders chat templates does not start; cure: see whether `import transformers` works"
            )
        return child

    def _line(self, child: subprocess.Popen[bytes], seconds: float, request: bytes = b"") -> bytes:
        """The child's next line; empty where it ended, or was ended after so long."""
        clock = threading.Timer(seconds, child.kill)
        clock.daemon = True
        clock.start()
        try:
            if child.stdin is None or child.stdout is None:
                return b""
            child.stdin.write(request)
            child.stdin.flush()
            return child.stdout.readline()
        except BrokenPipeError:
            return b""
        finally:
            clock.cancel()


def _too_much(who: str, why: str) -> TemplateLimitError:
    return TemplateLimitError(
        f"{who}: its chat template is refused: {why}; cure: a model whose template only writes what is said"
    )


_renderers: dict[int, Renderer] = {}
"""By process: a fork shares its parent's pipes, and must not write into them."""


def _renderer() -> Renderer:
    return _renderers.setdefault(os.getpid(), Renderer())


@atexit.register
def _end() -> None:
    if own := _renderers.get(os.getpid()):
        own.end()
