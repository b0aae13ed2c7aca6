"""The reports tab: the runs below a folder, and the report of the chosen one."""

from __future__ import annotations

import datetime
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from demo.reports import FoundRun, find_runs, frame
from demo.view import showing_errors
from nlpkit.errors import DataError, nearest


def _when(created: str) -> str:
    """Return the time in words, in this machine's zone; unchanged where it is no time."""
    try:
        return datetime.datetime.fromisoformat(created).astimezone().strftime("%d %b %Y, %H:%M")
    except ValueError:
        return escape(created)


class ReportsTab:
    """The components of the tab and their handlers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def lay_out(self) -> None:
        """Add a choice and a frame."""
        with gr.Row():
            self.run = gr.Dropdown(
                [], label="Run", scale=4, min_width=200, allow_custom_value=True, elem_id="report-run"
            )
            self.again = gr.Button("Refresh", size="sm", scale=0, min_width=120, elem_id="look-again")
        self.about = gr.HTML("", elem_id="report-about")
        self.page = gr.HTML("", elem_id="report-page")

    def wire(self, tab: Any) -> None:
        """Bind the handlers to the components."""
        private: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        for trigger in (tab.select, self.again.click):
            trigger(self.look, [self.run], [self.run, self.about, self.page], **private)
        self.run.input(self.show, [self.run], [self.about, self.page], **private)

    def look(self, name: str | None) -> tuple[Any, str, str]:
        """Return the runs as they are now, and the report of the chosen or the newest one."""
        runs = find_runs(self.folder)
        if not runs:
            return (
                gr.update(choices=[], value=None),
                f'<p class="quiet">No run with a report below {escape(str(self.folder))}.</p>',
                "",
            )
        chosen = name if name in [run.name for run in runs] else runs[0].name
        about, page = self.show(chosen)
        return gr.update(choices=[run.name for run in runs], value=chosen), about, page

    def show(self, name: str | None) -> tuple[str, str]:
        """Return what a run is, and its report; nothing where no run is chosen."""
        if not name:
            return "", ""
        with showing_errors():
            run = self._run(name)
            return f'<p class="quiet">{escape(run.recipe)}, made {_when(run.created)}</p>', frame(run)
        return "", ""

    def _run(self, name: str) -> FoundRun:
        # A name is only ever looked up among the runs that are there: it is never made into a path
        runs = {run.name: run for run in find_runs(self.folder)}
        if name not in runs:
            raise DataError(f"the run {name!r:.80}: not found{nearest(name, runs)}")
        return runs[name]
