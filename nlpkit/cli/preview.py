"""How a preview of a job is shown: `nlpkit score --check`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from nlpkit.cli.terminal import escaped

if TYPE_CHECKING:
    from nlpkit.scoring.measured import Estimate
    from nlpkit.scoring.preview import Preview


def show_preview(looked: Preview, as_json: bool, on_error: str) -> None:
    """Print a preview, as lines for people or as JSON."""
    if as_json:
        typer.echo(json.dumps(looked.as_dict()))
    else:
        is_skipped = on_error == "skip"
        then = "left out" if is_skipped else "the job stops at the first; hint: --on-error skip"
        show_lines(preview_lines(looked, then))


def show_lines(lines: Sequence[tuple[str, str]]) -> None:
    """Print lines for people, a name and words each."""
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in lines:
        table.add_row(escaped(name), escaped(value))
    Console().print(table, highlight=False)


def preview_lines(looked: Preview, then: str) -> list[tuple[str, str]]:
    """Return what a preview says, as names and words; `then` says what becomes of bad rows."""
    drawn = f"of {looked.drawn:,} texts drawn"
    about = "" if looked.rows_are == "exact" else f", from {looked.read:,} that were read"
    lines = [("rows", f"{looked.rows:,} ({looked.rows_are}{about})")]
    if looked.rejected:
        lines.append(("cannot be scored", f"{looked.rejected:,} of {looked.read:,} rows: {then}"))
    lines.append(("equal texts", f"{looked.equal_share:.1%} of the rows; {looked.computed:,} are computed"))
    if looked.tokens is not None:
        lines += [
            ("tokens", _between(looked.tokens)),
            ("unknown tokens", f"{looked.unknown_share:.1%} {drawn}"),
            (
                f"longer than {looked.reads:,} tokens",
                f"{looked.longer_share:.1%} {drawn}; read in windows"
                + (f", {looked.partly_read:,} of them not in full" if looked.partly_read else ""),
            ),
        ]
    lines += [
        ("time", f"{_duration(looked.seconds.value)} (95% interval {_duration(looked.seconds.low)} to "
         f"{_duration(looked.seconds.high)}), measured on {looked.sampled:,} texts with {looked.runtime}"),
        ("loading the model", _duration(looked.loading_seconds)),
    ]  # fmt: skip
    if looked.memory_mb is not None:
        lines.append(("memory", f"{looked.memory_mb:,.0f} MB, whatever the number of rows"))
    lines.append(
        ("energy", "not known: this machine does not show it")
        if looked.kilojoules is None
        else ("energy", f"{looked.kilojoules / 3600:.3g} kWh, of the processor with all that runs on it")
    )
    if looked.price_per_million is not None:
        price = f"at ${looked.price_per_million:,g} for a million input tokens"
        asked = "not known" if looked.dollars is None else f"${looked.dollars:,.2f}"
        lines.append(("a hosted model", f"{asked} {price}, without its instructions and answers"))
    return lines


def _between(estimate: Estimate) -> str:
    return f"{estimate.value:,.0f} (95% interval {estimate.low:,.0f} to {estimate.high:,.0f})"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h"
