"""Numbers as people read them, and Markdown: what pages, model cards and tables of every kind of report share."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias

from nlpkit.metrics.score import digits

if TYPE_CHECKING:
    from nlpkit.metrics.score import PairedTest, Score
    from nlpkit.reports.report import Baseline, Cost, DataCard, Findings

Verdict: TypeAlias = Literal["better", "worse", "differs", "even"]
VERDICTS: dict[Verdict, str] = {
    "better": "better",
    "worse": "worse",
    "differs": "differs",
    "even": "not shown",
}
"""What a verdict is called in tables."""

_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def cost_rows(cost: Cost) -> list[tuple[str, str]]:
    """The costs that are known, named and with units."""
    rows = (
        ("Device", cost.device or None),
        ("Training", None if cost.train_seconds is None else f"{cost.train_seconds:,.0f} s"),
        ("Peak memory", None if cost.peak_memory_mb is None else f"{cost.peak_memory_mb:,.0f} MB"),
        ("Texts per second", None if cost.texts_per_second is None else f"{cost.texts_per_second:,.0f}"),
        (
            "Trained parameters",
            None if cost.trainable_parameters is None else f"{cost.trainable_parameters:,}",
        ),
        ("All parameters", None if cost.total_parameters is None else f"{cost.total_parameters:,}"),
    )
    return [(name, value) for name, value in rows if value is not None]


def visible(text: object) -> str:
    """The text without control characters and without those that turn the direction of what stands around them."""
    return "".join(
        one
        for one in str(text)
        if one in "\n\t" or not (unicodedata.category(one) in ("Cc", "Cs") or one in _TURNING)
    )


def cell(value: object) -> str:
    """Text that stays inside its cell: no pipe, line break or markup of its own."""
    flat = " ".join(visible(value).split())
    return "".join("\\" + one if one in "\\|`*_<>[]#" else one for one in flat)


def table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    """A Markdown table; empty without rows."""
    lines = [f"| {' | '.join(cell(value) for value in row)} |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"| {' | '.join(cell(one) for one in head)} |", "|" + " --- |" * len(head), *lines])


def section(title: str, body: str) -> str:
    """A Markdown section; empty without a body."""
    return f"## {cell(title)}\n\n{body}" if body else ""


def score_table(scores: Mapping[str, Score]) -> str:
    """A Markdown table of scores with their intervals and what they mean; empty without scores."""
    rows = [
        (one.title or name, one.shown(one.value), one.interval, one.undefined or one.meaning)
        for name, one in scores.items()
    ]
    return table(("Metric", "Value", "95% interval", "Reading"), rows)


def rival_table(scores: Mapping[str, Score], baseline: Baseline) -> str:
    """A Markdown table of the scores that both have, with the difference of each; empty where there are none."""
    rows = []
    for name, theirs in baseline.scores.items():
        ours, test = scores.get(name), baseline.tests.get(name)
        if ours is not None:
            shown = ours.shown(ours.value), theirs.shown(theirs.value), difference(ours, test)
            rows.append(
                (ours.title or name, *shown, p_value(test), VERDICTS[verdict(ours, test)] if shown[2] else "")
            )
    return table(("Metric", "This run", "Baseline", "Difference (95% interval)", "p", "Verdict"), rows)


def surely(score: Score) -> str:
    """The interval to stand behind a number in a sentence; empty where there is none."""
    return f" (95% interval {score.interval})" if score.interval else ""


def verdict(score: Score, test: PairedTest | None) -> Verdict:
    """`better` or `worse` when the whole interval of the difference says so, `differs` where neither side is better, else `even`."""
    if test is None or test.low is None or test.high is None or test.low <= 0 <= test.high:
        return "even"
    if score.higher_is_better is None:
        return "differs"
    return "better" if (test.low > 0) == score.higher_is_better else "worse"


def difference(score: Score, test: PairedTest | None) -> str:
    """The difference with its sign and interval, in points where the metric is a percentage; empty where unknown."""
    if test is None or test.difference is None:
        return ""

    places = digits(score.value or 0.0)

    def signed(value: float) -> str:
        return f"{value * 100:+.1f}" if score.percent else f"{value:+,.{places}f}"

    interval = (
        "" if test.low is None or test.high is None else f" ({signed(test.low)} to {signed(test.high)})"
    )
    return signed(test.difference) + (" points" if score.percent else "") + interval


def p_value(test: PairedTest | None) -> str:
    """The p-value as people read it: exact McNemar where there is one, else the bootstrap's."""
    p = None if test is None else (test.p if test.mcnemar_p is None else test.mcnemar_p)
    if p is None:
        return ""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def shown_share(value: float | None) -> str:
    """A ratio as people read it; a dash where it is over nothing."""
    return "–" if value is None else f"{value:.3f}"


def class_table(findings: Findings) -> str:
    """A Markdown table of what each label scores."""
    rows = [
        (one.label, *map(shown_share, (one.precision, one.recall, one.f1)), f"{one.support:,}")
        for one in findings.per_class
    ]
    return table(("Label", "Precision", "Recall", "F1", "Texts"), rows)


def confusion_table(findings: Findings) -> str:
    """A Markdown table of how often each label was given for each true one."""
    return table(
        ("", *findings.labels),
        [(label, *row) for label, row in zip(findings.labels, findings.confusion, strict=False)],
    )


def closing_sections(data: DataCard, cost: Cost, versions: Mapping[str, str]) -> list[str]:
    """The Markdown that every report ends with: data, cost and versions."""
    return [
        section("Data", table(("Split", "Rows"), data.counts.items())),
        section("Left out", table(("Why", "Rows"), data.dropped.items())),
        section("Cost", table(("What", "Value"), cost_rows(cost))),
        section("Versions", table(("Package", "Version"), versions.items())),
    ]
