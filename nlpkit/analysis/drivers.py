"""What drives a change: the change of a label's share, split into parts that sum to it exactly.

A label's share can rise because its themes are spoken of more often, or because texts within a theme have it
more often. Kitagawa (1955, doi:10.1080/01621459.1955.10501299) splits a change into these two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nlpkit.errors import DataError
from nlpkit.trust.gaps import LEVEL, holm

if TYPE_CHECKING:
    from numpy.typing import NDArray

DRAWS = 4000
FEWEST = 10
"""Texts of a part, before or after, below which it counts with the rest."""
MOST = 20
"""Parts that stand alone, the largest first."""
ENDS = (0.025, 0.975)


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
    """The share of its texts that have the label; None where it has no texts."""
    mix: Effect
    """What its larger or smaller share adds: more texts of a part above the average raise the whole."""
    rate: Effect
    """What its higher or lower rate adds."""


@dataclass(frozen=True, kw_only=True)
class Decomposition:
    """The change of a label's share, and what drives it."""

    kind: str
    """What is compared, such as a change point."""
    by: str
    """What the parts are: themes, or the values of a column."""
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

    @property
    def effects(self) -> list[Effect]:
        """All of them: those of the whole, then two of each driver."""
        of_drivers = [effect for driver in self.drivers for effect in (driver.mix, driver.rate)]
        return [self.whole, self.mix, self.rate, *of_drivers]


def decompose(
    before: NDArray[Any],
    after: NDArray[Any],
    parts: Sequence[str],
    *,
    label: str = "",
    names: tuple[str, str] = ("before", "after"),
    kind: str = "",
    by: str = "",
    seed: int = 1,
) -> Decomposition:
    """Split a change into what the parts' shares add and what their rates add; together they are the change.

    Intervals come from draws: of the shares by a Bayesian bootstrap (Rubin 1981), and of the rates from their
    Beta distribution (Jeffreys), so that a rate of 0 in few texts is not taken for certain. They hold for the
    parts as they are: what a theme is, is not drawn anew.

    Args:
        before: (2, parts), of the period or the group that is compared with: the texts of each part, and how
            many of them have the label.
        after: the same of the other one.
        parts: what the parts are called.
        label: its name.
        names: what the two are called.
        kind: what is compared.
        by: what the parts are.
        seed: draws.

    Raises:
        DataError: one of the two has no texts.
    """
    import numpy as np

    for name, side in zip(names, (before, after), strict=True):
        if not side[0].sum():
            raise DataError(f"{name}: no texts to compare")
    sums, parts = _pooled(np.stack([before, after]).astype(float), parts)
    texts, having = sums[:, 0], sums[:, 1]
    shares = texts / texts.sum(axis=1, keepdims=True)
    rates = having / np.maximum(texts, 1)
    random = np.random.default_rng(seed)
    gammas = [random.standard_gamma(row, (DRAWS, len(row))) for row in texts]
    drawn_shares = np.stack([drawn / drawn.sum(axis=1, keepdims=True) for drawn in gammas], axis=1)
    drawn_rates = random.beta(having + 0.5, texts - having + 0.5, (DRAWS, *texts.shape))
    # The rate of a part without texts is the other side's, as if it had not changed
    mix, rate = split(shares, np.where(texts > 0, rates, rates[::-1]))
    drawn_mix, drawn_rate = split(drawn_shares, np.where(texts > 0, drawn_rates, drawn_rates[:, ::-1]))
    drivers = [
        Driver(
            part=part,
            texts=(int(texts[0, row]), int(texts[1, row])),
            shares=(float(shares[0, row]), float(shares[1, row])),
            rates=(_rate(having[0, row], texts[0, row]), _rate(having[1, row], texts[1, row])),
            mix=_effect(mix[row], drawn_mix[:, row]),
            rate=_effect(rate[row], drawn_rate[:, row]),
        )
        for row, part in enumerate(parts)
    ]
    whole = having.sum(axis=1) / texts.sum(axis=1)
    return Decomposition(
        kind=kind,
        by=by,
        label=label,
        before=names[0],
        after=names[1],
        texts=(int(texts[0].sum()), int(texts[1].sum())),
        rates=(float(whole[0]), float(whole[1])),
        whole=_effect(whole[1] - whole[0], (drawn_mix + drawn_rate).sum(axis=1)),
        mix=_effect(mix.sum(), drawn_mix.sum(axis=1)),
        rate=_effect(rate.sum(), drawn_rate.sum(axis=1)),
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
    p_values = iter(holm([effect.p for change in changes for effect in change.effects]))

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


def _pooled(sums: NDArray[Any], parts: Sequence[str]) -> tuple[NDArray[Any], list[str]]:
    """Return (2, 2, parts) sums with small parts, and those beyond the largest, as one part: the rest."""
    import numpy as np

    most = sums[:, 0].max(axis=0)
    order = np.argsort(-sums[:, 0].sum(axis=0), kind="stable")
    alone = [int(part) for part in order[:MOST] if most[part] >= FEWEST]
    rest = [int(part) for part in order if part not in alone and most[part]]
    groups = [[part] for part in alone] + ([rest] if rest else [])
    names = [parts[part] for part in alone]
    if rest:
        names.append(f"the rest ({len(rest):,})" if len(rest) > 1 else parts[rest[0]])
    return np.stack([sums[:, :, group].sum(axis=2) for group in groups], axis=2), names


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
