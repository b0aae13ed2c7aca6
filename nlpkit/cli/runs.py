"""The commands that list runs and publish one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nlpkit.cli.options import Json
from nlpkit.cli.terminal import talk


def push(
    run: Annotated[Path, typer.Argument(help="A run's folder.", show_default=False)],
    repository: Annotated[str, typer.Argument(help="org/name on the Hugging Face hub.", show_default=False)],
    public: Annotated[bool, typer.Option("--public", help="Let everyone see it; default: private.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List the files that would be sent, and send nothing.")
    ] = False,
) -> None:
    """Publish a run's adapter, tokenizer and card on the Hugging Face hub.

    The token comes from HF_TOKEN or `hf auth login`.
    """
    from nlpkit.evaluation.publish import published_files, push_run
    from nlpkit.run import Run

    if dry_run:
        for path in published_files(Run.open(run)):
            typer.echo(f"{path}  {path.stat().st_size:,} bytes")
        talk(f"nothing was sent; it would go to {repository}, {'public' if public else 'private'}")
        return
    talk(push_run(Run.open(run), repository, private=not public))


def runs(
    folder: Annotated[Path, typer.Argument(help="Where to look.")] = Path("runs"), as_json: Json = False
) -> None:
    """List the completed runs below a folder."""
    import json

    from nlpkit.run import find_runs

    completed = [(run, run.read()) for run in find_runs(folder)]
    if as_json:
        typer.echo(
            json.dumps(
                [{"path": str(run.path), **record.model_dump(mode="json")} for run, record in completed]
            )
        )
        return
    for run, record in completed:
        typer.echo(
            f"{run.path}  {record.task['kind']}  base {record.base.source}  "
            f"seed {record.seed}  {record.created}"
        )
    if not completed:
        talk(f"no runs below {folder}")


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command(epilog="Example: nlpkit runs")(runs)
    app.command(epilog="Example: nlpkit push runs/mine my-org/my-sentiment --dry-run")(push)
