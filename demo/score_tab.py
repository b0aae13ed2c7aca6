"""The score tab: score a text, or a file, which can then be downloaded with its scores."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from html import escape
from pathlib import Path
from threading import Event
from typing import Any

import gradio as gr

from demo.guard import DemoLimits, RateLimiter
from demo.score_pages import effects_page, file_page, text_page, upload_page
from demo.scoring import FORMATS, look, score_upload
from demo.text_scorer import TextScorer, explain_text, explainer_of, score_text
from demo.view import showing_errors, visitor_of
from nlpkit.errors import DataError
from nlpkit.scoring.progress import Progress


class ScoreTab:
    """The components of the tab and their handlers."""

    def __init__(self, scorer: TextScorer, folder: Path, limits: DemoLimits) -> None:
        self.scorer, self.folder, self.limits = scorer, folder, limits
        self.explainer = explainer_of(scorer)
        self.rate = RateLimiter(limits.scorings_a_minute)
        self._running: dict[str, Event] = {}

    def lay_out(self) -> None:
        """Lay out the two halves: a text and a file."""
        gr.HTML(
            f'<p class="quiet">Model: {escape(self.scorer.name or "the built-in classifier")}. '
            "Your texts stay on this machine.</p>"
        )
        with gr.Row():
            with gr.Column(min_width=300):
                gr.HTML("<h2>A text</h2>")
                self.text = gr.Textbox(
                    label="Text",
                    lines=5,
                    max_lines=15,
                    elem_id="score-text",
                )
                self.score = gr.Button("Score the text", variant="primary", elem_id="score-button")
                self.answer = gr.HTML("", elem_id="text-answer")
            with gr.Column(min_width=300):
                gr.HTML("<h2>A file</h2>")
                self.upload = gr.File(
                    label="CSV, TSV, JSONL or Parquet",
                    file_types=list(FORMATS),
                    file_count="single",
                    type="filepath",
                    height=140,
                    elem_id="upload",
                )
                self.about = gr.HTML(self._limits(), elem_id="about-file")
                self.column = gr.Dropdown(
                    [],
                    label="Column that holds the text",
                    allow_custom_value=True,  # programs send a column without having listed them
                    interactive=True,
                    elem_id="column",
                )
                self.go = gr.Button(
                    "Score the file", variant="primary", interactive=False, elem_id="score-file"
                )
                self.stop = gr.Button("Stop", variant="stop", visible=False, elem_id="score-stop")
                self.download = gr.DownloadButton(
                    "Download the scored file", visible=False, elem_id="download"
                )
                self.result = gr.HTML("", elem_id="file-answer")

    def wire(self) -> None:
        """Bind the handlers to the components."""
        private: dict[str, Any] = {"api_visibility": "private"}
        self.score.click(
            self.score_text,
            [self.text],
            [self.answer],
            concurrency_limit=2,
            concurrency_id="scoring",
            **private,
        )
        self.upload.upload(
            self.describe,
            [self.upload],
            [self.about, self.column, self.go, self.download, self.result],
            **private,
        )
        self.go.click(
            self.score_file,
            [self.upload, self.column],
            [self.result, self.download, self.stop],
            concurrency_limit=1,
            concurrency_id="scoring-files",
            show_progress_on=[self.result],
            **private,
        )
        self.stop.click(self.stop_scoring, None, None, queue=False, **private)

    def score_text(self, text: str, request: gr.Request) -> Iterator[str]:
        """Show the prediction for a text, then what each word adds to it."""
        with showing_errors():
            self.rate.take(visitor_of(request))
            answer = score_text(self.scorer, text, self.limits)
            page = text_page(self.scorer.shown(answer), partial=answer.partial)
            yield page
            if self.explainer is not None:
                yield page + effects_page(explain_text(self.explainer, text))
            return
        yield ""

    def describe(self, path: str) -> tuple[Any, ...]:
        """Describe an uploaded file, and choose the column of the texts."""
        with showing_errors(path):
            file = Path(path)
            upload = look(file, self.limits)
            column = gr.update(choices=upload.columns, value=upload.text)
            about = upload_page(file.name, upload)
            return about, column, gr.update(interactive=True), gr.update(visible=False), ""
        return self._limits(), gr.skip(), gr.update(interactive=False), gr.update(visible=False), ""

    def score_file(
        self,
        path: str | None,
        column: str,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> Iterator[tuple[Any, ...]]:
        """Score a file, and show its plots; meanwhile scoring can be stopped."""
        yield "", gr.update(visible=False), gr.update(visible=True)
        with showing_errors(path):
            self.rate.take(visitor_of(request))
            if not path:
                raise DataError("no file yet; hint: choose a file first")

            stopped = self._running[str(request.session_hash)] = Event()

            def report(now: Progress) -> None:
                if stopped.is_set():
                    raise DataError(f"{Path(path).name}: you stopped it; nothing was saved")
                progress((now.rows, now.total), desc="Rows scored", unit="rows")

            folder = self.folder / secrets.token_hex(8)
            try:
                scored = score_upload(
                    self.scorer, Path(path), folder, column=column, limits=self.limits, report=report
                )
            finally:
                self._running.pop(str(request.session_hash), None)
            yield file_page(scored), gr.update(value=str(scored.path), visible=True), gr.update(visible=False)
            return
        yield "", gr.update(visible=False), gr.update(visible=False)

    def stop_scoring(self, request: gr.Request) -> None:
        """Stop the scoring of this page."""
        if running := self._running.pop(str(request.session_hash), None):
            running.set()

    def _limits(self) -> str:
        rows, megabytes = self.limits.rows, self.limits.upload_bytes // 1_000_000
        return f'<p class="quiet">Up to {rows:,} rows and {megabytes} MB.</p>'
