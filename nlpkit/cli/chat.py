"""The commands around conversations: chat in a terminal, serve over HTTP, and turn what was rated into training data."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from nlpkit.cli.terminal import note, talk, write

RUN_HELP = "A run's folder, a promoted.json, or the address of an OpenAI-compatible server; default: the catalogue's own bot."

RunArgument = Annotated[str | None, typer.Argument(metavar="[RUN]", help=RUN_HELP, show_default=False)]
Model = Annotated[
    str | None, typer.Option(help="Which model of the server, where RUN is an address with several.")
]
Policy = Annotated[
    Literal["drop_oldest", "recall"],
    typer.Option(
        help="What of a conversation that is too long the bot sees: its end, or also what was said earlier and matters now."
    ),
]
Runtime = Annotated[
    Literal["torch", "onnx", "onnx-int8", "onnx-int4"],
    typer.Option(
        help="What computes: torch; onnx, faster on a CPU with the same replies; with 8-bit or 4-bit weights, faster still. Exported once."
    ),
]
Threads = Annotated[
    int | None, typer.Option(help="Processor threads; default: all that this process may use.", min=1)
]
Temperature = Annotated[float | None, typer.Option(help="0 takes the likeliest word each time; default 0.7.")]
TopP = Annotated[
    float | None,
    typer.Option(help="Draw from the likeliest words with this probability together; default 0.9."),
]
MaxTokens = Annotated[int | None, typer.Option(help="Tokens of a reply at most; default 256.")]
Classifier = Annotated[
    str | None,
    typer.Option(
        help="The run that reads moods and scores texts; default: nlpkit's own; none: nothing does."
    ),
]


def chat(
    run: RunArgument = None,
    model: Model = None,
    store: Annotated[
        Path | None, typer.Option(help="The file that keeps conversations; default: in your data folder.")
    ] = None,
    system: Annotated[str, typer.Option(help="What the bot is told beforehand.")] = "",
    mood: Annotated[bool, typer.Option("--mood", help="Tell the bot how you sound.")] = False,
    classifier: Classifier = None,
    temperature: Temperature = None,
    top_p: TopP = None,
    max_tokens: MaxTokens = None,
    seed: Annotated[int | None, typer.Option(help="Draw the same replies each time.")] = None,
    policy: Policy = "drop_oldest",
    runtime: Runtime = "torch",
    threads: Threads = None,
) -> None:
    """Talk with a bot in the terminal. Conversations are kept; /help shows what else can be typed."""
    from nlpkit.chat.console import Console
    from nlpkit.chat.serving import bot_of, default_store
    from nlpkit.chat.session import Session
    from nlpkit.chat.store import Store

    sampling = _sampling(temperature=temperature, top_p=top_p, max_new_tokens=max_tokens, seed=seed)
    with Store.open(store or default_store()) as opened:
        _announce(runtime)
        bot = bot_of(run, model=model, runtime=runtime, threads=threads, policy=policy)
        session = Session(opened, bot, _classifier(classifier, needed=mood), mood=mood)
        people = sys.stdin.isatty()
        if people:
            _with_history()
            note(f"{bot.name}; /help shows what can be typed; Ctrl-C stops a reply, Ctrl-D leaves")
        prompts = ("you> ", "bot> ") if people else ("", "")
        Console(
            session,
            read=input,
            write=write,
            note=note,
            sampling=sampling,
            system=system,
            run=run or "",
            prompts=prompts,
        ).run()


def serve(
    run: RunArgument = None,
    model: Model = None,
    host: Annotated[
        str, typer.Option(help="Where to listen; an address that others can reach needs a key.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes any free one.", min=0, max=65535)] = 8000,
    key_env: Annotated[
        str, typer.Option(help="The environment variable with the key, or keys, a comma between two.")
    ] = "NLPKIT_KEY",
    classifier: Classifier = None,
    temperature: Temperature = None,
    top_p: TopP = None,
    max_tokens: MaxTokens = None,
    rate: Annotated[int, typer.Option(help="Requests a minute, of a key or an address.", min=1)] = 600,
    queue: Annotated[
        int, typer.Option(help="Answers being made or waiting; more are asked to come back.", min=1)
    ] = 128,
    max_body: Annotated[int, typer.Option(help="Bytes of a request at most.", min=1)] = 1_000_000,
    seconds: Annotated[float, typer.Option(help="For an answer at most.", min=1)] = 300,
    policy: Policy = "drop_oldest",
    runtime: Runtime = "torch",
    threads: Threads = None,
) -> None:
    """Serve a bot over OpenAI's chat protocol, and the classifier beside it, on this machine unless told otherwise."""
    from nlpkit.chat.protocol import ServerLimits
    from nlpkit.chat.serving import bot_of, is_local, keys_in

    keys = keys_in(key_env, host)
    limits = ServerLimits(rate=rate, queue=queue, body=max_body, seconds=seconds)
    sampling = _sampling(temperature=temperature, top_p=top_p, max_new_tokens=max_tokens)
    _announce(runtime)
    bot = bot_of(run, model=model, runtime=runtime, threads=threads, policy=policy)

    from nlpkit.chat.server import create_app
    from nlpkit.chat.server import run as listen

    app = create_app(
        bot,
        _classifier(classifier),
        keys=keys,
        limits=limits,
        sampling=sampling,
        local_only=is_local(host) and not keys,
    )
    asks = "with a key" if keys else "without a key, for this machine alone"
    listen(app, host, port, ready=lambda address: talk(f"{bot.name} at {address}/v1, {asks}; Ctrl-C ends it"))


