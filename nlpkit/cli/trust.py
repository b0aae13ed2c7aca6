"""The commands that tell how far answers can be trusted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from nlpkit.cli.completion import complete_runs
from nlpkit.cli.options import (
    Encoding,
    Format,
    HeldOut,
    HeldOutLabel,
    Json,
    Text,
    column,
    given,
    mapping_of,
)
from nlpkit.cli.terminal import as_options, bar, escaped, talk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nlpkit.trust.audit import Audit
    from nlpkit.trust.gaps import Gap
    from nlpkit.trust.shares import Share

MOST_GAPS = 15
"""Groups that the terminal shows; the report shows all."""


def shares(
    run: Annotated[
        Path, typer.Argument(help="A run's folder.", show_default=False, autocompletion=complete_runs)
    ],
    file: Annotated[
        str, typer.Argument(help="Texts; or what nlpkit score made of them by this run.", show_default=False)
    ],
    text: Text = "text",
    by: Annotated[str | None, column("the groups that get shares of their own, such as a product")] = None,
    every: Annotated[
        Literal["day", "week", "month", "year"] | None,
        typer.Option(help="Shares for each of these periods, by the dates in the column --by."),
    ] = None,
    format: Format = None,
    encoding: Encoding = None,
    held_out: HeldOut = None,
    label: HeldOutLabel = None,
    as_json: Json = False,
) -> None:
    """Estimate the share of each label in a file, corrected for the classifier's mistakes, with intervals."""
    import json

    from nlpkit.data.text_checks import counted
    from nlpkit.trust.file_shares import file_shares

    fields = given(label=label)
    with as_options(), bar("reading") as show:
        estimated = file_shares(
            run, file, text=text, by=by, every=every, format=format, encoding=encoding, held_out=held_out,
            progress=lambda texts: show(texts, None, "texts"), **fields,
        )  # fmt: skip
    if as_json:
        typer.echo(json.dumps(estimated.as_dict(), ensure_ascii=False))
        return
    _show(counted(estimated.texts, "text"), estimated.shares)
    for group, of_group in estimated.by_group.items():
        _show(f"{group}: {counted(estimated.group_texts[group], 'text')}", of_group)
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


def audit_run(
    run: Annotated[
        Path,
        typer.Argument(help="A run's folder, or default.", show_default=False, autocompletion=complete_runs),
    ],
    file: Annotated[
        str | None, typer.Argument(help="Texts, in which groups are exchanged too.", show_default=False)
    ] = None,
    compare: Annotated[
        str | None, typer.Option(help="Another run, or vader (extra bench), for the same figures.")
    ] = None,
    text: Text = "text",
    label: Annotated[str | None, column("the labels of FILE, for accuracy and equalized odds")] = None,
    labels: Annotated[
        str | None, typer.Option(help="The file's labels as the run calls them, as YAML.")
    ] = None,
    format: Format = None,
    encoding: Encoding = None,
    as_json: Json = False,
) -> None:
    """Measure whether a run scores people of different groups alike, in made sentences and in your texts."""
    import json

    from nlpkit.run import Run
    from nlpkit.trust.audit import audit
    from nlpkit.trust.audit_report import write_audit

    options = given(label=label, labels=mapping_of(labels) or None, format=format, encoding=encoding)
    opened = Run.open(run)
    with as_options(), bar("answering") as show:
        audited = audit(
            opened, file, compare=compare, text=text, progress=lambda done, total: show(done, total, "texts"),
            **options,
        )  # fmt: skip
    page = write_audit(opened, audited)
    if as_json:
        typer.echo(json.dumps(audited.as_dict(), ensure_ascii=False))
    else:
        _show_audit(audited)
        if file and not label:
            talk("hint: --label COLUMN adds accuracy and equalized odds, where the file has labels")
    talk(f"report: {page}")


def _show_audit(audited: Audit) -> None:
    from nlpkit.trust.audit_report import summary
    from nlpkit.trust.gaps import largest

    _show_gaps(f"{audited.run}: {audited.sentences:,} sentences", largest(audited.gaps), audited.compared)
    if audited.file and audited.file.gaps:
        _show_gaps(f"groups exchanged in {audited.file.name}", largest(audited.file.gaps), None)
    for line in summary(audited):
        talk(line)


def _show_gaps(title: str, gaps: Sequence[Gap], compared: Audit | None) -> None:
    from rich.console import Console
    from rich.table import Table

    from nlpkit.trust.audit_report import HEADS, gap_cells, gaps_of

    theirs = gaps_of(compared) if compared else {}
    others = (escaped(compared.run),) if compared else ()
    table = Table(title=escaped(title))
    for number, name in enumerate((*HEADS, *others)):
        table.add_column(name, no_wrap=number > 1)
    for gap in gaps[:MOST_GAPS]:
        table.add_row(*gap_cells(gap), *([f"{theirs[gap.kind, gap.group].gap:+.3f}"] if compared else []))
    Console().print(table)
    if len(gaps) > MOST_GAPS:
        talk(f"{len(gaps) - MOST_GAPS} smaller gaps stand in the report")


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command(
        epilog="Examples: nlpkit shares runs/mine reviews.csv --by date --every month   |   "
        "nlpkit shares runs/mine scored.parquet --held-out labeled.csv --label sentiment"
    )(shares)
    app.command(
        "audit",
        epilog="Examples: nlpkit audit runs/mine --compare vader   |   "
        "nlpkit audit runs/mine reviews.csv --label stars --compare runs/older",
    )(audit_run)
