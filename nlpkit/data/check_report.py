"""What a check of data has found, for a program (JSON), a terminal, and a page."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from nlpkit.data.check_findings import Finding, Frozen, Lengths, PartCounts, Severity, cells

if TYPE_CHECKING:
    from rich.console import RenderableType

_STYLES: dict[Severity, str] = {"error": "bold red", "warning": "yellow", "info": "cyan"}
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|~-])")


class CheckReport(Frozen):
    """All that was found in the data."""

    parts: dict[str, PartCounts]
    findings: tuple[Finding, ...]
    """Errors first, then warnings."""
    unit: Literal["tokens", "words"]
    """What lengths are counted in."""
    window: int | None
    near_duplicates: float
    edges: tuple[int, ...]
    files: tuple[str, ...] = ()
    """The names of what was checked, without folders; empty for examples from memory."""

    @property
    def worst(self) -> Severity | None:
        """The gravest severity; None where nothing was found."""
        return self.findings[0].severity if self.findings else None

    def to_json(self) -> str:
        """Write the report for a program."""
        return self.model_dump_json(indent=2)

    def to_markdown(self) -> str:
        """Write the report as Markdown, texts escaped."""
        names, rows = self.table()
        lines = ["# Data check", "", f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
        lines += [f"| {' | '.join(_escaped(cell) for cell in row)} |" for row in rows]
        lines += ["", "## Findings", ""]
        for finding in self.findings:
            lines.append(
                f"- **{finding.severity}** ({_escaped(finding.part)}): "
                f"{_escaped(finding.message)}. {_escaped(finding.hint)}."
            )
            lines += [f"  - {_escaped(' | '.join(cells(example)))}" for example in finding.examples]
        return "\n".join(lines if self.findings else [*lines, "Nothing to report."]) + "\n"

    def to_terminal(self) -> RenderableType:
        """Return the report for rich's console."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        names, rows = self.table()
        counts = Table(*names)
        for row in rows:
            counts.add_row(*(Text(cell) for cell in row))
        parts: list[RenderableType] = [counts]
        for finding in self.findings:
            parts.append(
                Text.assemble(
                    (finding.severity, _STYLES[finding.severity]),
                    f" {finding.part}: {finding.message}. ",
                    (f"{finding.hint}.", "dim"),
                )
            )
            parts += [
                Text("    " + "  ".join(cells(example)), style="dim", no_wrap=True, overflow="ellipsis")
                for example in finding.examples
            ]
        return Group(*parts) if self.findings else Group(*parts, Text("Nothing to report.", style="green"))

    def to_html(self) -> str:
        """Write the report as one self-contained page with plots and no script."""
        from nlpkit.data.check_page import page

        return page(
            self.table(),
            files=self.files,
            plots=self.plots(),
            findings=self.findings,
            near_duplicates=self.near_duplicates,
        )

    def plots(self) -> dict[str, str]:
        """Draw the balance of labels and the spread of lengths, as inline SVGs by title."""
        from nlpkit.data.check_page import plots

        return plots(self.parts, edges=self.edges, unit=self.unit, window=self.window)

    def table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """Return the counts in words: column names and a row for each part."""
        longest = f"{self.unit}: median, 95%, longest"
        if all(part.dialogue for part in self.parts.values()):
            return ("part", "conversations", "turns", "replies", "messages by speaker", longest), [
                (name, *_dialogue_cells(part)) for name, part in self.parts.items()
            ]
        names = ("part", "rows", "labels", longest) + (("over window",) if self.window else ())
        rows = []
        for name, part in self.parts.items():
            row = (name, f"{part.rows:,}", _labels(part), _lengths(part.lengths))
            over = part.lengths.over_window if part.lengths else None
            rows.append(row + ((f"{over:.1%}" if over is not None else "",) if self.window else ()))
        return names, rows


def _labels(part: PartCounts) -> str:
    if part.values:
        return ", ".join(f"{name}: {value:.3g}" for name, value in part.values.items())
    return _shares(part.labels, part.rows)


def _shares(counts: Mapping[str, int], total: int) -> str:
    ranked = sorted(counts.items(), key=lambda item: -item[1])
    more = f", and {len(ranked) - 8} more" if len(ranked) > 8 else ""
    return ", ".join(f"{name}: {count:,} ({count / total:.0%})" for name, count in ranked[:8]) + more


def _dialogue_cells(part: PartCounts) -> tuple[str, ...]:
    if part.dialogue is None:
        return ()
    turns, replies, speakers = part.dialogue.turns, part.dialogue.replies, part.dialogue.speakers
    shares = _shares(speakers, sum(speakers.values()))
    return f"{part.rows:,}", f"{turns:,}", f"{replies:,}", shares, _lengths(part.lengths)


def _lengths(lengths: Lengths | None) -> str:
    return ", ".join(f"{lengths.percentiles[name]:.0f}" for name in ("p50", "p95", "max")) if lengths else ""


def _escaped(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", html.escape(text, quote=False))
