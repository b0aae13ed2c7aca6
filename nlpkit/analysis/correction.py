"""What corrects the shares of an analysis for the classifier's mistakes, or why nothing does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nlpkit.classifiers.classifier import Classifier
from nlpkit.errors import ConfigError, DataError, RunError
from nlpkit.reports.wording import without_folder
from nlpkit.run import Run
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
    why_not: str = ""
    """Why shares are not corrected; empty where they are."""
    likeliest: Mapping[str, float] = field(default_factory=dict)
    """Label -> its share of all texts by expectation maximization; empty where shares are not corrected."""
    warnings: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """The labeled rows in words; empty where there are none."""
        if self.rows is None:
            return ""
        return f"{len(self.rows):,} labeled rows ({without_folder(self.rows.source)})"


def correction_for(
    run: Run | None,
    classifier: Classifier | None,
    whole: Tally,
    held_out: Path | str | None,
    fields: dict[str, Any],
    *,
    is_set: bool,
    seed: int,
) -> Correction:
    """Return what corrects the shares, or why there is nothing; labeled rows that are named must do.

    Raises:
        ConfigError: labeled rows are named, but not the run.
        DataError: labeled rows that are named are wrong, or too few.
    """
    if run is None or classifier is None:
        if held_out is not None:
            raise ConfigError("--held-out: of which run? hint: name the run that scored the file, before it")
        return Correction(
            why_not="the run that scored the file is not named; hint: nlpkit analyze RUN FILE -o report.html"
        )
    try:
        rows = calibration_rows(run, classifier, held_out, **fields)
        estimator = SharesEstimator(rows, is_set=is_set, seed=seed)
    except (RunError, DataError) as error:
        if held_out is not None:
            raise
        return Correction(why_not=str(error).replace(str(run.path), f"the run {run.name}"))
    shares = estimator.shares(whole)
    return Correction(
        rows=rows,
        likeliest={share.label: share.likeliest for share in shares},
        warnings=(UNLIKE,) if estimator.is_unlike(whole, shares) else (),
    )
