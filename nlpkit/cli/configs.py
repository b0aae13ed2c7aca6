"""The commands around configs: list the shipped ones, show one, and write one for a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nlpkit.cli.completion import complete_configs
from nlpkit.cli.options import Encoding, Format, Json
from nlpkit.cli.terminal import talk
from nlpkit.errors import ConfigError

configs_app: typer.Typer = typer.Typer(
    help="List the shipped configs, show one, or write one for your own file.", no_args_is_help=True
)


def show_configs() -> None:
    """Print a table of the shipped configs."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from nlpkit.training.shipped import shipped_configs

    table = Table("config", "recipe", "what it trains")
    for config in shipped_configs():
        table.add_row(config.name, config.recipe, Text(config.summary))
    Console().print(table)


@configs_app.command("list", epilog="Example: nlpkit config list")
def list_configs(as_json: Json = False) -> None:
    """List the shipped configs: the recipe of each, and what it trains."""
    import json

    from nlpkit.training.shipped import shipped_configs

    if not as_json:
        show_configs()
        return
    rows = [
        {"name": config.name, "recipe": config.recipe, "about": config.summary, "path": str(config.path)}
        for config in shipped_configs()
    ]
    typer.echo(json.dumps(rows))


@configs_app.command(epilog="Example: nlpkit config show quickstart > mine.yaml")
def show(
    name: Annotated[
        Path,
        typer.Argument(
            help="A shipped config, or a YAML file.", show_default=False, autocompletion=complete_configs
        ),
    ],
) -> None:
    """Print a config as it stands, to read it or to begin your own with."""
    from nlpkit.config import read_config
    from nlpkit.training.recipes import find_config

    path = find_config(name)
    read_config(path)
    typer.echo(path.read_text(encoding="utf-8"), nl=False)


@configs_app.command(
    epilog="Examples: nlpkit config new reviews.csv   |   "
    "nlpkit config new reviews.csv --label stars -o stars.yaml"
)
def new(
    data: Annotated[
        str,
        typer.Argument(
            help="Labeled rows, or conversations: a file, hub:org/name, or a catalog name.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The YAML file to write.", show_default="the data's name"),
    ] = None,
    text: Annotated[
        str | None, typer.Option(help="The column that holds the text.", show_default="guessed")
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(help="The column that holds the label or the number.", show_default="guessed"),
    ] = None,
    format: Format = None,
    encoding: Encoding = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the config.")] = False,
) -> None:
    """Write a config for your file: the task, the columns and the base are guessed from its rows.

    Each guess is a comment in the config. A tenth of the rows is held out to report on.
    """
    from nlpkit.files import refuse_path, write_whole
    from nlpkit.training.guessed_config import config_name, guess_config

    path = output or Path(f"{config_name(data)}.yaml")
    refuse_path(path, {"the data": Path(data)}, hint="-o mine.yaml")
    if path.exists() and not overwrite:
        raise ConfigError(f"{path}: is there already; hint: --overwrite, or -o with another name")
    config = guess_config(data, text=text, label=label, format=format, encoding=encoding)
    write_whole(path, config)
    for line in config.splitlines():
        if line.startswith("# "):
            talk(line.removeprefix("# "))
    talk(f"config: {path}; check it: nlpkit train {path} --check")


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.add_typer(configs_app, name="config")
