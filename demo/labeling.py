"""The page of `nlpkit label open`: one text at a time, a button and a key for each label."""

from __future__ import annotations

import tempfile
import webbrowser
from pathlib import Path

from nlpkit.labeling.questions import Questions


def open_page(questions: Questions, *, port: int, browser: bool) -> None:
    """Serve the page to this machine, and open the browser."""
    from demo.gradio_server import quiet_gradio, serve
    from demo.guard import DemoLimits

    with tempfile.TemporaryDirectory(prefix="nlpkit-label-") as folder:
        quiet_gradio(Path(folder))
        from demo.label_view import LabelView

        page = LabelView(questions).build()
        address, _ = serve(page, host="127.0.0.1", port=port, limits=DemoLimits(), script="", block=False)
        if browser:
            webbrowser.open(address)
        page.block_thread()
