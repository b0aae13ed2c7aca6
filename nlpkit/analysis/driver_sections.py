"""The tables of what drives changes and differences, and what the first screen says of them."""

from __future__ import annotations

from nlpkit.analysis.about import THEMES, About, Driven
from nlpkit.analysis.drivers import Driver, Effect
from nlpkit.analysis.study import columns
from nlpkit.reports.sections import Table


def driver_table(driven: Driven, number: int, tables: str) -> Table:
    """Return a row for each part of a change, with what it adds.

    Args:
        driven: the change.
        number: the table's number on the page; the first one says how to read them.
        tables: the folder of tables.
    """
    split = driven.split
    word = "themes" if driven.by == THEMES else driven.by
    title = (
        f"Why {split.label} differs in {split.after}: by {word}"
        if driven.kind == "group"
        else f"What drives {split.label}, {split.after} against {split.before}: by {word}"
    )
    return Table(
        id=f"drivers-{number}",
        title=title,
        nav="Drivers" if number == 1 else "",
        note=f"The counted share of {split.label} is {split.rates[0]:.1%} ({split.before}, "
        f"{split.texts[0]:,} texts) and {split.rates[1]:.1%} ({split.after}, {split.texts[1]:,}): "
        f"{_points(split.whole)} points. Of these, {_points(split.mix)} come from the shares "
        f"of the {word}, and {_points(split.rate)} from the rates of {split.label} within them. "
        f"The rows sum to the whole exactly. {_reading(tables) if number == 1 else ''}",
        columns=columns(
            driven.by.capitalize(), "Texts", "Its share", f"{split.label.capitalize()} in it",
            "By its share", "By its rate", words=("Texts", "Its share", f"{split.label.capitalize()} in it"),
        ),
        rows=tuple(_driver_cells(driver) for driver in split.drivers),
    )  # fmt: skip


def _reading(tables: str) -> str:
    return (
        "The last columns are the points that each part adds, with 95% intervals. A star: not zero, all "
        "parts of these tables considered (Holm, 5%). A share adds where it grows above the average, or "
        f"shrinks below it. Neighboring periods and p-values: {tables}/drivers.csv."
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


def driver_sentences(about: About) -> list[str]:
    """Return what the first screen says of the drivers: the part that adds most, where one surely does."""
    splits = [each.split for each in about.driven if each.kind in ("change", "halves") and each.by == THEMES]
    for split in splits:
        effects = [(driver.mix, driver, _more(driver)) for driver in split.drivers]
        effects += [(driver.rate, driver, _more_in_it(driver, split.label)) for driver in split.drivers]
        known = [each for each in effects if each[0].is_significant]
        if known:
            effect, driver, how = max(known, key=lambda each: abs(each[0].value))
            return [
                f"From {split.before} to {split.after}, {split.label} changed by {_points(split.whole)} "
                f"points as counted. The theme {driver.part} adds most, as {how}: {_points(effect)} points."
            ]
    return []


def _more(driver: Driver) -> str:
    return f"it is {'more' if driver.shares[1] > driver.shares[0] else 'less'} frequent"


def _more_in_it(driver: Driver, label: str) -> str:
    return (
        f"{'more' if (driver.rates[1] or 0) > (driver.rates[0] or 0) else 'fewer'} of its texts are {label}"
    )
