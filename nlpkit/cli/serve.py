"""The command that serves a chat model and a classifier over HTTP."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nlpkit.cli.chat import (
    Classifier,
    MaxTokens,
    Model,
    Policy,
    RunArgument,
    Runtime,
    Temperature,
    Threads,
    TopP,
    announce_export,
    load_classifier,
    named,
    sampling_of,
)
from nlpkit.cli.terminal import talk
from nlpkit.errors import ConfigError
from nlpkit.generation.runtimes import AUTO

if TYPE_CHECKING:
    from nlpkit.watching.served import WatchedClassifier


def serve(
    run: RunArgument = None,
    model: Model = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; one that others can reach needs a key.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="Port to listen on; 0 takes any free port.", min=0, max=65535)
    ] = 8000,
    key_env: Annotated[
        str, typer.Option(help="The environment variable with the API keys, separated by commas.")
    ] = "NLPKIT_KEY",
    store: Annotated[
        Path | None,
        typer.Option(
            help="The file that keeps the conversations whose reply a client rates at /v1/feedback. "
            "Default: ratings are refused, and nothing is kept."
        ),
    ] = None,
    classifier: Classifier = None,
    zero_shot: Annotated[
        str | None,
        typer.Option(
            metavar="BASE",
            help="Also answer questions at /v1/systemone whose options are no labels of the classifier, by "
            "what they mean in words, with this sentence encoder: minilm-l6, ... Such answers are not "
            "calibrated.",
        ),
    ] = None,
    watch: Annotated[
        Path | None,
        typer.Option(
            metavar="REFERENCE",
            help="Compare the texts at /v1/score and /v1/systemone with these, a file or a folder with a "
            "column text; /metrics shows evidence and alarms.",
        ),
    ] = None,
    watch_state: Annotated[
        Path | None, typer.Option(help="With --watch: a file that keeps where the watch stands.")
    ] = None,
    temperature: Temperature = None,
    top_p: TopP = None,
    max_tokens: MaxTokens = None,
    rate: Annotated[
        int, typer.Option(help="Maximum requests per minute of a key or an address.", min=1)
    ] = 600,
    queue: Annotated[
        int, typer.Option(help="Maximum replies being generated or waiting; more are refused.", min=1)
    ] = 128,
    max_body: Annotated[int, typer.Option(help="Maximum bytes of a request.", min=1)] = 1_000_000,
    seconds: Annotated[float, typer.Option(help="Maximum seconds for a reply.", min=1)] = 300,
    policy: Policy = "drop_oldest",
    runtime: Runtime = AUTO,
    threads: Threads = None,
) -> None:
    """Serve a chat model over OpenAI's chat protocol, and a classifier at /v1/score."""
    from nlpkit.chat.request_models import ServerLimits
    from nlpkit.chat.serving import is_local, keys_in, load_chat_model
    from nlpkit.chat.store import Store

    if watch_state and not watch:
        raise ConfigError(f"--watch-state {watch_state}: nothing is watched; hint: add --watch REFERENCE")
    if watch and classifier == "none":
        raise ConfigError("--watch: there is no classifier; hint: leave out --classifier none")
    keys = keys_in(key_env, host)
    limits = ServerLimits(rate=rate, queue=queue, body=max_body, seconds=seconds)
    sampling = sampling_of(temperature=temperature, top_p=top_p, max_new_tokens=max_tokens)
    with contextlib.ExitStack() as stack:
        opened = None if store is None else stack.enter_context(Store.open(store))
        announce_export(runtime)
        chat_model = load_chat_model(run, model=model, runtime=runtime, threads=threads, policy=policy)

        from nlpkit.chat.server import create_app
        from nlpkit.chat.server import run as listen

        watched = None if watch is None else _watched(classifier, watch, watch_state, stack)
        app = create_app(
            chat_model,
            watched or load_classifier(classifier),
            keys=keys,
            limits=limits,
            sampling=sampling,
            local_only=is_local(host) and not keys,
            store=opened,
            label_reader=_label_reader(zero_shot),
            more_metrics=watched.metrics if watched else lambda: "",
        )
        access = "with a key" if keys else "without a key, for this machine only"
        listen(
            app,
            host,
            port,
            ready=lambda address: talk(f"{named(chat_model)} at {address}/v1, {access}; Ctrl-C ends it"),
        )


def _watched(
    classifier: str | None, reference: Path, state: Path | None, stack: contextlib.ExitStack
) -> WatchedClassifier:
    """Return the classifier whose texts are watched; where the watch stands is kept when the stack ends."""
    from nlpkit.files import refuse_path
    from nlpkit.watching.served import WatchedClassifier
    from nlpkit.watching.state import Watch

    if state:
        refuse_path(state, {"the reference": reference}, hint="name another file")
    stack.enter_context(Watch.only_one(state))
    watch = Watch.begin(classifier or "default", against=reference, state=state, talk=talk)
    stack.callback(watch.save)
    return WatchedClassifier(watch)


def _label_reader(base: str | None) -> Any:
    """Return what reads labels in words; its base is loaded now, so that no request waits for it."""
    if base is None:
        return None
    from nlpkit.classifiers.zero_shot import zero_shot

    zero_shot("a text", ["good", "bad"], base=base)
    return lambda text, labels: zero_shot(text, labels, base=base)[0].tolist()


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(
        epilog="Examples: nlpkit serve runs/bot   |   NLPKIT_KEY=... nlpkit serve runs/bot --host 0.0.0.0"
        "   |   nlpkit serve --classifier runs/mine --watch spring.csv --watch-state watch.json"
    )(serve)
