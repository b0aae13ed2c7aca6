"""What a check of data has found, for a program (JSON), a terminal, and a page."""

from __future__ import annotations

import html
import re
import unicodedata
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from rich.console import RenderableType

Severity = Literal["error", "warning", "info"]
SHOWN = 160
"""Characters of a text that a report shows."""

_STYLES: dict[Severity, str] = {"error": "bold red", "warning": "yellow", "info": "cyan"}
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|~-])")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Lengths(_Frozen):
    """How long texts are, in tokens or words."""

    mean: float
    percentiles: dict[str, float]
    """`p5`, `p50`, `p95`, `p99` and `max`."""
    over_window: float | None
    """Share of texts longer than the model's window; None where no window was given."""
    histogram: tuple[int, ...]
    """Texts in each bin of the report's `edges`; the last bin holds all longer ones too."""


class Part(_Frozen):
    """One of train, validation, test."""

    rows: int
    labels: dict[str, int]
    values: dict[str, float] | None
    """`min`, `mean` and `max` of the values, for an intensity."""
    lengths: Lengths | None


class Excerpt(_Frozen):
    """A row to look at: its text cut, cleaned of control characters, personal data masked."""

    part: str
    where: str
    text: str
    note: str = ""


class Finding(_Frozen):
    """Something to know before training, and what to do about it."""

    kind: str
    severity: Severity
    part: str
    """The part it is about, or two of them ("train, test")."""
    rows: int
    message: str
    hint: str
    examples: tuple[Excerpt, ...] = ()


class CheckReport(_Frozen):
    """All that was found in the data."""

    parts: dict[str, Part]
    findings: tuple[Finding, ...]
    """Errors first, then warnings."""
    unit: Literal["tokens", "words"]
    """What lengths are counted in."""
    window: int | None
    near_duplicates: float
    edges: tuple[int, ...]

    @property
    def worst(self) -> Severity | None:
        """The gravest severity; None where nothing was found."""
        return self.findings[0].severity if self.findings else None

    def to_json(self) -> str:
        """The report for a program."""
        return self.model_dump_json(indent=2)

    def to_markdown(self) -> str:
        """The report as Markdown, texts escaped."""
        names, rows = table(self)
        lines = ["# Data check", "", f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
        lines += [f"| {' | '.join(_escaped(cell) for cell in row)} |" for row in rows]
        lines += ["", "## Findings", ""]
        for one in self.findings:
            lines.append(
                f"- **{one.severity}** ({_escaped(one.part)}): {_escaped(one.message)}. {_escaped(one.hint)}."
            )
            lines += [f"  - {_escaped(' | '.join(cells(example)))}" for example in one.examples]
        return "\n".join(lines if self.findings else [*lines, "Nothing to report."]) + "\n"

    def to_terminal(self) -> RenderableType:
        """The report for rich's console."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        names, rows = table(self)
        counts = Table(*names)
        for row in rows:
            counts.add_row(*(Text(cell) for cell in row))
        parts: list[RenderableType] = [counts]
        for one in self.findings:
            parts.append(
                Text.assemble(
                    (one.severity, _STYLES[one.severity]),
                    f" {one.part}: {one.message}. ",
                    (f"{one.hint}.", "dim"),
                )
            )
            parts += [
                Text("    " + "  ".join(cells(example)), style="dim", no_wrap=True, overflow="ellipsis")
                for example in one.examples
            ]
        return Group(*parts) if self.findings else Group(*parts, Text("Nothing to report.", style="green"))

    def to_html(self) -> str:
        """The report as one self-contained page with plots and no script."""
        from nlpkit.data.check_page import page

        return page(self)


def shown(text: str, width: int = SHOWN) -> str:
    """The text on one line, cut to `width`, with nothing in it that could drive a terminal or turn the writing around."""
    line = " ".join("".join(map(_harmless, text[: 4 * width])).split())
    return line if len(line) <= width and len(text) <= 4 * width else line[: width - 3].rstrip() + "..."


def _harmless(character: str) -> str:
    category = unicodedata.category(character)
    if category in ("Cc", "Cs"):  # control characters and halves of surrogate pairs leave a trace
        return " " if character.isspace() else "\ufffd"
    return "" if category[0] == "C" else character  # bidi overrides, zero-width, private and unassigned


def cells(example: Excerpt) -> tuple[str, ...]:
    """What is shown of an example: place, note, text."""
    return tuple(cell for cell in (example.where or example.part, example.note, example.text) if cell)


def table(report: CheckReport) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The counts in words: column names and a row for each part."""
    longest = f"{report.unit}: median, 95%, longest"
    names = ("part", "rows", "labels", longest) + (("over window",) if report.window else ())
    rows = []
    for name, part in report.parts.items():
        row = (name, f"{part.rows:,}", _labels(part), _lengths(part.lengths))
        over = part.lengths.over_window if part.lengths else None
        rows.append(row + ((f"{over:.1%}" if over is not None else "",) if report.window else ()))
    return names, rows


def _labels(part: Part) -> str:
    if part.values:
        return ", ".join(f"{name}: {value:.3g}" for name, value in part.values.items())
    ranked = sorted(part.labels.items(), key=lambda item: -item[1])
    more = f", and {len(ranked) - 8} more" if len(ranked) > 8 else ""
    return ", ".join(f"{label}: {count:,} ({count / part.rows:.0%})" for label, count in ranked[:8]) + more


def _lengths(lengths: Lengths | None) -> str:
    return ", ".join(f"{lengths.percentiles[name]:.0f}" for name in ("p50", "p95", "max")) if lengths else ""


def _escaped(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", html.escape(text, quote=False))
