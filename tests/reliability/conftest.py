"""What the tests of reliability share."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.reliability.record import Tally


@pytest.fixture
def tally(record_property: Callable[[str, object], None]) -> Tally:
    """Report how often this test tried, once it has lost nothing: `tally(50, "kills")`."""

    def report(count: int, unit: str) -> None:
        record_property("tried", (count, unit))

    return report
