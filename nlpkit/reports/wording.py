"""Numbers and names as people read them, and Markdown tables: what pages, model cards and sections share."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

from nlpkit.metrics.score import digits

if TYPE_CHECKING:
    from nlpkit.metrics.score import PairedTest, Score
    from nlpkit.reports.parts import Baseline, Verdict

VERDICTS: dict[Verdict, str] = {
    "better": "better",
    "worse": "worse",
    "differs": "differs",
    "even": "unclear",
}
"""What a verdict is called in tables."""

_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


_VALUE = re.compile(r"""^(\s*(?:- )*(?:[^\s:]+: )?)(["']?)((?:/[^/\n]+/|[A-Za-z]:\\).+?)\2$""", re.MULTILINE)
"""A line of YAML whose value is an absolute path."""


def visible(text: object) -> str:
    """Return the text without control characters and without those that turn the direction of what is around
    them.
    """
    return "".join(
        letter
        for letter in str(text)
        if letter in "\n\t" or not (unicodedata.category(letter) in ("Cc", "Cs") or letter in _TURNING)
    )


def without_folder(name: str) -> str:
    """Return the name of a file, or of a file and a row, without the folders of this machine."""
    is_absolute = PurePosixPath(name).is_absolute() or PureWindowsPath(name).is_absolute()
    return PureWindowsPath(name).name if is_absolute else name


def config_without_folders(config: str) -> str:
    """Return YAML whose values name files without the folders of this machine."""
    return _VALUE.sub(lambda line: f"{line[1]}{line[2]}{without_folder(line[3])}{line[2]}", config)


def short(label: str) -> str:
    """Return a name that fits a legend."""
    label = visible(label)
    return label if len(label) <= 24 else label[:23] + "…"


def cell(value: object) -> str:
    """Return text that stays inside its cell: no pipe, line break or markup of its own."""
    flat = " ".join(visible(value).split())
    return "".join("\\" + letter if letter in "\\|`*_<>[]#" else letter for letter in flat)


def table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    """Return a Markdown table; empty without rows."""
    lines = [f"| {' | '.join(cell(value) for value in row)} |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"| {' | '.join(cell(name) for name in head)} |", "|" + " --- |" * len(head), *lines])


def in_interval(score: Score) -> str:
    """Return the interval to stand behind a number in a sentence; empty where there is none."""
    return f" (95% interval {score.interval})" if score.interval else ""


def in_brackets(*facts: str) -> str:
    """Return the known facts to stand behind a number in a sentence; empty where there are none."""
    known = "; ".join(fact for fact in facts if fact)
    return f" ({known})" if known else ""


def verdict(score: Score, test: PairedTest | None) -> Verdict:
    """Return `better` or `worse` when the whole interval of the difference says so, else `even`.

    `differs` where neither side is better.
    """
    if test is None or test.low is None or test.high is None or test.low <= 0 <= test.high:
        return "even"
    if score.higher_is_better is None:
        return "differs"
    return "better" if (test.low > 0) == score.higher_is_better else "worse"


def difference(score: Score, test: PairedTest | None) -> str:
    """Return the difference with its sign and interval; empty where unknown.

    In points where the metric is a percentage.
    """
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
    """Return the p-value as people read it: exact McNemar where there is one, else the bootstrap's."""
    p = None if test is None else (test.p if test.mcnemar_p is None else test.mcnemar_p)
    if p is None:
        return ""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


COMPARED = ("Metric", "This run", "Baseline", "Difference (95% interval)", "p", "Verdict")
"""The columns of `baseline_rows`."""


def baseline_rows(scores: Mapping[str, Score], baseline: Baseline) -> list[tuple[str, ...]]:
    """Return a row for each score that both have, with the difference on the same rows."""
    rows: list[tuple[str, ...]] = []
    for name, theirs in baseline.scores.items():
        ours, test = scores.get(name), baseline.tests.get(name)
        if ours is not None:
            shown = ours.shown(ours.value), theirs.shown(theirs.value), difference(ours, test)
            word = VERDICTS[verdict(ours, test)] if shown[2] else ""
            rows.append((ours.title or name, *shown, p_value(test), word))
    return rows


def number(value: object) -> str:
    """Return a cell of a section as people read it: a dash where there is no value."""
    if value is None:
        return "–"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def compared(scores: dict[str, Score], baselines: tuple[Baseline, ...]) -> list[str]:
    """Return a sentence for each baseline, on the first score that was tested."""
    sentences = []
    words = {
        "better": "better than",
        "worse": "worse than",
        "even": "not shown to differ from",
        "differs": "different from",
    }
    for baseline in baselines:
        for name, score in scores.items():
            test = baseline.tests.get(name)
            if test is not None and test.difference is not None:
                whose = _whose(baseline, name)
                sentences.append(
                    f"{score.title or name} is {words[verdict(score, test)]} {whose}: "
                    f"{difference(score, test)}."
                )
                break
    return sentences


def no_better(scores: Mapping[str, Score], baseline: Baseline) -> tuple[str, ...]:
    """Return a warning where a run is not shown to be better than the same answer for every text.

    No warning where that answer is always right: there is nothing to tell apart.
    """
    name, test = next(iter(baseline.tests.items()))
    score, constant = scores[name], baseline.scores[name]
    always_right = constant.value == (1.0 if score.higher_is_better else 0.0)
    if always_right or test.difference is None or verdict(score, test) == "better":
        return ()
    return (
        f"{score.title or name} {score.shown(score.value)} is no better than {_whose(baseline, name)}: "
        f"{difference(score, test)}",
    )


def _whose(baseline: Baseline, name: str) -> str:
    """Return whose score a run's is compared with."""
    score = baseline.scores.get(name)
    if not baseline.constant or score is None:
        return f"{baseline.name}'s"
    return f"{baseline.name} ({score.shown(score.value)})"
