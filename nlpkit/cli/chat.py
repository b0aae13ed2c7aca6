"""The commands around conversations: chat in a terminal, export ratings as training data."""

from __future__ import annotations

import contextlib
import io
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from nlpkit.cli.choices import runtime_option
from nlpkit.cli.completion import complete_runs
from nlpkit.cli.options import given
from nlpkit.cli.terminal import note, printable, talk, write
from nlpkit.errors import ConfigError, DataError
from nlpkit.generation.addresses import is_address
from nlpkit.generation.runtimes import AUTO, FAST, RUNTIMES

RUN_HELP = (
    "A run's folder, a promoted.json, or the address of an OpenAI-compatible server, "
    "such as http://localhost:8000/v1#MODEL. "
    "Default: the built-in chat model."
)

RunArgument = Annotated[
    str | None,
    typer.Argument(metavar="[RUN]", help=RUN_HELP, show_default=False, autocompletion=complete_runs),
]
Model = Annotated[
    str | None, typer.Option(help="Name of the server's model, if RUN is an address with several.")
]
Policy = Annotated[
    Literal["drop_oldest", "recall"],
    typer.Option(
        help="What a chat model sees of a long conversation: drop_oldest keeps its end; "
        "recall also quotes earlier turns that matter now."
    ),
]
Runtime = Annotated[
    str,
    runtime_option(
        RUNTIMES,
        "The runtime. A model is exported once, at its first use, and verified.",
        extra={AUTO: f"{FAST} on a CPU where it is installed; torch replies while the export is made"},
    ),
]
StoreFile = Annotated[
    Path | None, typer.Option(help="The file of the conversations. Default: in your data folder.")
]
Threads = Annotated[
    int | None, typer.Option(help="Processor threads. Default: all that this process may use.", min=1)
]
Temperature = Annotated[
    float | None,
    typer.Option(help="Sampling temperature; 0 always takes the most likely token. Default: 0.7."),
]
TopP = Annotated[
    float | None,
    typer.Option(help="Nucleus sampling (top-p). Default: 0.9."),
]
MaxTokens = Annotated[int | None, typer.Option(help="Maximum tokens of a reply. Default: 120.")]
Classifier = Annotated[
    str | None,
    typer.Option(
        help="The run that predicts moods and scores texts; none switches this off. "
        "Default: the built-in classifier."
    ),
]


def chat(
    run: RunArgument = None,
    ids: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="ID",
            help="`nlpkit chat forget ID` deletes a conversation for good; without an ID it lists them.",
            show_default=False,
        ),
    ] = None,
    model: Model = None,
    store: StoreFile = None,
    system: Annotated[str, typer.Option(help="System prompt.")] = "",
    mood: Annotated[bool, typer.Option("--mood", help="Put your mood into the system prompt.")] = False,
    classifier: Classifier = None,
    temperature: Temperature = None,
    top_p: TopP = None,
    max_tokens: MaxTokens = None,
    seed: Annotated[int | None, typer.Option(help="Sample the same replies each time.")] = None,
    policy: Policy = "drop_oldest",
    runtime: Runtime = AUTO,
    threads: Threads = None,
) -> None:
    """Chat in the terminal. Conversations are saved; type /help for the commands."""
    from nlpkit.chat.console import Console
    from nlpkit.chat.serving import default_store, load_chat_model
    from nlpkit.chat.session import Session
    from nlpkit.chat.store import Store

    if run == "forget":
        _forget(_existing(store, "nlpkit chat forget --store FILE"), ids or [])
        return
    if ids:
        raise ConfigError(
            f"found {' '.join(ids)!r} after RUN; hint: nlpkit chat RUN, or nlpkit chat forget ID"
        )
    sampling = sampling_of(temperature=temperature, top_p=top_p, max_new_tokens=max_tokens, seed=seed)
    with Store.open(store or default_store()) as opened:
        announce_export(runtime)
        chat_model = load_chat_model(run, model=model, runtime=runtime, threads=threads, policy=policy)
        session = Session(opened, chat_model, load_classifier(classifier, needed=mood), mood=mood)
        is_terminal = sys.stdin.isatty()
        if isinstance(sys.stdin, io.TextIOWrapper):
            sys.stdin.reconfigure(errors="surrogateescape")  # a line that is no UTF-8 costs no other line
        if is_terminal:
            _with_history()
            note(f"{named(chat_model)}; /help lists the commands; Ctrl-C stops a reply, Ctrl-D leaves")
        prompts = ("you> ", "bot> ") if is_terminal else ("", "")
        Console(
            session,
            read=input,
            write=write,
            note=note,
            sampling=sampling,
            system=system,
            run=chat_model.name if is_address(run or "") else run or "",  # without a password in the address
            prompts=prompts,
        ).run()


