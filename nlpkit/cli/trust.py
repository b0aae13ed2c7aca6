"""The commands that tell how far answers can be trusted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nlpkit.cli.options import Encoding, Format, HeldOut, HeldOutLabel, Json, Text, column
from nlpkit.cli.terminal import as_options, bar, escaped, talk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nlpkit.trust.shares import Share


def shares(
    run: Annotated[Path, typer.Argument(help="A run's folder.", show_default=False)],
    file: Annotated[
        str, typer.Argument(help="Texts; or what nlpkit score made of them by this run.", show_default=False)
    ],
    text: Text = "text",
    by: Annotated[str | None, column("the groups that get shares of their own, such as a month")] = None,
    format: Format = None,
    encoding: Encoding = None,
    held_out: HeldOut = None,
    label: HeldOutLabel = None,
    as_json: Json = False,
) -> None:
    """Estimate the share of each label in a file, corrected for the classifier's mistakes, with intervals."""
    import json

    from nlpkit.trust.file_shares import file_shares

    fields = {} if label is None else {"label": label}
    with as_options(), bar("reading") as show:
        estimated = file_shares(
            run, file, text=text, by=by, format=format, encoding=encoding, held_out=held_out,
            progress=lambda texts: show(texts, None, "texts"), **fields,
        )  # fmt: skip
    if as_json:
        typer.echo(json.dumps(estimated.as_dict(), ensure_ascii=False))
        return
    _show(f"{estimated.texts:,} texts", estimated.shares)
    for group, of_group in estimated.by_group.items():
        _show(f"{group}: {estimated.group_texts[group]:,} texts", of_group)
    if few := ", ".join(f"{group} ({texts})" for group, texts in estimated.left_out.items()):
        talk(f"too few texts for shares of their own: {few}")
    talk(f"corrected by {estimated.held_out_rows:,} labeled rows: {estimated.held_out}")
    if estimated.is_unlike:
        talk(
            "warning: these texts are not like the labeled rows, and their shares may be wrong; "
            "hint: label some of them, and name them with --held-out"
        )


def _show(title: str, shares: Sequence[Share]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("label", "share", "95% interval", "counted", "likeliest", title=escaped(title))
    for share in shares:
        interval = f"{share.low:.1%} to {share.high:.1%}"
        table.add_row(
            escaped(share.label),
            f"{share.share:.1%}",
            interval,
            f"{share.counted:.1%}",
            f"{share.likeliest:.1%}",
        )
    Console().print(table)


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command(
        epilog="Examples: nlpkit shares runs/mine reviews.csv --by month   |   "
        "nlpkit shares runs/mine scored.parquet --held-out labeled.csv --label sentiment"
    )(shares)
