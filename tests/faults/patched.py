"""Run tests on a source text with a fault in it, without touching a file.

This process imports the libraries. It is then forked, once for the tests as they are and once for each
fault. A child imports the project anew, and the one module from the changed text.
"""

from __future__ import annotations

import contextlib
import importlib
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
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
OWN = ("nlpkit", "tests", "demo", "recipes")
ARGUMENTS = ("-x", "-q", "--no-header", "-p", "no:cacheprovider", "-p", "no:randomly")
WARM = ("scipy.stats", "torch", "transformers", "peft")
"""Slow libraries that tests import late."""
MOST_SECONDS = 3600
"""Processor time that the tests may take as they are."""
LEAST_SECONDS = 30
"""Processor time that tests may take on a fault: one that never ends is caught too."""


class Trial(NamedTuple):
    """What the tests did."""

    failed: str
    """Which fails, or why they ended; empty where all pass."""
    reason: str
    """What pytest says of it."""
    seconds: float
    """Processor time."""


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
        """Collect them here, and run them once in a fork.

        Raises:
            RuntimeError: they fail without any fault.
        """
        code, said = run_tests(["--collect-only", *tests])
        if code:
            raise RuntimeError(f"the tests are not there: {said[-1500:]}")
        for name in WARM:  # after pytest, which rewrites the plugins among what they import
            importlib.import_module(name)
        forget()
        self._tests, self._limit = tests, MOST_SECONDS
        unchanged = ROOT / "nlpkit" / "errors.py"
        trial = self.tried_on(unchanged, unchanged.read_text(encoding="utf-8"))
        if trial.failed:
            raise RuntimeError(f"the tests fail without any fault: {trial.failed}: {trial.reason}")
        self._limit = int(10 * trial.seconds) + LEAST_SECONDS

    def tried_on(self, path: Path, text: str, tests: Sequence[str] = ()) -> Trial:
        """Run the tests, or some of them, on a fault."""
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.close(reading)
            _child(path, text, tests or self._tests, writing, self._limit)
        os.close(writing)
        with os.fdopen(reading, encoding="utf-8", errors="replace") as pipe:
            said = pipe.read()
        _, status, used = os.wait4(child, 0)
        failed, reason = _first_failure(status, said)
        return Trial(failed, reason, used.ru_utime + used.ru_stime)


def _first_failure(status: int, said: str) -> tuple[str, str]:
    """Return the test that fails and the reason, from the status of a child and from what it printed."""
    if os.WIFSIGNALED(status):
        return f"ended by signal {os.WTERMSIG(status)}", ""
    if not os.WEXITSTATUS(status):
        return "", ""
    for line in said.splitlines():
        if line.startswith(("FAILED ", "ERROR ")):
            test, _, reason = line.partition(" ")[2].partition(" - ")
            return test, reason
    return "an error", said.strip()[-200:]


def _child(path: Path, text: str, tests: Sequence[str], writing: int, seconds: int) -> None:
    """Run the tests on the fault, and end this process whatever happens."""
    code, said = 70, ""
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
        os.environ["COLUMNS"] = "400"  # a failure is printed with its reason
        sys.meta_path.insert(0, _Finder(path, text))
        code, said = run_tests(tests)
    except BaseException as error:  # also of a module that cannot be imported any more
        said = repr(error)
    with os.fdopen(writing, "w", encoding="utf-8", errors="replace") as pipe:
        pipe.write(said[-20_000:])
    os._exit(code)
