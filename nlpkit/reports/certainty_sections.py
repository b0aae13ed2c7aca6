"""Sections on how far the confidence of a classifier can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nlpkit.metrics.calibration import EQUAL_MASS_ERROR
from nlpkit.metrics.intervals import bootstrap
from nlpkit.metrics.label_probabilities import LOG_LOSS
from nlpkit.metrics.outcomes import LabelOutcomes
from nlpkit.reports.sections import Column, Panel, Plot, Series, Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nlpkit.metrics.score import Bin

LEAST = 20
"""Texts below which their share of errors is no point of a curve."""
POINTS = 100
SHARES = (0.1, 0.25, 0.5, 0.75, 1.0)


def reliability_plot(bins: Sequence[Bin], before: Sequence[Bin] = ()) -> Plot | None:
    """Return accuracy against confidence, and how many texts have each confidence; None without rows.

    `before` are the bins before calibration.
    """
    full = [bin_ for bin_ in bins if bin_.confidence is not None and bin_.accuracy is not None]
    if not full:
        return None
    middles = tuple((bin_.low + bin_.high) / 2 for bin_ in full)
    width = 0.9 * (full[0].high - full[0].low)
    accuracy = tuple(bin_.accuracy or 0.0 for bin_ in full)
    confidence = tuple(bin_.confidence or 0.0 for bin_ in full)
    counts = tuple(float(bin_.count) for bin_ in full)
    words = (
        f"confidence {bin_.low:.2f} to {bin_.high:.2f}: {bin_.accuracy:.0%} of {bin_.count} right"
        for bin_ in full
    )
    return Plot(
        id="reliable",
        title="Can its confidence be trusted?",
        nav="Reliability",
        note="Of the texts with a confidence of 80%, 80% should be right: bars on the dashed line. Below "
        "the line it is "
        "overconfident.",
        words=f"Reliability diagram: {'; '.join(words)}",
        height=1.4,
        half=True,
        panels=(
            Panel(
                series=(
                    Series(mark="bars", x=middles, y=accuracy, width=width, opacity=0.35),
                    Series(mark="line", x=confidence, y=accuracy, name="this run"),
                    *_before(before),
                ),
                diagonal="perfectly calibrated",
                y="accuracy",
                x_range=(0, 1.01),
                y_range=(0, 1.03),
                height=3,
            ),
            Panel(
                series=(Series(mark="bars", x=middles, y=counts, width=width, opacity=0.7),),
                x="confidence in the label given",
                y="texts",
            ),
        ),
    )


def _before(bins: Sequence[Bin]) -> list[Series]:
    full = [bin_ for bin_ in bins if bin_.confidence is not None and bin_.accuracy is not None]
    x = tuple(bin_.confidence or 0.0 for bin_ in full)
    y = tuple(bin_.accuracy or 0.0 for bin_ in full)
    return [Series(mark="line", x=x, y=y, name="before calibration", color=1, symbol="s")] if full else []


def is_calibrated(before: LabelOutcomes | None, outcomes: LabelOutcomes) -> bool:
    """Return whether these are answers to the same rows, and calibration changed them."""
    import numpy as np

    if before is None or not outcomes.same_rows(before):
        return False
    return not np.allclose(before.probabilities, outcomes.probabilities, atol=1e-6)


def before_and_after(before: LabelOutcomes, outcomes: LabelOutcomes, seed: int) -> Table:
    """Return calibration error and log loss, with intervals, without and with calibration."""
    metrics = (EQUAL_MASS_ERROR, LOG_LOSS)
    measured = (
        ("before calibration", bootstrap(before, metrics, seed=seed)),
        ("this run", bootstrap(outcomes, metrics, seed=seed)),
    )
    return Table(
        id="calibration",
        title="What calibration changed",
        nav="Calibration",
        note="Calibration is fitted to the validation rows: on these its gain looks a little too large. The "
        "calibration error is the mean gap between confidence and accuracy in 15 bins of equally many texts. "
        "In brackets: 95% intervals.",
        columns=(Column(name=""), Column(name="Calibration error"), Column(name="Log loss")),
        rows=tuple(
            (name, *(scores[metric.name].shown_with_interval for metric in metrics))
            for name, scores in measured
        ),
        half=True,
    )


def risk_plot(certain: NDArray[Any], wrong: NDArray[Any]) -> Plot | None:
    """Return the share of wrong answers among the surest ones, however many of them are taken.

    Args:
        certain: the probability of each answer.
        wrong: whether it is wrong.
    """
    import numpy as np

    if len(certain) < LEAST:
        return None
    order = np.argsort(-certain, kind="stable")
    risk = np.cumsum(wrong[order]) / np.arange(1, len(order) + 1)
    ends = np.unique(np.linspace(LEAST, len(order), POINTS).astype(int))
    shown = {share: max(LEAST, round(share * len(order))) for share in SHARES}
    words = "; ".join(f"of the surest {share:.0%} {risk[end - 1]:.1%}" for share, end in shown.items())
    return Plot(
        id="risk",
        title="How many of the surest answers are wrong?",
        nav="Risk and coverage",
        note="Where only the surest texts get a label, fewer of the labels are wrong: nlpkit score "
        "--max-error finds how many texts get one.",
        words=f"Share of wrong answers: {words}",
        panels=(
            Panel(
                series=(
                    Series(
                        mark="line",
                        x=tuple((ends / len(order)).tolist()),
                        y=tuple(risk[ends - 1].tolist()),
                        symbol="",
                    ),
                ),
                x="share of texts that get a label, the surest first",
                y="share of these that is wrong",
                x_range=(0, 1.01),
            ),
        ),
        height=1.4,
        half=True,
    )
