"""The options that several commands have, and the old names that are still accepted."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

import typer

from nlpkit.classifiers.runtimes import AUTO, RUNTIMES
from nlpkit.cli.choices import runtime_option
from nlpkit.cli.terminal import note
from nlpkit.errors import ConfigError

Value = TypeVar("Value")

Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
Text = Annotated[str, typer.Option(help="The column that holds the text.")]
Label = Annotated[str, typer.Option(help="The column that holds the label or the number.")]
Format = Annotated[str | None, typer.Option(help="Format of the file, if its name does not say it.")]
OnError = Annotated[
    Literal["stop", "skip"],
    typer.Option(help="stop at bad rows, or skip them and say how many (exit code 5)."),
]
LABELS, CONVERSATIONS = "For labels and numbers", "For conversations"
"""Panels of the help."""


def given(**options: Any) -> dict[str, Any]:
    """Return the options that have a value."""
    return {name: value for name, value in options.items() if value is not None}


def run_and_input(paths: list[str]) -> tuple[str | None, str]:
    """Return the run, None for nlpkit's own, and the input.

    Raises:
        ConfigError: there are more arguments, or none.
    """
    if len(paths) not in (1, 2):
        raise ConfigError(f"expected [RUN] INPUT, found {len(paths)} arguments: {' '.join(paths)}")
    return (paths[0] if len(paths) == 2 else None), paths[-1]


def names_of(columns: str | None) -> tuple[str, ...]:
    """Return the columns that an option names, separated by commas."""
    return tuple(name.strip() for name in (columns or "").split(",") if name.strip())


def column(help: str, panel: str | None = None, default: str = "") -> typer.models.OptionInfo:
    """Return an option that names a column; `default` is only shown."""
    option: typer.models.OptionInfo = typer.Option(
        help=f"The column that holds {help}.", rich_help_panel=panel, show_default=default or False
    )
    return option


Annotators = Annotated[
    str | None,
    typer.Option(
        help="The columns with each person's answer, such as ann,ben, or the one with a list of them.",
        rich_help_panel=LABELS,
    ),
]
Shape = Annotated[
    str | None,
    typer.Option(
        help="messages, sharegpt, alpaca, pairs, turns or auto.",
        show_default="auto",
        rich_help_panel=CONVERSATIONS,
    ),
]
Bot = Annotated[
    str | None,
    typer.Option(
        help="The speaker that the model answers as: a name, first, second or each.",
        rich_help_panel=CONVERSATIONS,
    ),
]
System = Annotated[str | None, column("the system prompt", CONVERSATIONS)]
Messages = Annotated[str | None, column("the list of messages", CONVERSATIONS, "messages")]
Prompt = Annotated[str | None, column("the prompt of a pair", CONVERSATIONS, "prompt")]
Reply = Annotated[str | None, column("the reply of a pair", CONVERSATIONS, "reply")]
ConversationColumn = Annotated[str | None, column("a turn's conversation", CONVERSATIONS, "conversation")]
Speaker = Annotated[str | None, column("a turn's speaker", CONVERSATIONS, "speaker")]
AspectColumn = Annotated[
    str | None, column("the aspect that a run of aspect_polarity is asked about", LABELS, "aspect")
]
ImageColumn = Annotated[
    str | None, column("the picture, a path or bytes, for a run that reads pictures", LABELS, "image")
]
Encoding = Annotated[str | None, typer.Option(help="Text encoding of the input, if it is not UTF-8.")]
RuntimeChoice = Annotated[
    str,
    runtime_option(
        RUNTIMES,
        "The runtime. Exports are made once and verified against the run.",
        extra={AUTO: "onnx where it is worth it, else torch"},
    ),
]


def renamed(value: Value, *, old: str, given: Value | None, new: str) -> Value:
    """Return the value of an option, or that of its old name, which is said to be renamed."""
    if given is None:
        return value
    note(f"{old} is now {new}")
    return given


def mapping_of(labels: str | None) -> dict[str, str]:
    """Return the mapping that `--labels` holds.

    Raises:
        ConfigError: it is no mapping.
    """
    from nlpkit.config import yaml_value

    mapping = {} if labels is None else yaml_value(labels, where="--labels")
    if not isinstance(mapping, dict):
        raise ConfigError(
            f"--labels: expected a mapping, found {labels}; hint: --labels '{{1: negative, 5: positive}}'"
        )
    return {str(key): str(label) for key, label in mapping.items()}


HeldOut = Annotated[
    str | None,
    typer.Option(help="Labeled rows that the run was not trained on.", show_default="those of its training"),
]
HeldOutLabel = Annotated[str | None, column("the label of --held-out", default="label")]
Check = Annotated[
    bool,
    typer.Option("--check", help="Say what it will take: rows, tokens, seconds, memory. Writes nothing."),
]
PricePerMillion = Annotated[
    float | None,
    typer.Option(
        help="With --check: dollars that a hosted model asks for a million input tokens.",
        show_default=False,
    ),
]