def _announce(runtime: str) -> None:
    if runtime != "torch":
        note(
            f"runtime {runtime}: a model that it has not met is exported now, once, which takes a minute or more"
        )


def feedback(
    store: Annotated[
        Path | None, typer.Argument(help="The file that keeps conversations; default: in your data folder.")
    ] = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="JSON Lines, as the preference recipe reads them.")
    ] = Path("ratings.jsonl"),
) -> None:
    """Write what was rated and chosen in the chat as a preference data set."""
    from nlpkit.chat.feedback import write_feedback
    from nlpkit.chat.serving import default_store
    from nlpkit.chat.store import Store
    from nlpkit.errors import DataError

    path = store or default_store()
    if not path.is_file():
        raise DataError(f"{path}: no such store; cure: name the file that the chat keeps conversations in")
    with Store.open(path) as opened:
        found = write_feedback(opened, output)
    talk(f"{len(found.rows):,} rows, {found.pairs:,} of them pairs: {output}")
    for one in found.left_out:
        talk(one)


def register(app: typer.Typer) -> None:
    """Make these commands of the program."""
    app.command(
        epilog="Examples: nlpkit chat   |   nlpkit chat runs/bot --temperature 0   |   nlpkit chat http://localhost:8000/v1"
    )(chat)
    app.command(
        epilog="Examples: nlpkit serve runs/bot   |   NLPKIT_KEY=... nlpkit serve runs/bot --host 0.0.0.0"
    )(serve)
    app.command(epilog="Example: nlpkit feedback -o ratings.jsonl")(feedback)


def _sampling(**given: float | int | None) -> Any:
    from nlpkit.generation.sampling import Sampling

    return Sampling.of(
        {name: value for name, value in given.items() if value is not None}, where="the command line"
    )


def _classifier(name: str | None, *, needed: bool = False) -> Any:
    """The classifier; without the network that its base is fetched over, one that nobody asked for by name is done without."""
    from nlpkit.classifiers.classifier import Classifier
    from nlpkit.errors import SourceError

    if name == "none":
        return None
    try:
        return Classifier.load(name)
    except SourceError as error:
        if name is not None or needed:
            raise
        talk(f"no moods and no scores: {error}")
        return None


def _with_history() -> None:
    """Let `input` edit lines and remember them, where the system can."""
    import contextlib

    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 - its import is what does it
