from __future__ import annotations

import re

from nlpkit.reports.dialogue_plots import gains_plot, turns_back_plot
from nlpkit.reports.dialogue_report import ContextUse
from tests.dialogue_sample import context

RUN = context(
    ("none", 0.4, 0.3, 0.5),
    ("shuffled", 0.01, -0.02, 0.04),
    ("other", None, None, None),
    back=(3.5, 3.2, 3.1),
)
BASE = context(("none", 0.2, None, None), back=(3.6, 3.4))


def words(svg: str) -> str:
    found = re.search(r'aria-label="([^"]*)"', svg)
    assert found is not None
    return found[1]


def test_the_gains_are_said_to_who_cannot_see_them() -> None:
    svg = gains_plot({"this run": RUN, "base": BASE})
    assert words(svg) == (
        "Nats a token that another history costs: this run, none at all: 0.400 (0.300 to 0.500); "
        "this run, its turns in another order: 0.010 (-0.020 to 0.040); base, none at all: 0.200"
    )
    # A bar and a whisker in the colours of the page; what was not measured has no row.
    assert "var(--s1)" in svg
    assert "var(--s6)" in svg
    assert "conversation" not in svg


def test_the_curve_has_a_point_for_each_number_of_turns() -> None:
    svg = turns_back_plot({"this run": RUN, "base": BASE})
    assert words(svg) == (
        "Loss in nats a token by how many of the last turns the model sees: "
        "this run: 3.500 (3.440 to 3.560) with 0, 3.200 (3.140 to 3.260) with 1, 3.100 (3.040 to 3.160) with 2; "
        "base: 3.600 (3.540 to 3.660) with 0, 3.400 (3.340 to 3.460) with 1"
    )


def test_what_was_not_measured_is_not_drawn() -> None:
    assert gains_plot({"this run": ContextUse()}) == ""
    assert gains_plot({"this run": context(("none", None, None, None))}) == ""
    assert turns_back_plot({"this run": context(back=(3.5,))}) == ""
    assert turns_back_plot({"this run": ContextUse(), "base": BASE}) != ""


def test_hostile_names_are_text() -> None:
    svg = gains_plot({"this run": RUN, '"><script>$x': BASE})
    assert "<script>" not in svg
    assert "&lt;script&gt;$x" in svg
