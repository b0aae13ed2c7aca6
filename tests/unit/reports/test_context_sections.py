from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from nlpkit.metrics.score import Score
from nlpkit.reports import context_sections
from nlpkit.reports.context_sections import gains_plot, turns_back_plot
from nlpkit.reports.parts import Baseline
from nlpkit.reports.plots import draw
from nlpkit.reports.reply_findings import ReplyFindings
from nlpkit.reports.sections import Plot, Section, Table
from tests.dialogue_sample import context, findings

RUN = context(
    ("none", 0.4, 0.3, 0.5),
    ("shuffled", 0.01, -0.02, 0.04),
    ("other", None, None, None),
    back=(3.5, 3.2, 3.1),
)
BASE = context(("none", 0.2, None, None), back=(3.6, 3.4))
BOTH = ReplyFindings(scores={}, context=RUN, baseline=Baseline(name="base", scores={}), baseline_context=BASE)


def drawn(section: Section | None) -> str:
    assert isinstance(section, Plot)
    return draw(section)


def words(svg: str) -> str:
    found = re.search(r'aria-label="([^"]*)"', svg)
    assert found is not None
    return found[1]


def test_the_gains_are_said_to_who_cannot_see_them() -> None:
    svg = drawn(gains_plot(BOTH))
    assert words(svg) == (
        "Nats a token that another history costs: this run, none at all: 0.400 (0.300 to 0.500); "
        "this run, its turns in another order: 0.010 (-0.020 to 0.040); base, none at all: 0.200"
    )
    # A bar and a whisker in the colors of the page; what was not measured has no row.
    assert "var(--s1)" in svg
    assert "var(--s6)" in svg
    assert "conversation" not in svg


def test_the_curve_has_a_point_for_each_number_of_turns() -> None:
    svg = drawn(turns_back_plot(BOTH))
    assert words(svg) == (
        "Loss in nats a token by how many of the last turns the model sees: "
        "this run: 3.500 (3.440 to 3.560) with 0, 3.200 (3.140 to 3.260) with 1, 3.100 (3.040 to "
        "3.160) with 2; "
        "base: 3.600 (3.540 to 3.660) with 0, 3.400 (3.340 to 3.460) with 1"
    )


def test_what_was_not_measured_is_not_drawn() -> None:
    assert gains_plot(ReplyFindings(scores={})) is None
    assert gains_plot(ReplyFindings(scores={}, context=context(("none", None, None, None)))) is None
    assert turns_back_plot(ReplyFindings(scores={}, context=context(back=(3.5,)))) is None
    only = ReplyFindings(scores={}, baseline=Baseline(name="base", scores={}), baseline_context=BASE)
    assert turns_back_plot(only) is not None


def test_hostile_names_are_text() -> None:
    hostile = Baseline(name='"><script>$x', scores={})
    svg = drawn(gains_plot(replace(BOTH, baseline=hostile)))
    assert "<script>" not in svg
    assert "&lt;script&gt;$x" in svg


def test_the_tables_hold_the_numbers_of_both() -> None:
    gains, back = context_sections.gains_table(BOTH), context_sections.turns_back_table(BOTH)
    assert isinstance(gains, Table)
    assert isinstance(back, Table)
    assert [column.name for column in gains.columns][1:] == [
        "Loss, this run",
        "Loss, base",
        "hits@1, this run",
        "hits@1, base",
    ]
    none, other, _ = gains.rows
    assert [cell.value for cell in none[1:] if isinstance(cell, Score)] == [0.4, 0.2, 0.08, 0.04]
    assert other[2] is None
    assert [row[0] for row in back.rows] == [0, 1, 2]
    assert back.rows[2][2] is None
    assert context_sections.gains_table(ReplyFindings(scores={})) is None


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        (
            (("none", 0.0, 0.0, 0.0),),
            "Without its history it loses 0.000 nats a token (95% interval 0.000 to 0.000): it is not "
            "shown to use its context.",
        ),
        (
            (("none", 0.2, None, None),),
            "Without its history it loses 0.20 nats a token: it is not shown to use its context.",
        ),
        (
            (("none", -0.05, -0.08, -0.02),),
            "Without its history it gains 0.050 nats a token (95% interval 0.020 to 0.080): its "
            "history misleads it.",
        ),
        ((("none", None, None, None),), "Without its history: not measured, no item has two turns."),
        # Better with any history, but no better with its own: that is no use of what was said.
        (
            (("other", 0.01, -0.1, 0.1), ("none", 0.4, 0.3, 0.5)),
            "Without its history it loses 0.40 nats a token (95% interval 0.30 to 0.50): "
            "a history helps it, though it is not shown that it must be the true one.",
        ),
        (
            (("shuffled", 0.4, 0.3, 0.5),),
            "With its turns in another order it loses 0.40 nats a token (95% interval 0.30 to 0.50): "
            "it uses the order in which things were said.",
        ),
    ],
)
def test_what_a_history_shows(losses: tuple[Any, ...], expected: str) -> None:
    assert (
        context_sections.context_sentences(findings(baseline=None, context=context(*losses)))[0] == expected
    )


def test_the_histories_stand_from_the_easiest_to_the_hardest() -> None:
    found = context_sections.context_sentences(findings())
    assert [one.split(" it ")[0] for one in found] == [
        "Without its history",
        "With the history of another conversation",
        "With its turns in another order",
    ]
    assert found[2].endswith("it is not shown to use the order of the turns.")
