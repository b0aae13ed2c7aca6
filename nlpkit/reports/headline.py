"""One score on top of a page, compared with the baseline, with a verdict in a word."""

from __future__ import annotations

from collections.abc import Mapping

from nlpkit.metrics.score import Score
from nlpkit.reports.parts import Baseline, Headline
from nlpkit.reports.wording import VERDICTS, difference, verdict


def score_headline(scores: Mapping[str, Score], baseline: Baseline | None, name: str) -> Headline:
    """Return the score of this name as a headline."""
    score = scores[name]
    test = baseline.tests.get(name) if baseline else None
    word = verdict(score, test) if test is not None and test.difference is not None else None
    return Headline(
        score=score,
        title=score.title or name,
        baseline=baseline.scores.get(name) if baseline else None,
        verdict=word,
        tag=VERDICTS[word] if word else "",
        note=difference(score, test),
    )
