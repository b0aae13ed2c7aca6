"""The server and the demo under clients that talk, are slow, leave and lie, while both are killed."""

from __future__ import annotations

import pytest

from tests.reliability.load import failures, under_load
from tests.reliability.record import Tally
from tests.tries import tries

pytestmark = pytest.mark.integration

MINUTES, CLIENTS, KILLS = tries(60, 0.5), tries(200, 20), tries(6, 1)


def test_nothing_is_lost_mixed_up_or_believed(tally: Tally, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NLPKIT_KEY", "")  # put back afterwards
    servers = under_load(MINUTES, CLIENTS, KILLS)
    for at in servers:
        assert failures(at) == {}, at.name
        assert at.counts["kills"] == KILLS
        assert at.counts["lies refused"]
        assert at.counts["clients that left"]
    tally(sum(at.counts["replies"] for at in servers), "replies")
