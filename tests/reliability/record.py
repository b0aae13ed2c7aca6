"""Record what a run of the tests of reliability tried and lost: a plugin of pytest.

    python -m pytest -p tests.reliability.record tests/reliability/test_a01_scoring_kill.py

Each item whose tests all ran is replaced in results.json; the others keep what an earlier run measured.
"""

from __future__ import annotations

import datetime
import json
import platform
from collections import Counter
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from tests.reliability.items import ITEMS, Item, part_of
from tests.tries import FULL

if TYPE_CHECKING:
    import pytest

RESULTS = Path(__file__).parent / "results.json"
VERSIONED = ("nlpkit", "torch", "transformers", "peft", "pyarrow", "gradio", "starlette", "pytest")

Tally: TypeAlias = Callable[[int, str], None]
"""A count of tries and their name in the plural, such as 50 and kills."""

_reports: dict[str, list[pytest.TestReport]] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" or not report.passed:
        _reports.setdefault(report.nodeid, []).append(report)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workerinput"):
        return  # the process that started this one hears of all tests
    records = read_results()
    for item in ITEMS:
        tests = {test: reports for test, reports in _reports.items() if item.holds(test)}
        if tests and all(any(part_of(test, named) for test in tests) for named in item.tests):
            records[str(item.number)] = record_of(item, tests)
    ordered = {str(item.number): records[str(item.number)] for item in ITEMS if str(item.number) in records}
    RESULTS.write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")


def read_results() -> dict[str, Any]:
    """Return the records by the number of the item; no file: none."""
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}


def record_of(item: Item, tests: dict[str, list[pytest.TestReport]]) -> dict[str, Any]:
    """Return what the tests of an item tried and lost; a test without a count of its own is one case."""
    tried: Counter[str] = Counter()
    lost, skipped, seconds = [], [], 0.0
    for test, reports in tests.items():
        seconds += sum(report.duration for report in reports)
        if any(report.failed for report in reports):
            lost.append(test)
        elif any(report.skipped for report in reports):
            skipped.append(test)
        else:
            counts = [
                value for report in reports for name, value in report.user_properties if name == "tried"
            ]
            for count, unit in counts or [(1, "cases")]:
                tried[unit] += count
    return {
        "tried": dict(tried),
        "lost": lost,
        "skipped": skipped,
        "full": FULL,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "seconds": round(seconds, 1),
        "versions": {"Python": platform.python_version()} | {name: version(name) for name in VERSIONED},
    }
