"""The demo: `nlpkit demo [RUN]` serves a chat, a scorer and the reports of runs to a browser."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

# Run as a file, Python looks for modules next to it, not above it
if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from demo.gradio_server import quiet_gradio, serve
from demo.guard import LOOPBACK, DemoLimits
from nlpkit.cli.chat import Model, Policy, RunArgument, Runtime, StoreFile
from nlpkit.errors import ConfigError, NlpkitError, optional
from nlpkit.generation.runtimes import AUTO

if TYPE_CHECKING:
    from demo.model_pool import ModelPool
    from demo.offer import Models
    from demo.servers import Servers
    from demo.text_scorer import TextScorer

TITLE = "nlpkit"


def build(
    pool: ModelPool,
    scorer: TextScorer,
    *,
    runs: Path,
    folder: Path,
    limits: DemoLimits,
    servers: Servers | None = None,
) -> Any:
    """Build the page.

    Args:
        pool: the chat models.
        scorer: scores texts and files.
        runs: the folder whose runs have reports.
        folder: keeps scored files until the server ends.
        limits: how much a visitor may send.
        servers: those that the page connects; None: it connects none.
    """
    import gradio as gr

    from demo.api import Endpoints
    from demo.chat_parts import lay_out_side, lay_out_talk
    from demo.chat_wiring import wire_chat
    from demo.connect import Connect
    from demo.keyboard import SHOW_HELP
    from demo.list_parts import lay_out_list
    from demo.page_script import DETAILS, TOGGLE
    from demo.reports_tab import ReportsTab
    from demo.score_tab import ScoreTab
    from demo.view import View

    scores, reports = ScoreTab(scorer, folder, limits), ReportsTab(runs)
    connect = Connect(servers) if servers is not None and servers.can_connect else None
    with gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True, delete_cache=(600, 3600)) as page:
        with gr.Row(elem_id="masthead"):
            gr.HTML(f"<h1>{TITLE}</h1>", elem_classes="masthead")
            details = gr.Button("Details", size="sm", scale=0, min_width=80, elem_id="details")
            keys = gr.Button("Keys", size="sm", scale=0, min_width=80, elem_id="keys")
            toggle = gr.Button("Light or dark", size="sm", scale=0, min_width=120, elem_id="toggle")
        with gr.Sidebar(open=False, width=300, elem_id="sidebar"):
            listed = lay_out_list()
        with gr.Tab("Chat", elem_id="tab-chat"), gr.Row(elem_id="talk-row"):
            with gr.Column(scale=5, min_width=0, elem_id="talk"):
                talk = lay_out_talk()
            with gr.Column(scale=3, min_width=0, elem_id="panel"):
                side = lay_out_side(pool, connect.lay_out if connect else None)
        with gr.Tab("Score", elem_id="tab-score"):
            scores.lay_out()
        with gr.Tab("Reports", elem_id="tab-reports") as tab:
            reports.lay_out()
        view = View(pool, listed, talk, side, limits)
        wire_chat(view, page)
        if connect is not None:
            connect.wire(view, page)
        scores.wire()
        reports.wire(tab)
        toggle.click(None, None, None, js=TOGGLE)
        keys.click(None, None, None, js=SHOW_HELP)
        details.click(None, None, None, js=DETAILS)
        Endpoints(view, scorer).publish()
    page.queue(max_size=limits.waiting, default_concurrency_limit=8, api_open=False)
    return page


def run(
    run: RunArgument = None,
    model: Model = None,
    store: StoreFile = None,
    runs: Annotated[
        Path, typer.Option(help="The folder of the runs to chat with and of the reports.")
    ] = Path("runs"),
    classifier: Annotated[
        str | None,
        typer.Option(
            help="The run that scores texts and predicts moods, such as one of turn emotions. "
            "Default: the built-in classifier."
        ),
    ] = None,
    policy: Policy = "drop_oldest",
    runtime: Runtime = AUTO,
    connect: Annotated[
        str | None,
        typer.Option(
            metavar="URL[#MODEL]",
            help="Also offer a model of this OpenAI-compatible server, such as http://localhost:8000/v1.",
        ),
    ] = None,
    connect_key_file: Annotated[
        Path | None,
        typer.Option(help="The file with the key of --connect. Default: the key in NLPKIT_REMOTE_KEY."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes any free port.")
    ] = 7860,
    login: Annotated[
        Path | None,
        typer.Option(
            help="A file of users, as --add-user writes it; every user sees only their own conversations."
        ),
    ] = None,
    add_user: Annotated[
        str | None,
        typer.Option(help="Add this user to the file of --login, ask for a password, and exit."),
    ] = None,
    rate: Annotated[
        int, typer.Option(min=1, help="Maximum messages per minute of a visitor.")
    ] = DemoLimits().messages_a_minute,
    mcp: Annotated[
        bool, typer.Option("--mcp", help="Offer the endpoints as tools to programs that speak MCP.")
    ] = False,
    anyone: Annotated[
        bool, typer.Option("--anyone", help="Allow everyone who can reach the host, without a login.")
    ] = False,
) -> None:
    """Serve a chat, a scorer and the reports of runs to a browser."""
    from demo.offer import Models
    from demo.servers import named_server

    try:
        if add_user is not None:
            _add_user(login, add_user)
            return
        if host not in LOOPBACK and login is None and not anyone:
            raise ConfigError(
                f"--host {host}: others could read and write the conversations; "
                "hint: --login FILE, or --anyone"
            )
        if mcp:
            optional("mcp", extra="mcp")
            if login is not None:
                raise ConfigError(
                    "--mcp: its tools have no login, and would let everyone in; "
                    "hint: use --login or --mcp, not both"
                )
        address = Address(host=host, port=port, login=login, store=store, rate=rate, mcp=mcp)
        models = Models(
            run=run,
            model=model,
            policy=policy,
            runtime=runtime,
            runs=runs,
            connected=named_server(connect, connect_key_file, run),
            # Whoever names an address makes this machine send requests there
            can_connect=host in LOOPBACK and login is None and not anyone,
        )
        _serve(models, classifier, address)
    except NlpkitError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(error.exit_code) from None


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where the demo listens, who may log in, and what it reads and writes."""

    host: str
    port: int
    login: Path | None
    store: Path | None
    rate: int
    mcp: bool


