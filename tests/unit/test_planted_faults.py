"""Planted faults still apply, each names a test that stands, and the page shows what was measured."""

from __future__ import annotations

import ast

import pytest

from tests.faults import mutate, planted
from tests.faults.patched import ROOT
from tests.faults.planted import FAULTS, Fault
from tests.faults.tables import PAGE
from tests.fuzz import results as fuzzed


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_changes_its_file_and_its_test_stands(fault: Fault) -> None:
    text = (ROOT / fault.file).read_text(encoding="utf-8")
    assert ast.dump(ast.parse(fault.planted_in(text))) != ast.dump(ast.parse(text))
    file, _, test = fault.test.partition("::")
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    assert test.partition("[")[0] in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_each_fault_has_a_name_of_its_own() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


def test_a_fault_whose_text_is_gone_is_said() -> None:
    with pytest.raises(ValueError, match=r"nlpkit/run\.py: its text is there 0 times"):
        FAULTS[0]._replace(file="nlpkit/run.py").planted_in("a = 1")


def test_the_page_shows_the_last_results() -> None:
    assert PAGE.read_text(encoding="utf-8") == planted.page() == mutate.page() == fuzzed.page()
