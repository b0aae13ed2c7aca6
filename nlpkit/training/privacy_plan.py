"""The noise of a private training, and what its promise is worth: planned before the first step."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from nlpkit.data.near import normalized
from nlpkit.errors import ConfigError, DataError, optional
from nlpkit.settings.private import Private

DROWNED = 10.0
"""The least that all rows, if they agreed at every step, must move the weights in their one direction, in
standard deviations of what the noise moves there. Below it, a tenth of them would be lost in the
noise."""

LOOSE = 0.01
"""The share of epsilon by which the noise may be too large: the search for less takes seconds."""


@dataclass(frozen=True, kw_only=True)
class PrivacyPlan:
    """What is promised for one training, and the noise that the promise needs."""

    asked: Private
    rows: int
    delta: float
    sample_rate: float
    """The probability with which each row is in a batch, independently of the others: Poisson sampling."""
    steps: int
    noise: float
    """The standard deviation of the noise in a summed gradient, divided by the clip."""
    weights: int
    """How many are trained."""

    @property
    def batch_size(self) -> float:
        """The expected number of rows in a batch."""
        return self.sample_rate * self.rows

    @property
    def row_delta(self) -> float:
        """The delta for one row that gives `delta` to a person with `rows_per_person`."""
        return row_budget(self.asked.epsilon, self.delta, self.asked.rows_per_person)[1]

    @property
    def signal(self) -> float:
        """How far all rows together move the weights at most, in standard deviations of the noise in that
        direction.
        """
        return math.sqrt(self.steps) * self.batch_size / self.noise

    @property
    def lines(self) -> list[str]:
        """What the preflight reports."""
        asked = self.asked
        person = "one row" if asked.rows_per_person == 1 else f"up to {asked.rows_per_person:,} rows"
        return [
            f"private    epsilon {asked.epsilon:g} at delta {self.delta:.2g} for a person with {person} of "
            f"{self.rows:,}",
            f"           noise {self.noise:.3g} times the clip of {asked.clip:g}, in {self.steps:,} steps of "
            f"about {self.batch_size:,.0f} rows; validation rows are not covered",
        ]

    @property
    def warnings(self) -> list[str]:
        """Where the noise moves all weights together further than the rows can."""
        share = self.signal / math.sqrt(self.weights)
        if share >= 1:
            return []
        return [
            f"private: the noise moves the {self.weights:,} weights further than all rows can (by "
            f"{1 / share:.1f} times): expect to lose accuracy; hint: more rows, a larger "
            "training.batch_size or private.epsilon, or a smaller lora.rank"
        ]


def plan_privacy(
    asked: Private, texts: Sequence[str], *, batch_size: int, steps: int, weights: int
) -> PrivacyPlan:
    """Find the noise with which the steps of a training keep a promise.

    Args:
        asked: the promise.
        texts: the training texts, of which equal ones may be one person's.
        batch_size: the expected number of rows in a batch.
        steps: how many are taken.
        weights: how many weights are trained.

    Raises:
        ConfigError: the promise is empty, or needs so much noise that nothing could be learned; the message
            says what it would take. Or Opacus is not installed.
        DataError: a text stands more often than a person may have rows.
    """
    _refuse_copies(texts, asked.rows_per_person)
    rows = len(texts)
    delta = _delta(asked, rows)
    if delta * rows >= 1:
        raise ConfigError(
            f"private.delta: {delta:g}; with {rows:,} rows, publishing one of them would keep that promise; "
            f"expected less than {1 / rows:.2g}; hint: private.delta=auto"
        )
    rate = min(1.0, batch_size / rows)
    plan = PrivacyPlan(
        asked=asked, rows=rows, delta=delta, sample_rate=rate, steps=steps, weights=weights,
        noise=find_noise(asked, delta, sample_rate=rate, steps=steps),
    )  # fmt: skip
    if plan.signal < DROWNED:
        raise ConfigError(_drowned(plan))
    return plan


def find_noise(asked: Private, delta: float, *, sample_rate: float, steps: int) -> float:
    """Return the least noise, in clips, with which Opacus' accountant stays within the promise."""
    get_noise_multiplier = optional("opacus.accountants.utils", extra="private").get_noise_multiplier

    epsilon, row_delta = row_budget(asked.epsilon, delta, asked.rows_per_person)
    try:
        with _quiet():
            noise = get_noise_multiplier(
                target_epsilon=epsilon, target_delta=row_delta, sample_rate=sample_rate, steps=steps,
                accountant="prv", epsilon_tolerance=epsilon * LOOSE, eps_error=max(0.01, epsilon * LOOSE / 2),
            )  # fmt: skip
    except ValueError:  # more than a million clips
        raise ConfigError(
            f"private.epsilon: {asked.epsilon:g}; no noise is large enough for it; hint: a larger one"
        ) from None
    return float(noise)


