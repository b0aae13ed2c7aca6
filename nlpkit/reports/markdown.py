"""A report as Markdown: the numbers, and no texts of the data."""

from __future__ import annotations

from nlpkit.metrics.score import Score
from nlpkit.reports.parts import Baseline, Cost, ReportContent
from nlpkit.reports.sections import Cell, Section, Table
from nlpkit.reports.wording import COMPARED, baseline_rows, cell, number, table


def to_markdown(report: ReportContent) -> str:
    """Return the numbers as Markdown tables: scores, baselines, sections, data, cost and versions.

    Holds no texts.
    """
    parts = [
        f"# {cell(report.run)} on {cell(report.data)}",
        f"{report.size}, {report.created:%Y-%m-%d %H:%M %Z}.",
        "\n".join(f"- **Warning:** {cell(warning)}" for warning in report.warnings),
        "\n".join(f"- {cell(sentence)}" for sentence in report.summary),
        score_table(report.scores),
        *(
            _section(f"Compared with {baseline.name}", baseline_table(report.scores, baseline))
            for baseline in report.baselines
        ),
        *(_section(section.title, _body(section)) for section in report.sections),
        _section("Data", table(("Split", "Rows"), report.data_card.counts.items())),
        _section("Left out", table(("Why", "Rows"), report.data_card.dropped.items())),
        _section("Cost", table(("What", "Value"), cost_rows(report.cost))),
        _section("Versions", table(("Package", "Version"), report.versions.items())),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def score_table(scores: dict[str, Score]) -> str:
    """Return a Markdown table of scores with their intervals and what they mean; empty without scores."""
    rows = [
        (score.title or name, score.shown(score.value), score.interval, score.undefined or score.meaning)
        for name, score in scores.items()
    ]
    return table(("Metric", "Value", "95% interval", "Meaning"), rows)


def baseline_table(scores: dict[str, Score], baseline: Baseline) -> str:
    """Return a Markdown table of the scores that both have, with the difference of each; empty where there
    are none.
    """
    return table(COMPARED, baseline_rows(scores, baseline))


def cost_rows(cost: Cost) -> list[tuple[str, str]]:
    """Return the costs that are known, named and with units."""
    rows = (
        ("Device", cost.device or None),
        ("Training", None if cost.train_seconds is None else f"{cost.train_seconds:,.0f} s"),
        ("Peak memory", None if cost.peak_memory_mb is None else f"{cost.peak_memory_mb:,.0f} MB"),
        ("Texts per second", None if cost.texts_per_second is None else f"{cost.texts_per_second:,.0f}"),
        ("Requests to the server", None if cost.requests is None else f"{cost.requests:,}"),
        ("Seconds for a text", None if cost.seconds_per_text is None else f"{cost.seconds_per_text:,.3g}"),
        ("Tokens read by the server", f"{cost.input_tokens:,}" if cost.input_tokens else None),
        ("Tokens written by the server", f"{cost.output_tokens:,}" if cost.output_tokens else None),
        ("Price of these answers", None if cost.dollars is None else f"${cost.dollars:,.4f}"),
        (
            "Trained parameters",
            None if cost.trainable_parameters is None else f"{cost.trainable_parameters:,}",
        ),
        ("All parameters", None if cost.total_parameters is None else f"{cost.total_parameters:,}"),
    )
    return [(name, value) for name, value in rows if value is not None]


def _section(title: str, body: str) -> str:
    return f"## {cell(title)}\n\n{body}" if body else ""


def _body(section: Section) -> str:
    """Return a section's numbers: a picture's are in its words, and texts stay at home."""
    if section.kind == "table":
        return section_table(section)
    if section.kind == "prose":
        sentences = "\n".join(f"- {cell(sentence)}" for sentence in section.sentences)
        shares = table(("", "Count"), section.shares.items())
        return "\n\n".join(part for part in (sentences, shares, cell(section.closing)) if part)
    return ""


def section_table(section: Table) -> str:
    """Return a section's table in Markdown, with the intervals of scores in columns of their own."""
    heads: list[str] = []
    scored = [
        any(isinstance(row[column], Score) for row in section.rows) for column in range(len(section.columns))
    ]
    for column, score in zip(section.columns, scored, strict=True):
        heads += [column.name, "95% interval"] if score else [column.name]
    rows = []
    for row in section.rows:
        shown: list[str] = []
        for value, score in zip(row, scored, strict=True):
            shown += _score(value) if score else [number(value)]
        rows.append(tuple(shown))
    return table(tuple(heads), rows)


def _score(value: Cell) -> list[str]:
    return [value.shown(value.value), value.interval] if isinstance(value, Score) else ["–", ""]
