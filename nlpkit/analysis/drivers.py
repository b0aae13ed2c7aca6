"""What drives a change: the change of a share or a mean, split into parts that sum to it exactly.

A label's share can rise because its themes are spoken of more often, or because texts within a theme have it
more often. Kitagawa (1955, doi:10.1080/01621459.1955.10501299) splits a change into these two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nlpkit.errors import DataError
from nlpkit.trust.gaps import holm

if TYPE_CHECKING:
    from numpy.typing import NDArray

DRAWS = 4000
FEWEST = 10
"""Texts of a part, before or after, below which it counts with the rest."""
MOST = 20
"""Parts that stand alone, the largest first."""
LEVEL = 0.05
"""Of all comparisons together."""
ENDS = (0.025, 0.975)


@dataclass(frozen=True, kw_only=True)
class Sums:
    """Sums over the texts of a period or a group, for each part of it: all that a change needs, however many
    texts.
    """

    texts: NDArray[Any]
    """(parts,)"""
    totals: NDArray[Any]
    """(parts,): of the values; of a label, how many texts have it."""
    squares: NDArray[Any]
    """(parts,): of the squared values; of a label the same as `totals`."""

    @classmethod
    def of(cls, parts: NDArray[Any], values: NDArray[Any], count: int) -> Sums:
        """Return the sums over texts: (texts,) the number of each one's part, and its value."""
        import numpy as np

        return cls(
            texts=np.bincount(parts, minlength=count),
            totals=np.bincount(parts, values, count),
            squares=np.bincount(parts, values**2, count),
        )


@dataclass(frozen=True, kw_only=True)
class Effect:
    """How much something adds to a change, with its 95% interval."""

    value: float
    low: float
    high: float
    p: float
    """Two-sided, of this comparison alone."""
    corrected_p: float = 1.0
    """Corrected for all comparisons (Holm 1979)."""

    @property
    def is_significant(self) -> bool:
        """Whether it is not zero, all comparisons considered."""
        return self.corrected_p < LEVEL


@dataclass(frozen=True, kw_only=True)
class Driver:
    """What one part adds to a change."""

    part: str
    texts: tuple[int, int]
    """Before and after, as in all pairs below."""
    shares: tuple[float, float]
    """Of all texts."""
    rates: tuple[float | None, float | None]
    """The mean value of its texts; None where it has none."""
    mix: Effect
    """What its larger or smaller share adds: more texts of a part above the average raise the whole."""
    rate: Effect
    """What its higher or lower mean value adds."""


@dataclass(frozen=True, kw_only=True)
class Decomposition:
    """The change of a label's share, or of a mean, and what drives it."""

    label: str
    before: str
    """The period or the group that is compared with."""
    after: str
    texts: tuple[int, int]
    rates: tuple[float, float]
    """Of all texts, before and after."""
    whole: Effect
    mix: Effect
    """The sum of the drivers' effects of shares."""
    rate: Effect
    """The sum of the drivers' effects of rates; with `mix` it is the whole change."""
    drivers: tuple[Driver, ...]
    """The strongest first."""


def decompose(
    before: Sums,
    after: Sums,
    parts: Sequence[str],
    *,
    label: str = "",
    names: tuple[str, str] = ("before", "after"),
    seed: int = 1,
) -> Decomposition:
    """Split a change into what the parts' shares add and what their rates add; together they are the change.

    Intervals come from draws: of the shares by a Bayesian bootstrap (Rubin 1981), of a label's rates from
    their Beta distribution (Jeffreys), so that a rate of 0 in few texts is not taken for certain, and of
    means from their normal distribution. They hold for the parts as they are: what a theme is, is not drawn
    anew.

    Args:
        before: the sums of the period or the group that is compared with.
        after: the sums of the other one.
        parts: what the parts are called.
        label: what the values count.
        names: what the two are called.
        seed: draws.

    Raises:
        DataError: one of the two has no texts.
    """
    import numpy as np

    if not before.texts.sum() or not after.texts.sum():
        lacking = names[0] if not before.texts.sum() else names[1]
        raise DataError(f"{lacking}: no texts to compare")
    both, parts = _pooled(before, after, parts)
    texts = np.stack([sums.texts for sums in both]).astype(float)
    totals = np.stack([sums.totals for sums in both])
    squares = np.stack([sums.squares for sums in both])
    shares = texts / texts.sum(axis=1, keepdims=True)
    rates = _filled(totals, texts)
    random = np.random.default_rng(seed)
    drawn_shares = np.stack([_drawn_shares(row, random) for row in texts], axis=1)
    drawn = split(drawn_shares, _drawn_rates(texts, totals, squares, random))
    mix, rate = split(shares, rates)
    drivers = [
        Driver(
            part=part,
            texts=(int(texts[0, row]), int(texts[1, row])),
            shares=(float(shares[0, row]), float(shares[1, row])),
            rates=(_rate(totals[0, row], texts[0, row]), _rate(totals[1, row], texts[1, row])),
            mix=_effect(mix[row], drawn[0][:, row]),
            rate=_effect(rate[row], drawn[1][:, row]),
        )
        for row, part in enumerate(parts)
    ]
    whole = totals.sum(axis=1) / texts.sum(axis=1)
    return Decomposition(
        label=label,
        before=names[0],
        after=names[1],
        texts=(int(texts[0].sum()), int(texts[1].sum())),
        rates=(float(whole[0]), float(whole[1])),
        whole=_effect(whole[1] - whole[0], (drawn[0] + drawn[1]).sum(axis=1)),
        mix=_effect(mix.sum(), drawn[0].sum(axis=1)),
        rate=_effect(rate.sum(), drawn[1].sum(axis=1)),
        drivers=tuple(sorted(drivers, key=lambda driver: -abs(driver.mix.value + driver.rate.value))),
    )


