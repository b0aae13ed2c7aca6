from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def toy_run(toy_run: Path, tmp_path: Path) -> Path:
    """A copy: an evaluation writes to its run, and other tests count what lies there."""
    return shutil.copytree(toy_run, tmp_path / "runs" / toy_run.name)
