"""Render a tokenizer's chat template without the time and the memory that a hostile one would take.

A template is a program written by whoever made the model. The sandbox of transformers keeps it from files and
names, but not from `'a' * 10**9` or an endless loop. Limits inside jinja2 leak: text grows by `*`, `~`, `+`,
join, replace, center, indent, format and blocks that are set, and one long call is never counted. An unknown
template is therefore rendered in a child process, which can be killed.

* render_template
  x KNOWN      templates by their SHA-256 that we have reviewed: rendered in this process
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
"""Time limit of one render; a usual one takes a thousandth of it."""

STARTING = 120.0
"""Time limit in seconds for the start of the child, which takes one second on a quiet machine."""

CHILD = Path(__file__).with_name("rendering_child.py")

DEFAULT_TEMPLATE = (
    "{% for message in messages %}{{ message.role }}:\n{{ message.content }}{{ eos_token }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:\n{% endif %}"
)
"""The template of models that have none: each turn below its role, then the end token."""

KNOWN = frozenset({
    hashlib.sha256(DEFAULT_TEMPLATE.encode()).hexdigest(),
    "872be49dbb638044ad01b60388f48d469ff2980e5f0dccdc22ec907db54d0788",  # smollm2-135m of the catalog
    "1572327409080ea71ecf63cd49c4e8989724cb5d24a6ceb518af5ae9d57e80c6",  # gemma3-270m of the catalog
})  # fmt: skip


class TemplateLimitError(RunError):
    """A chat template took more time or memory than is allowed."""


def render_template(
    tokenizer: Any, source: str, messages: Sequence[Mapping[str, str]], *, add_generation_prompt: bool
) -> str:
    """Return the conversation as the template writes it.

    Args:
        tokenizer: knows the special tokens that the template may use.
        source: the template.
        messages: each with a `role` and a `content`.
        add_generation_prompt: whether the opening of a reply follows.

    Raises:
        TemplateLimitError: the template took too much time or memory, or its process ended.
        RunError: the template fails.
    """
    if hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest() not in KNOWN:
        request = {
            "template": source,
            "messages": messages,
            "add_generation_prompt": add_generation_prompt,
            "values": {**tokenizer.special_tokens_map, "enable_thinking": False},
        }
        return _renderer().render(request, model=_name(tokenizer))
    try:
        text: str = tokenizer.apply_chat_template(
            list(messages),
            chat_template=source,
            tokenize=False,
            add_generation_prompt=add_generation_prompt,
            enable_thinking=False,
        )
    except Exception as error:  # jinja2 and the template's own raise_exception raise whatever they like
        raise RunError(
            f"{_name(tokenizer)}: its chat template fails: {(str(error).splitlines() or [''])[0][:200]}"
        ) from None
    return text


def _name(tokenizer: Any) -> str:
    return str(getattr(tokenizer, "name_or_path", "")) or "the model"


class Renderer:
    """A child process that renders, started when needed. For any thread; one render at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None

    def render(self, request: Mapping[str, Any], *, model: str) -> str:
        """Return the text that the child renders.

        Raises:
            RunError: as for `render_template`.
        """
        with self._lock:
            child = self._child or self._start()
            line = self._line(child, SECONDS, json.dumps(request).encode() + b"\n")
            if not line:
                self.end()
                raise _limit_error(
                    model, f"it ran for {SECONDS:.0f} seconds, or crashed the process that renders it"
                )
            response = json.loads(line)
            if response.get("over_limit"):
                self.end()  # the child may not give all its memory back
                raise _limit_error(model, response["error"])
        if "error" in response:
            raise RunError(f"{model}: its chat template fails: {response['error']}")
        return str(response["text"])

    def end(self) -> None:
        """Kill the child, whatever it is doing."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            with child:  # closes its pipes and waits
                pass

    def _start(self) -> subprocess.Popen[bytes]:
        # -P: the script's folder holds modules with the names of others
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
                "the process that renders chat templates does not start; "
                "hint: check that `import transformers` works"
            )
        return child

    def _line(self, child: subprocess.Popen[bytes], seconds: float, request: bytes = b"") -> bytes:
        """Return the child's next line; empty if the child ended or was killed after so many seconds."""
        timer = threading.Timer(seconds, child.kill)
        timer.daemon = True
        timer.start()
        try:
            if child.stdin is None or child.stdout is None:
                return b""
            child.stdin.write(request)
            child.stdin.flush()
            return child.stdout.readline()
        except BrokenPipeError:
            return b""
        finally:
            timer.cancel()


def _limit_error(model: str, reason: str) -> TemplateLimitError:
    return TemplateLimitError(
        f"{model}: its chat template is refused: {reason}; "
        "hint: use a model whose template only writes the messages"
    )


_renderers: dict[int, Renderer] = {}
"""By process id: a fork shares its parent's pipes and must not write into them."""


def _renderer() -> Renderer:
    return _renderers.setdefault(os.getpid(), Renderer())


@atexit.register
def _end() -> None:
    if own := _renderers.get(os.getpid()):
        own.end()
