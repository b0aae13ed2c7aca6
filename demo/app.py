"""The demo: `python demo/app.py [RUN]` serves a chat, a scorer and the reports of runs to a browser on this machine."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

# Run as a file, Python looks for modules beside it, not above it
if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from demo.guard import LOOPBACK, DemoLimits
from nlpkit.errors import ConfigError, NlpkitError, optional

if TYPE_CHECKING:
    from demo.model_pool import ModelPool
    from demo.models import Loader
    from demo.scoring import TextScorer

PolicyName = Literal["drop_oldest", "recall"]
RuntimeName = Literal["torch", "onnx", "onnx-int8", "onnx-int4"]
RUN_HELP = "A run's folder, a promoted.json, or the address of an OpenAI-compatible server; default: the catalogue's own bot."
TITLE = "nlpkit"
# Light or dark as the system says, until the reader says otherwise; then as the reader said.
ON_LOAD = """() => { const kept = localStorage.getItem('nlpkit-theme');
if (kept) document.body.classList.toggle('dark', kept === 'dark');
document.documentElement.lang = 'en';
const board = navigator.clipboard, write = board?.writeText.bind(board);
if (board) board.writeText = text => write(text.replace(/([<!&])\\u2060/g, '$1'));
const name = () => { for (const button of document.querySelectorAll('button:not([aria-label])')) {
  if (!button.textContent.trim()) button.setAttribute('aria-label', button.title || 'button'); } };
// The list stands open where there is room for it beside the rest, and lies over the page, shut, where there is not
if (innerWidth >= 900) document.querySelector('#sidebar:not(.open) .toggle-button')?.click();
name(); new MutationObserver(name).observe(document.body, {childList: true, subtree: true}); }"""
TOGGLE = """() => { const dark = document.body.classList.toggle('dark');
localStorage.setItem('nlpkit-theme', dark ? 'dark' : 'light'); }"""


def build(engines: ModelPool, scorer: TextScorer, *, runs: Path, folder: Path, limits: DemoLimits) -> Any:
    """The page. `folder` holds what is uploaded and made until the server ends; `runs` is where reports are looked for."""
    import gradio as gr

    from demo.api import Endpoints
    from demo.chat_parts import lay_out_list, lay_out_side, lay_out_talk
    from demo.chat_tab import ChatTab
    from demo.replies import Replies
    from demo.reports_tab import ReportsTab
    from demo.score_tab import ScoreTab
    from demo.view import View

    scores, reports = ScoreTab(scorer, folder, limits), ReportsTab(runs)
    with gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True, delete_cache=(600, 3600)) as page:
        with gr.Row(elem_id="masthead"):
            gr.HTML(f"<h1>{TITLE}</h1>", elem_classes="masthead")
            toggle = gr.Button("Light or dark", size="sm", scale=0, min_width=120, elem_id="toggle")
        with gr.Sidebar(open=False, width=300, elem_id="sidebar"):
            listed = lay_out_list()
        with gr.Tab("Chat", elem_id="tab-chat"), gr.Row():
            with gr.Column(scale=5, min_width=320):
                talk = lay_out_talk(engines.session.limits.max_characters)
            with gr.Column(scale=3, min_width=280):
                side = lay_out_side(engines)
        with gr.Tab("Score", elem_id="tab-score"):
            scores.lay_out()
        with gr.Tab("Reports", elem_id="tab-reports") as tab:
            reports.lay_out()
        view = View(engines, listed, talk, side, limits)
        replies = Replies(view)
        replies.wire()
        ChatTab(view, replies).wire(page)
        scores.wire()
        reports.wire(tab)
        toggle.click(None, None, None, js=TOGGLE)
        Endpoints(view, scorer).publish()
    page.queue(max_size=limits.waiting, default_concurrency_limit=8, api_open=False)
    return page


def serve(
    page: Any,
    *,
    host: str,
    port: int,
    limits: DemoLimits,
    check: Any = None,
    mcp: bool = False,
    block: bool = True,
) -> tuple[str, Any]:
    """The page's address and the running app; with `block`, only when it has ended. `mcp`: its endpoints are tools too."""
    from demo.guard import Guard
    from demo.theme import CSS, theme

    hosts = LOOPBACK if host in LOOPBACK else ()
    # A layer as Starlette unpacks it: class, arguments, named arguments
    guard = (Guard, (), {"body": limits.body_bytes, "upload": limits.upload_bytes + 100_000, "hosts": hosts})
    app, address, _ = page.launch(
        server_name=host,
        server_port=port,
        share=False,
        run_history=False,
        footer_links=["api"],
        auth=check,
        max_file_size=limits.upload_bytes,
        state_session_capacity=256,
        allowed_paths=[],
        strict_cors=True,
        ssr_mode=False,
        pwa=False,
        mcp_server=mcp,
        enable_monitoring=False,
        show_error=False,
        quiet=True,
        inbrowser=False,
        prevent_thread_lock=True,
        theme=theme(),
        css=CSS.read_text(encoding="utf-8"),
        js=ON_LOAD,
        app_kwargs={"middleware": [guard], "docs_url": None, "redoc_url": None},
    )
    print(f"nlpkit is at {address}", flush=True)
    if block:
        page.block_thread()
    return address, app


