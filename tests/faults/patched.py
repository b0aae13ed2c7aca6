"""Run tests on a source text with a fault in it, without touching a file.

The tests run once as they are, which warms up the libraries. For each fault this process is then forked, and
the child imports the project anew: the one module from the changed text.
"""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import io
import os
import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
OWN = ("nlpkit", "tests", "demo", "recipes")
ARGUMENTS = ("-x", "-q", "--no-header", "-p", "no:cacheprovider", "-p", "no:randomly")
LEAST_SECONDS = 30
"""Processor time that tests may take on a fault: one that never ends is caught too."""


class _Loader(importlib.machinery.SourceFileLoader):
    """Compiles another text than that of the file."""

    def __init__(self, name: str, path: str, text: str) -> None:
        super().__init__(name, path)
        self._text = text

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._text, self.path, "exec", dont_inherit=True)


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, path: Path, text: str) -> None:
        self._path, self._text = path, text
        parts = path.relative_to(ROOT).with_suffix("").parts
        self._name = ".".join(parts)

    def find_spec(self, fullname: str, path: Any, target: ModuleType | None = None) -> Any:
        if fullname != self._name:
            return None
        loader = _Loader(fullname, str(self._path), self._text)
        return importlib.util.spec_from_file_location(fullname, self._path, loader=loader)


def run_tests(tests: Sequence[str]) -> tuple[int, str]:
    """Return pytest's exit code and what it printed."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = pytest.main([*ARGUMENTS, *tests])
    return int(code), said.getvalue()


def forget() -> None:
    """Let the project be imported anew; the libraries stay."""
    for name in [
        name for name in sys.modules if name.split(".")[0] in OWN and not name.startswith("tests.faults")
    ]:
        if name != "tests":
            del sys.modules[name]


class Patched:
    """Tests that pass as they are, ready to be run on faults."""

    def __init__(self, tests: Sequence[str]) -> None:
        """Run them once here, and once in a fork.

        Raises:
            RuntimeError: they fail without any fault.
        """
        used = resource.getrusage(resource.RUSAGE_SELF)
        code, said = run_tests(tests)
        if code:
            raise RuntimeError(f"the tests fail as they are: {said[-1500:]}")
        spent = resource.getrusage(resource.RUSAGE_SELF)
        self._tests = tests
        self._limit = int(10 * (spent.ru_utime - used.ru_utime)) + LEAST_SECONDS
        forget()
        unchanged = ROOT / "nlpkit" / "errors.py"
        if said := self.caught_by(unchanged, unchanged.read_text(encoding="utf-8")):
            raise RuntimeError(f"the tests fail in a fork without any fault: {said}")

    def caught_by(self, path: Path, text: str, tests: Sequence[str] = ()) -> str:
        """Return what the tests, or some of them, say of a fault: which fails; empty where all pass."""
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.close(reading)
            _child(path, text, tests or self._tests, writing, self._limit)
        os.close(writing)
        with os.fdopen(reading, encoding="utf-8", errors="replace") as pipe:
            said = pipe.read()
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            return f"ended by signal {os.WTERMSIG(status)}"
        if not os.WEXITSTATUS(status):
            return ""
        failed = [line for line in said.splitlines() if line.startswith(("FAILED", "ERROR"))]
        return failed[0].split(" - ")[0].split(" ", 1)[-1] if failed else said.strip()[-200:] or "an error"


def _child(path: Path, text: str, tests: Sequence[str], writing: int, seconds: int) -> None:
    """Run the tests on the fault, and end this process whatever happens."""
    code, said = 70, ""
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
        sys.meta_path.insert(0, _Finder(path, text))
        code, said = run_tests(tests)
    except BaseException as error:  # also of a module that cannot be imported any more
        said = repr(error)
    with os.fdopen(writing, "w", encoding="utf-8", errors="replace") as pipe:
        pipe.write(said[-20_000:])
    os._exit(code)
