"""The tables of what drives changes and differences, and what the first screen says of them."""

from __future__ import annotations

from nlpkit.analysis.driven import THEMES
from nlpkit.analysis.drivers import Decomposition, Driver, Effect
from nlpkit.analysis.study import Study, columns
from nlpkit.reports.sections import Table

MOST = 6
"""Decompositions that the page shows; the table has all."""


def driver_sections(study: Study) -> list[Table]:
    """Return a table for each change that is decomposed, with what each part adds; the first one says how to
    read them.
    """
    reading = (
        "The last columns are the points that each part adds, with 95% intervals. A star: not zero, all "
        "parts of these tables considered (Holm, 5%). A share adds where it grows above the average, or "
        f"shrinks below it. Neighboring periods and p-values: {study.tables}/drivers.csv."
    )
    return [
        _table(change, number, reading if number == 1 else "")
        for number, change in enumerate(study.about.drivers[:MOST], 1)
    ]


def _table(change: Decomposition, number: int, reading: str) -> Table:
    label = change.label
    word = "themes" if change.by == THEMES else change.by
    words = ("Texts", "Its share", f"{label.capitalize()} in it")
    return Table(
        id=f"drivers-{number}",
        title=f"Why {label} differs in {change.after}: by {word}"
        if change.kind == "group"
        else f"What drives {label}, {change.after} against {change.before}: by {word}",
        nav="Drivers" if number == 1 else "",
        note=f"The counted share of {label} is {change.rates[0]:.1%} ({change.before}, "
        f"{change.texts[0]:,} texts) and {change.rates[1]:.1%} ({change.after}, {change.texts[1]:,}): "
        f"{_points(change.whole)} points. Of these, {_points(change.mix)} come from the shares "
        f"of the {word}, and {_points(change.rate)} from the rates of {label} within them. "
        f"The rows sum to the whole exactly. {reading}",
        columns=columns(change.by.capitalize(), *words, "By its share", "By its rate", words=words),
        rows=tuple(_driver_cells(driver) for driver in change.drivers),
    )


def _driver_cells(driver: Driver) -> tuple[str, ...]:
    rates = ["–" if rate is None else f"{rate:.1%}" for rate in driver.rates]
    return (
        driver.part,
        f"{driver.texts[0]:,} to {driver.texts[1]:,}",
        f"{driver.shares[0]:.1%} to {driver.shares[1]:.1%}",
        f"{rates[0]} to {rates[1]}",
        _points(driver.mix),
        _points(driver.rate),
    )


def _points(effect: Effect) -> str:
    star = "*" if effect.is_significant else ""
    value, low, high = (
        f"{100 * each:+.1f}".replace("-0.0", "+0.0") for each in (effect.value, effect.low, effect.high)
    )
    return f"{value}{star} ({low} to {high})"


def driver_sentences(study: Study) -> list[str]:
    """Return what the first screen says of the drivers: the part that adds most, where one surely does."""
    for change in study.about.drivers:
        if change.by != THEMES or change.kind not in ("change", "halves"):
            continue
        effects = [(driver.mix, driver.part, _more(driver)) for driver in change.drivers]
        effects += [
            (driver.rate, driver.part, _more_in_it(driver, change.label)) for driver in change.drivers
        ]
        known = [each for each in effects if each[0].is_significant]
        if known:
            effect, part, how = max(known, key=lambda each: abs(each[0].value))
            return [
                f"From {change.before} to {change.after}, {change.label} changed by {_points(change.whole)} "
                f"points as counted. The theme {part} adds most, as {how}: {_points(effect)} points."
            ]
    return []


def _more(driver: Driver) -> str:
    return f"it is {'more' if driver.shares[1] > driver.shares[0] else 'less'} frequent"


def _more_in_it(driver: Driver, label: str) -> str:
    more = "more" if (driver.rates[1] or 0) > (driver.rates[0] or 0) else "fewer"
    return f"{more} of its texts are {label}"
