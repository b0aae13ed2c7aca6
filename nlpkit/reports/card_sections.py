"""The sections of the model card on intended use, on groups and on promises."""

from __future__ import annotations

import re

from nlpkit.reports.markdown import section_table
from nlpkit.reports.parts import ReportContent
from nlpkit.reports.sections import Table
from nlpkit.reports.usage import Usage
from nlpkit.reports.wording import cell, table

LARGEST = 5
"""Gaps of an audit that the card shows."""
GAP = 4
"""Columns of a gap that the card shows: who, compared with whom, the gap and its interval."""


def is_audit(report: ReportContent) -> bool:
    """Return whether a report is that of an audit."""
    return "largest_gap" in report.scores


def use_section(usage: Usage) -> str:
    """Return what a run is for, what it is not for, and which uses need an audit of their own."""
    return "\n\n".join(
        (
            _listed("Use it to:", usage.uses),
            _listed("Do not use it to:", usage.misuses),
            "Health care, finance and hiring need an audit of their own, with texts from that use and with "
            f"the people concerned. Begin with {_own_audit(usage)}.",
        )
    )


def group_section(report: ReportContent, audited: str) -> str:
    """Return the section on groups, its heading included: their scores in the report, then an audit in words.

    Args:
        report: of the held-out rows.
        audited: what `audit_words` or `no_audit_words` returns.
    """
    parts = ["## Groups"]
    if scores := _table_of(report, "groups"):
        parts += [f"{cell(scores.caption)}." if scores.caption else "", section_table(scores), scores.note]
    return "\n\n".join(part for part in (*parts, audited) if part) + "\n"


def audit_words(audit: ReportContent) -> str:
    """Return the verdict of an audit, its largest gaps and its limits."""
    parts = [
        f"An audit on {audit.created:%Y-%m-%d} compared its scores, from -1 to 1, for people of different "
        f"groups in {cell(audit.measured)}. {cell(audit.summary[0])}"
    ]
    for name in ("groups", "swaps"):
        if gaps := _table_of(audit, name):
            if name == "swaps":
                parts.append(f"Groups exchanged in the texts of {cell(audit.data.removeprefix('audit '))}:")
            heads = tuple(column.name for column in gaps.columns[:GAP])
            parts.append(table(heads, [row[:GAP] for row in gaps.rows[:LARGEST]]))
    return "\n\n".join([*parts, "\n".join(f"- {cell(limit)}" for limit in audit.limits)])


def no_audit_words(report: ReportContent, usage: Usage) -> str:
    """Return that nothing was measured, as far as that is so, and the commands that measure it."""
    parts = []
    if _table_of(report, "groups") is None:
        parts.append(f"No groups were measured. To compare groups in your own data: {_own_audit(usage)}.")
    if usage.audit:
        parts.append(f"No audit was made. To compare groups of people in made sentences: `{usage.audit}`.")
    return "\n\n".join(parts)


def with_groups(card: str, section: str) -> str:
    """Return a model card with another section on groups; one without such a section stays as it is."""
    old = re.compile(r"^## Groups\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    return old.sub(lambda match: f"{section}\n", card, count=1)


def promise_section(report: ReportContent, usage: Usage) -> str:
    """Return what can be promised about the answers, or why nothing is."""
    if usage.no_promise:
        return f"No promise is made about its answers: {usage.no_promise}."
    promises = _table_of(report, "promise")
    if promises is None:
        return (
            "The report holds no promise. To find out whether one can be made about your file: "
            "`nlpkit score . your.csv -o scored.csv --max-error 0.05 --held-out labeled.csv`."
        )
    return f"{cell(promises.note)}\n\n{section_table(promises)}"


def _own_audit(usage: Usage) -> str:
    is_by_file = "--by" not in usage.own_audit and not usage.own_audit.startswith("nlpkit audit")
    return f"`{usage.own_audit}`" + (", with a file for each group" if is_by_file else "")


def _listed(lead: str, items: tuple[str, ...]) -> str:
    return "\n".join((lead, "", *(f"- {item}" for item in items)))


def _table_of(report: ReportContent, name: str) -> Table | None:
    """Return the table with this id; None where the report has none."""
    for section in report.sections:
        if section.kind == "table" and section.id == name:
            return section
    return None
