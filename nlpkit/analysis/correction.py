"""What corrects the shares of an analysis for the classifier's mistakes, or why nothing does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlpkit.analysis.scored_input import ScoredInput
from nlpkit.errors import ConfigError, DataError, RunError
from nlpkit.reports.wording import without_folder
from nlpkit.trust.calibration_rows import CalibrationRows, calibration_rows
from nlpkit.trust.shares import SharesEstimator, Tally

UNLIKE = (
    "These texts are not like the labeled rows, and their shares may be wrong. Hint: label some of them, and "
    "name them with --held-out."
)


@dataclass(frozen=True, kw_only=True)
class Correction:
    """The labeled rows that correct the shares, if there are any."""

    rows: CalibrationRows | None = None
    estimator: SharesEstimator | None = None
    why_not: str = ""
    """Why shares are not corrected; empty where they are."""

    @property
    def source(self) -> str:
        """The labeled rows in words; empty where there are none."""
        if self.rows is None:
            return ""
        return f"{len(self.rows):,} labeled rows ({without_folder(self.rows.source)})"

    def of_whole(self, whole: Tally) -> tuple[dict[str, float], tuple[str, ...]]:
        """Return the shares of all texts by expectation maximization, and what to beware of."""
        if self.estimator is None:
            return {}, ()
        shares = self.estimator.shares(whole)
        warnings = (UNLIKE,) if self.estimator.is_unlike(whole, shares) else ()
        return {share.label: share.likeliest for share in shares}, warnings


def correction_for(
    scored: ScoredInput, held_out: Path | str | None, fields: dict[str, Any], *, seed: int
) -> Correction:
    """Return what corrects the shares, or why there is nothing; labeled rows that are named must do.

    Raises:
        ConfigError: labeled rows are named, but not the run.
        DataError: labeled rows that are named are wrong, or too few.
    """
    if scored.run is None or scored.classifier is None:
        if held_out is not None:
            raise ConfigError("--held-out: of which run? hint: name the run that scored the file, before it")
        return Correction(
            why_not="the run that scored the file is not named; hint: nlpkit analyze RUN FILE -o report.html"
        )
    try:
        rows = calibration_rows(scored.run, scored.classifier, held_out, **fields)
        estimator = SharesEstimator(rows, is_set=scored.is_set, seed=seed)
    except (RunError, DataError) as error:
        if held_out is not None:
            raise
        return Correction(why_not=str(error).replace(str(scored.run.path), f"the run {scored.run.name}"))
    return Correction(rows=rows, estimator=estimator)
