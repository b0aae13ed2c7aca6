"""What a private run promises, in words and as a section of a report."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from nlpkit.reports.sections import Prose


def privacy_words(privacy: Mapping[str, Any]) -> str:
    """Return the promise of a private training in one sentence; `privacy` is what `run.json` holds."""
    person = privacy["rows_per_person"]
    who = "one row" if person == 1 else f"up to {person:,} rows"
    return (
        f"epsilon {privacy['epsilon']:.3g} at delta {privacy['delta']:.2g}, spent in {privacy['steps']:,} "
        f"steps, for each person with {who} of the {privacy['rows']:,} that were trained on"
    )


def privacy_section(privacy: Mapping[str, Any]) -> Prose:
    """Return the section on what is promised, to whom, and what is not."""
    return Prose(id="privacy", title="Privacy", nav="Privacy", sentences=privacy_sentences(privacy))


def privacy_sentences(privacy: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the promise, what it means for a guess, and whom it does not cover."""
    epsilon = float(privacy["epsilon"])
    right = 1 / (1 + math.exp(-epsilon))
    return (
        f"The weights are differentially private: {privacy_words(privacy)}.",
        "Who sees the weights and guesses whether a person's rows were among them, at even odds, is right at "
        f"most {right:.1%} of the time, up to delta.",
        f"Each row's gradient was clipped to {privacy['clip']:g}, and noise of {privacy['noise']:.3g} clips "
        "was added at each step (DP-SGD by Opacus).",
        "Not covered: validation and test rows, counts and fingerprints in run.json, people with more rows.",
    )
