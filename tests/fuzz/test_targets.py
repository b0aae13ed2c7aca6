"""A small draw of what `make fuzz` tries for minutes, the same every time."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS
from tests.tries import tries


@pytest.mark.parametrize("name", TARGETS)
def test_only_declared_errors_come_out(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    target, folder = TARGETS[name], tmp_path_factory.mktemp(name)

    @settings(
        max_examples=tries(2_000, target.examples), deadline=None, derandomize=True,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.data())
    def attempt(data: st.DataObject) -> None:
        target.check(data.draw(target.values), folder)

    attempt()
