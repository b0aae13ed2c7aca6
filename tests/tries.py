"""How often a test of reliability tries: few times in CI, as often as promised in `make reliability`."""

from __future__ import annotations

import os

FULL = os.environ.get("NLPKIT_TRIES") == "full"


def tries(full: int, few: int) -> int:
    """Return the full count under `make reliability`, else the few of CI."""
    return full if FULL else few
