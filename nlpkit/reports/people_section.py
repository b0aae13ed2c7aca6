"""The human ceiling: how far people agree on the texts that a run was measured on."""

from __future__ import annotations

from collections.abc import Sequence

from nlpkit.metrics.agreement import Answers, Scale, krippendorff_alpha, one_against_the_rest
from nlpkit.reports.sections import Column, Table


def people_table(answers: Answers, given: Sequence[float], scale: Scale) -> Table | None:
    """Return the table of people and the run; None where no text was answered by several people.

    Args:
        answers: for each text those of people.
        given: the run's answer to each text.
        scale: of the answers.
    """
    texts = sum(len(text) > 1 for text in answers)
    if not texts:
        return None
    what = "r with the others' mean" if scale == "interval" else "share that agrees with most others"
    alpha = krippendorff_alpha(answers, scale)
    return Table(
        id="people",
        title="People and this run",
        nav="People",
        note=f"On {texts:,} texts that several people answered, {sum(map(len, answers)) / texts:.1f} each on "
        "average. Where one person agrees with the others less than the run does, better scores say little. "
        "Krippendorff's alpha: 1 is full agreement, 0 as by chance; below 0.667 labels are doubtful.",
        columns=(Column(name="Who"), Column(name=what, number=True)),
        rows=(
            ("One person against the others", one_against_the_rest(answers, scale)),
            ("This run against the same others", one_against_the_rest(answers, scale, given)),
            (f"Krippendorff's alpha ({scale})", alpha),
        ),
    )