def named(chat_model: Any) -> str:
    """Return the name of a chat model, and what it runs on where that is this machine."""
    runs_on = getattr(chat_model, "runs_on", "")
    return f"{chat_model.name} ({runs_on})" if runs_on else str(chat_model.name)


def announce_export(runtime: str) -> None:
    """Say that a runtime takes an export, which takes a while."""
    if runtime != AUTO and RUNTIMES[runtime].open:
        note(f"runtime {runtime}: a model is exported once, at its first use; this takes a minute or more")


def feedback(
    store: Annotated[
        Path | None, typer.Argument(help="The file of the conversations. Default: in your data folder.")
    ] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="The JSON Lines file to write.")] = Path(
        "ratings.jsonl"
    ),
) -> None:
    """Write the ratings and choices of the chat as a data set for preference training."""
    from nlpkit.chat.feedback import write_feedback
    from nlpkit.chat.store import Store
    from nlpkit.data.text_checks import counted

    with Store.open(_existing(store, "nlpkit feedback FILE")) as opened:
        preferences = opened.preferences()
        write_feedback(preferences, output)
    talk(f"{counted(len(preferences.rows))}, {preferences.pairs:,} of them pairs: {output}")
    for reason in preferences.left_out:
        talk(reason)
    if preferences.shortage:
        talk(preferences.shortage)


def _existing(store: Path | None, command: str) -> Path:
    """Return the path of the store, which has to exist."""
    from nlpkit.chat.serving import default_store

    path = store or default_store()
    if not path.is_file():
        raise DataError(f"{path}: no such store; hint: name the file of the conversations: {command}")
    return path


def _forget(path: Path, ids: list[str]) -> None:
    """Delete conversations, so that no trace of them remains in the store's files; list them without ids."""
    import datetime

    from nlpkit.chat.refusals import MissingError
    from nlpkit.chat.store import Store

    with Store.open(path) as store:
        if not ids:
            for chat in store.chats(""):
                day = datetime.datetime.fromtimestamp(chat.updated, datetime.UTC).date()
                typer.echo(f"{chat.id}  {day}  {printable(chat.title)}")
        for id in ids:
            try:
                store.read(id, "")
            except MissingError as error:
                hint = f"nlpkit chat forget --store {shlex.quote(str(path))} lists the ids"
                raise DataError(f"{id}: {error}, and none was deleted; hint: {hint}") from None
        for id in dict.fromkeys(ids):
            store.delete(id, "")
            talk(f"{id}: deleted")


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command(
        epilog="Examples: nlpkit chat   |   nlpkit chat runs/bot --temperature 0   |   nlpkit chat http://localhost:8000/v1"
        "   |   nlpkit chat forget ID"
    )(chat)
    app.command(epilog="Example: nlpkit feedback -o ratings.jsonl")(feedback)


def sampling_of(**options: float | int | None) -> Any:
    """Return the sampling settings that options give."""
    from nlpkit.generation.sampling import Sampling

    return Sampling.of(given(**options), where="the command line")


def load_classifier(name: str | None, *, needed: bool = False) -> Any:
    """Load the classifier; return None if the default one cannot be fetched and nothing needs it."""
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
    """Let `input` edit lines and remember them, if the system can."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 - the import has the effect