def split(shares: NDArray[Any], rates: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return what each part's share and what its rate adds to the change, each (..., parts).

    All of both sum to the change of the whole. What a share adds is counted against the mean of the whole:
    a part that grows raises it only where the part lies above.

    Args:
        shares: (..., 2, parts), before and after; each sums to 1.
        rates: (..., 2, parts).
    """
    middle = (shares * rates).sum(axis=-1).mean(axis=-1, keepdims=True)
    mix = (shares[..., 1, :] - shares[..., 0, :]) * (rates.mean(axis=-2) - middle)
    rate = (rates[..., 1, :] - rates[..., 0, :]) * shares.mean(axis=-2)
    return mix, rate


def corrected(changes: Sequence[Decomposition]) -> list[Decomposition]:
    """Return the changes with the p-values of all effects corrected for all of them together."""
    effects = [
        effect
        for change in changes
        for effect in (change.whole, change.mix, change.rate, *_of_drivers(change))
    ]
    p_values = iter(holm([effect.p for effect in effects]))

    def next_of(effect: Effect) -> Effect:
        return replace(effect, corrected_p=next(p_values))

    return [
        replace(
            change,
            whole=next_of(change.whole),
            mix=next_of(change.mix),
            rate=next_of(change.rate),
            drivers=tuple(
                replace(driver, mix=next_of(driver.mix), rate=next_of(driver.rate))
                for driver in change.drivers
            ),
        )
        for change in changes
    ]


def _of_drivers(change: Decomposition) -> list[Effect]:
    return [effect for driver in change.drivers for effect in (driver.mix, driver.rate)]


def _pooled(before: Sums, after: Sums, parts: Sequence[str]) -> tuple[tuple[Sums, Sums], list[str]]:
    """Return the sums with small parts, and those beyond the largest, as one part: the rest."""
    import numpy as np

    most = np.maximum(before.texts, after.texts)
    order = np.argsort(-(before.texts + after.texts), kind="stable")
    alone = [int(part) for part in order[:MOST] if most[part] >= FEWEST]
    rest = [int(part) for part in order if part not in alone and most[part]]
    groups = [[part] for part in alone] + ([rest] if rest else [])
    names = [parts[part] for part in alone]
    if rest:
        names.append(f"the rest ({len(rest):,})" if len(rest) > 1 else parts[rest[0]])
    pooled = [
        Sums(
            texts=np.array([sums.texts[group].sum() for group in groups]),
            totals=np.array([sums.totals[group].sum() for group in groups]),
            squares=np.array([sums.squares[group].sum() for group in groups]),
        )
        for sums in (before, after)
    ]
    return (pooled[0], pooled[1]), names


def _filled(totals: NDArray[Any], texts: NDArray[Any]) -> NDArray[Any]:
    """Return the rates, (2, parts); that of a part without texts is the other one's, as if it had not
    changed.
    """
    import numpy as np

    rates = totals / np.maximum(texts, 1)
    filled: NDArray[Any] = np.where(texts > 0, rates, rates[::-1])
    return filled


def _drawn_shares(texts: NDArray[Any], random: Any) -> NDArray[Any]:
    """Return (draws, parts)."""
    drawn = random.standard_gamma(texts, (DRAWS, len(texts)))
    shares: NDArray[Any] = drawn / drawn.sum(axis=1, keepdims=True)
    return shares


def _drawn_rates(
    texts: NDArray[Any], totals: NDArray[Any], squares: NDArray[Any], random: Any
) -> NDArray[Any]:
    """Return (draws, 2, parts)."""
    import numpy as np

    if (squares == totals).all():  # each value is 0 or 1
        drawn = random.beta(totals + 0.5, texts - totals + 0.5, (DRAWS, *texts.shape))
    else:
        inner = squares - totals**2 / np.maximum(texts, 1)
        variance = np.maximum(inner.sum(axis=0) / np.maximum(texts.sum(axis=0) - 2, 1), 0)
        errors = np.sqrt(variance / np.maximum(texts, 1))
        drawn = random.normal(totals / np.maximum(texts, 1), errors, (DRAWS, *texts.shape))
    filled: NDArray[Any] = np.where(texts > 0, drawn, drawn[:, ::-1])
    return filled


def _effect(value: float, drawn: NDArray[Any]) -> Effect:
    import numpy as np
    from scipy.stats import norm

    low, high = np.quantile(drawn, ENDS)
    error = float(drawn.std())
    certain = 1.0 if abs(value) < 1e-12 else 0.0
    p = float(2 * norm.sf(abs(value) / error)) if error > 1e-12 else certain
    return Effect(value=float(value), low=min(float(low), value), high=max(float(high), value), p=p)


def _rate(total: float, texts: float) -> float | None:
    return float(total / texts) if texts else None