def epsilon_of(history: Sequence[tuple[float, float, int]], delta: float) -> float:
    """Return the epsilon that steps have spent, by Opacus' accountant (Gopi et al., arXiv:2106.02848).

    Args:
        history: (noise in clips, probability of a row to be in a batch, steps).
        delta: for one row.
    """
    accountant = optional("opacus.accountants", extra="private").PRVAccountant()
    accountant.history = list(history)
    with _quiet():
        return float(accountant.get_epsilon(delta=delta)) if history else 0.0


def _quiet() -> AbstractContextManager[object]:
    """Silence what Opacus warns of where it bounds the range of its sums: the bound holds all the same."""
    return warnings.catch_warnings(action="ignore")


def row_budget(epsilon: float, delta: float, rows: int) -> tuple[float, float]:
    """Return epsilon and delta for one row that give these to a person with so many: group privacy."""
    each = epsilon / rows
    return each, delta if rows == 1 else delta * math.expm1(each) / math.expm1(epsilon)


def _refuse_copies(texts: Sequence[str], most: int) -> None:
    text, count = Counter(map(normalized, texts)).most_common(1)[0]
    if count > most:
        raise DataError(
            f"private: a training text stands {count:,} times, and one person may have {most:,} rows "
            f"(private.rows_per_person): {text[:40]!r}; hint: keep one of each, or private.rows_per_person="
            f"{count}, which needs more noise"
        )


def _drowned(plan: PrivacyPlan) -> str:
    """Say that the noise leaves nothing to learn, and which rows or epsilon would."""
    noise = math.sqrt(plan.steps) * plan.batch_size / DROWNED
    row_epsilon = epsilon_of([(noise, plan.sample_rate, plan.steps)], plan.row_delta)
    epsilon = row_epsilon * plan.asked.rows_per_person
    enough = plan
    while enough.signal < DROWNED:  # again, as more rows have a smaller delta
        enough = _with_rows(enough, math.ceil(enough.rows * DROWNED / enough.signal))
    return (
        f"private.epsilon: {plan.asked.epsilon:g} needs noise of {plan.noise:.3g} clips with {plan.rows:,} "
        f"rows: if all agreed at every step, they would move the weights by {plan.signal:.1f} standard "
        f"deviations of that noise; expected at least {DROWNED:g}; hint: about {enough.rows:,} rows (and a "
        f"training.batch_size of {math.ceil(enough.batch_size):,}), or an epsilon of about {epsilon:.2g}"
    )


def _with_rows(plan: PrivacyPlan, rows: int) -> PrivacyPlan:
    """Return the plan of as many steps with more rows, of which as large a share is in a batch."""
    delta = _delta(plan.asked, rows)
    noise = find_noise(plan.asked, delta, sample_rate=plan.sample_rate, steps=plan.steps)
    return replace(plan, rows=rows, delta=delta, noise=noise)


def _delta(asked: Private, rows: int) -> float:
    return 1 / (10 * rows) if asked.delta == "auto" else asked.delta