def _serve(models: Models, classifier: str | None, address: Address) -> None:
    from demo.login import checker
    from nlpkit.chat.sentiment import has_sentiment
    from nlpkit.chat.serving import default_store
    from nlpkit.chat.store import Store
    from nlpkit.classifiers.classifier import Classifier

    check = checker(address.login) if address.login else None
    with (
        tempfile.TemporaryDirectory(prefix="nlpkit-demo-") as folder,
        Store.open(address.store or default_store()) as opened,
    ):
        quiet_gradio(Path(folder))
        scorer = Classifier.load(classifier)
        if not has_sentiment(scorer):
            print(
                f"no moods: the labels of {scorer.name} do not lie between negative and positive", flush=True
            )
        servers = models.servers(opened)
        pool = models.pool(opened, scorer if has_sentiment(scorer) else None, servers)
        limits = DemoLimits(messages_a_minute=address.rate)
        scored = Path(folder) / "scored"
        page = build(pool, scorer, runs=models.runs, folder=scored, limits=limits, servers=servers)
        try:
            serve(page, host=address.host, port=address.port, limits=limits, check=check, mcp=address.mcp)
        finally:
            pool.running.close()


def _add_user(file: Path | None, name: str) -> None:
    from demo.login import add_user

    if file is None:
        raise ConfigError("--add-user: needs a file of users; hint: add --login FILE")
    add_user(file, name, typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    print(f"{name} can log in: {file}")


if __name__ == "__main__":
    typer.run(run)
