"""The table of reliability names tests that stand, and the page shows what was measured."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.reliability.items import ITEMS
from tests.reliability.table import PAGE, page

ROOT = Path(__file__).parents[2]


def functions(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name[:4] == "test"}


def test_each_item_names_tests_that_stand() -> None:
    for item in ITEMS:
        for named in item.tests:
            file, _, test = named.partition("::")
            assert (ROOT / file).is_file(), named
            assert not test or test in functions(ROOT / file), named
    assert len({item.number for item in ITEMS}) == len(ITEMS)


def test_each_test_of_reliability_belongs_to_an_item() -> None:
    for file in sorted((ROOT / "tests/reliability").glob("test_*.py")):
        for test in functions(file):
            name = f"tests/reliability/{file.name}::{test}"
            if "demo_untrusted" not in name or "_c7_" not in name:
                assert any(item.holds(name) for item in ITEMS), name


def test_the_page_shows_the_last_results() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()
