"""The section of a report on what can be promised about a file like the run's own labeled rows."""

from __future__ import annotations

from nlpkit.classifiers.classifier import Classifier
from nlpkit.errors import DataError
from nlpkit.reports.sections import Column, Table
from nlpkit.run import Run
from nlpkit.tasks.prediction import OPINIONS, read_with_texts
from nlpkit.trust.calibration_rows import CalibrationRows, calibration_rows
from nlpkit.trust.prediction_sets import in_set, least_probabilities
from nlpkit.trust.promise import CONFIDENCE, Bounds
from nlpkit.trust.shares import FEWEST, SharesEstimator, Tally

MAX_ERRORS = (0.01, 0.02, 0.05, 0.1)
"""Shares of errors for which a promise is tried."""
COVERAGES = (0.9, 0.95)
"""Shares of texts whose prediction set holds the true label."""


def promises(run: Run, classifier: Classifier) -> Table | None:
    """Return what can be promised on a file like the held-out rows that a run was measured on.

    None where the answers are neither labels nor opinions, or more than a text is read.

    Args:
        run: completed and measured: its evaluation holds the predictions.
        classifier: that of the run.

    Raises:
        RunError: there are no predictions for held-out rows.
    """
    gives_labels = any(name.startswith("p_") for name in classifier.columns)
    is_promised = gives_labels or OPINIONS in classifier.columns
    if not is_promised or read_with_texts(classifier):
        return None
    return promise_table(calibration_rows(run, classifier), is_set="label" not in classifier.columns)


def promise_table(rows: CalibrationRows, *, is_set: bool = False, seed: int = 1) -> Table:
    """Return a row for each promise: what follows from it, or the reason why it is refused.

    Args:
        rows: what the classifier answers to rows whose labels are known.
        is_set: whether a text has any number of labels; such runs get no prediction sets.
        seed: draws the resamples.
    """
    cells = [
        (f"At most {max_error:.0%} of the {rows.what}s given are {'false' if is_set else 'wrong'}", outcome)
        for max_error, outcome in _error_promises(rows, is_set, seed).items()
    ]
    if not is_set:
        cells += [
            (f"Sets hold the true label of at least {coverage:.0%} of the texts of each label", outcome)
            for coverage, outcome in ((coverage, _sets(rows, coverage)) for coverage in COVERAGES)
        ]
    options = "--max-error" if is_set else "--max-error and --sets"
    sets = "" if is_set else " Sets hold the true label on average over labeled rows and files."
    flatters = (
        " Validation rows chose the checkpoint and the calibration, so that these figures may be too good."
        if rows.source.startswith("validation")
        else ""
    )
    return Table(
        id="promise",
        title="What can be promised",
        nav="Promise",
        note=f"What nlpkit score can promise with {options} for a file of {len(rows):,} texts like the "
        f"labeled rows ({rows.source}). The promises about errors hold with {CONFIDENCE:.0%} confidence."
        f"{sets} Each file gets a promise of its own, or a refusal where its texts are not like these "
        f"rows.{flatters}",
        columns=(Column(name="Promise"), Column(name="On a file like these rows")),
        rows=tuple(cells),
    )


def _error_promises(rows: CalibrationRows, is_set: bool, seed: int) -> dict[float, str]:
    """Return for each share of errors how many texts get a label, or why there is no promise."""
    what = "an opinion" if rows.what == "opinion" else "a label"
    tally = Tally(len(rows.labels), seed)
    tally.add(rows.probabilities, rows.given)
    try:
        if len(rows) < FEWEST:
            raise DataError(f"{len(rows)} labeled rows; expected at least {FEWEST}")
        if not rows.given.any():
            raise DataError(f"none of the rows gets {what}")
        if not is_set:
            SharesEstimator(rows)  # refuses labels with too few rows
        bounds = Bounds.of(rows, tally, is_set=is_set, seed=seed)
    except DataError as refusal:
        return dict.fromkeys(MAX_ERRORS, _refused(refusal))
    outcomes = {}
    for max_error in MAX_ERRORS:
        try:
            outcomes[max_error] = f"{bounds.promise(max_error).answered:.0%} of the texts get {what}"
        except DataError:
            outcomes[max_error] = (
                f"refused: no threshold keeps it; {len(rows):,} rows bear out no less than {bounds.least:.1%}"
            )
    return outcomes


def _sets(rows: CalibrationRows, coverage: float) -> str:
    """Return how large the sets are, or why there are none."""
    try:
        least = least_probabilities(rows, coverage)
    except DataError as refusal:
        return _refused(refusal)
    sizes = in_set(rows.probabilities, rows.given, least).sum(axis=1)
    return f"{sizes.mean():.1f} labels a set on average; {(sizes == 1).mean():.0%} hold one label"


def _refused(refusal: DataError) -> str:
    """Return the reason without its hint, which is about another command."""
    return f"refused: {str(refusal).partition('; hint:')[0]}"