def run(
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help=RUN_HELP, show_default=False)] = None,
    model: Annotated[
        str | None, typer.Option(help="Which model of the server, where RUN is an address with several.")
    ] = None,
    store: Annotated[
        Path | None, typer.Option(help="The file that keeps conversations; default: in your data folder.")
    ] = None,
    runs: Annotated[Path, typer.Option(help="Where runs to talk with, and reports, are looked for.")] = Path(
        "runs"
    ),
    classifier: Annotated[
        str | None, typer.Option(help="The run that reads moods and scores texts; default: nlpkit's own.")
    ] = None,
    policy: Annotated[
        PolicyName, typer.Option(help="What becomes of what no longer fits: drop_oldest or recall.")
    ] = "drop_oldest",
    runtime: Annotated[
        RuntimeName, typer.Option(help="What computes; the other three are faster on a CPU.")
    ] = "torch",
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Where to listen; 0 takes any free one.")
    ] = 7860,
    login: Annotated[
        Path | None,
        typer.Option(help="A file of users, as --add-user writes it: everyone sees only what is theirs."),
    ] = None,
    add_user: Annotated[
        str | None,
        typer.Option(help="Write this user into the file of --login, ask for a password, and end."),
    ] = None,
    rate: Annotated[
        int, typer.Option(min=1, help="Messages a minute, of a visitor.")
    ] = DemoLimits().messages_a_minute,
    mcp: Annotated[
        bool, typer.Option("--mcp", help="Offer the endpoints as tools to programs that speak MCP.")
    ] = False,
    anyone: Annotated[
        bool, typer.Option("--anyone", help="Let everyone who reaches the host in, without a login.")
    ] = False,
) -> None:
    """Serve a chat, a scorer and the reports of runs to a browser."""
    from demo.models import find_chat_models

    try:
        if add_user is not None:
            _add_user(login, add_user)
            return
        if host not in LOOPBACK and login is None and not anyone:
            raise ConfigError(
                f"--host {host}: others could read and write the conversations; expected --login FILE, or --anyone"
            )
        if mcp:
            optional("mcp", extra="mcp")
            if login is not None:
                raise ConfigError(
                    "--mcp: its tools know no login, and would let everyone in; expected --login or --mcp, not both"
                )
        where = Where(host=host, port=port, login=login, runs=runs, store=store, rate=rate, mcp=mcp)
        _serve(
            lambda: find_chat_models(run, runs, model=model, policy=policy, runtime=runtime),
            classifier,
            where,
        )
    except NlpkitError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(error.exit_code) from None


@dataclass(frozen=True, kw_only=True)
class Where:
    """Where the demo listens, who may come in, and what it reads and writes."""

    host: str
    port: int
    login: Path | None
    runs: Path
    store: Path | None
    rate: int
    mcp: bool


def _serve(chat_models: Callable[[], dict[str, Loader]], classifier: str | None, where: Where) -> None:
    from demo.login import checker
    from nlpkit.chat.serving import default_store
    from nlpkit.chat.store import Store
    from nlpkit.classifiers.classifier import Classifier

    check = checker(where.login) if where.login else None
    with (
        tempfile.TemporaryDirectory(prefix="nlpkit-demo-") as folder,
        Store.open(where.store or default_store()) as opened,
    ):
        quiet_gradio(Path(folder))
        from demo.model_pool import ModelPool

        scorer = Classifier.load(classifier)
        engines = ModelPool(opened, chat_models, scorer)
        engines.chat_model()  # the first visitor must not wait for the weights
        limits = DemoLimits(messages_a_minute=where.rate)
        page = build(engines, scorer, runs=where.runs, folder=Path(folder) / "scored", limits=limits)
        serve(page, host=where.host, port=where.port, limits=limits, check=check, mcp=where.mcp)


def quiet_gradio(folder: Path) -> None:
    """Tell Gradio, before it is imported, to ask nobody anything and to keep its files in a folder that ends with the demo."""
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")


def _add_user(file: Path | None, name: str) -> None:
    from demo.login import add_user

    if file is None:
        raise ConfigError("--add-user: into which file? expected --login FILE")
    add_user(file, name, typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    print(f"{name} may log in: {file}")


if __name__ == "__main__":
    typer.run(run)
