"""Programs in processes of their own, forked from one that has imported the slow libraries.

A start takes milliseconds instead of seconds, so that tests can kill many. To a signal such a process is a
process like any other.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

_SLOW = ("torch", "transformers", "peft", "accelerate", "datasets", "gradio", "scipy.stats")
_SLOW_PARTS = (
    "torch.distributed.fsdp",
    "torch._dynamo",
    "transformers.trainer",
    "transformers.modeling_utils",
    "transformers.models.bert.modeling_bert",
    "transformers.models.llama.modeling_llama",
)

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([*_SLOW, *_SLOW_PARTS])


def preload(*modules: str) -> None:
    """Import these modules instead of the slow libraries, where no program was started yet."""
    _context.set_forkserver_preload(list(modules))


class Forked:
    """A running program; its methods are those of subprocess.Popen.

    `words` are what stands behind `python` on a command line: -m and a module, or a file, and its arguments.
    """

    def __init__(
        self, *words: str, environment: Mapping[str, str] | None = None, output: Path | None = None
    ) -> None:
        """`output`: the file that stdout and stderr are appended to; else both are kept for `communicate`."""
        self._output = output or Path(tempfile.mkstemp(suffix=".log")[1])
        self._own = output is None
        self._process = _context.Process(
            target=_run, args=(words, dict(environment or os.environ), self._output)
        )
        self._process.start()

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    @property
    def pid(self) -> int:
        assert self._process.pid
        return self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("a forked process", timeout or 0)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        self._process.kill()

    def communicate(self, timeout: float | None = None) -> tuple[bytes, bytes]:
        """Wait for the end; what it said on both streams stands in the second place."""
        self.wait(timeout)
        said = self._output.read_bytes()
        if self._own:
            self._output.unlink()
        return b"", said


def _run(words: tuple[str, ...], environment: dict[str, str], output: Path) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(environment)
    file = os.open(output, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(file, 1)
    os.dup2(file, 2)
    if words[0] == "-m":
        sys.argv = list(words[1:])
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = list(words)
        runpy.run_path(words[0], run_name="__main__")
