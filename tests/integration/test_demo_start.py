"""The demo starts whatever waits for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

PROGRAM = """
import sys
from pathlib import Path
from demo.gradio_server import quiet_gradio, serve
quiet_gradio(Path(sys.argv[1]))
import gradio, httpx2
from demo.guard import DemoLimits
gradio.networking.url_ok = lambda url: False
with gradio.Blocks() as page:
    gradio.Markdown("hello")
address, _ = serve(page, host="127.0.0.1", port=0, limits=DemoLimits(), script="", block=False)
print(httpx2.get(address).status_code)
"""


def test_it_starts_though_its_clients_leave_no_time_for_gradios_own_question(tmp_path: Path) -> None:
    """Gradio asks its own page whether it is there, and ends where the answer takes three seconds."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], env=environment, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1:] == ["200"], done.stderr
