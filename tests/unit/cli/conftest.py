from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def toy_run(toy_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy: a command may write to its run, and other tests count what lies there."""
    return shutil.copytree(toy_run, tmp_path_factory.mktemp("runs") / toy_run.name)
