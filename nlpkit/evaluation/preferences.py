"""Whether a run learned what people like: the new run compared with the old one, and a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from nlpkit.data.preferences import Preference, RatedReply
from nlpkit.generation.speaker import Likelihood, Speaker
from nlpkit.metrics.intervals import bootstrap, paired
from nlpkit.metrics.label_probabilities import AUROC
from nlpkit.metrics.metric import Measured, Metric
from nlpkit.metrics.outcomes import LabelOutcomes
from nlpkit.metrics.ranking import perplexity_metric
from nlpkit.metrics.ratio import Ratio, ratio_metric
from nlpkit.metrics.score import PairedTest, Part, Score
from nlpkit.reports.keeping import of_run, source_card, write_report
from nlpkit.reports.parts import Baseline, DataCard
from nlpkit.reports.reply_findings import ReplyFindings
from nlpkit.reports.reply_sections import reply_count, reply_headlines, reply_summary
from nlpkit.reports.report import Report
from nlpkit.reports.usage import REPLY_USAGE
from nlpkit.run import Run

WORSE = 0.05
"""How much the perplexity of liked replies may rise: a run that prefers what is liked, but replies worse, is
no gain.
"""

PAIRS: Metric[Ratio] = ratio_metric(
    lambda pairs: pairs,
    name="pair_accuracy",
    title="Preference accuracy",
    meaning="Share of held-out pairs in which the chosen reply is likelier, a token, than the rejected one",
    percent=True,
)
LIKED_FROM_DISLIKED = replace(
    AUROC,
    title="Liked from disliked (AUROC)",
    meaning="How often a liked held-out reply is likelier, a token, than a disliked one; 50% is chance",
    percent=True,
)
PERPLEXITY: Metric[Ratio] = perplexity_metric(
    lambda replies: replies,
    title="Perplexity of liked replies",
    meaning="How many tokens the model wavers between, on average, at each token of a held-out reply that "
    "people liked",
)


class Compared(Part):
    """One score of both runs on the same rows, and the difference."""

    old: Score
    new: Score
    test: PairedTest
    """New minus old."""


class Comparison(Part):
    """What the new run is worth compared with the one that it started from."""

    measure: Literal["pair_accuracy", "auroc"]
    """The share of pairs ranked right, or how well liked replies are distinguished from disliked ones (0.5:
    not at all).
    """
    held_out: int
    preference: Compared
    perplexity: Compared
    verdict: Literal["promoted", "refused"]
    reasons: tuple[str, ...]
    """Why, in words."""


@dataclass(frozen=True, kw_only=True)
class RowLikelihoods:
    """How likely a run finds each held-out row's replies."""

    rows: tuple[tuple[Likelihood, ...], ...]


def score_rows(model: Speaker, held: Sequence[Preference]) -> RowLikelihoods:
    """Return how likely the model finds the replies of each row."""
    return RowLikelihoods(
        rows=tuple(tuple(model.log_likelihoods(row.history, _replies(row))) for row in held)
    )


def compare(old: RowLikelihoods, new: RowLikelihoods, held: Sequence[Preference], *, seed: int) -> Comparison:
    """Return the verdict on the new run, with 95% intervals from resampling the held-out rows."""
    rated = isinstance(held[0], RatedReply)
    preference = _auroc(old, new, held, seed) if rated else _accuracy(old, new, seed)
    perplexity = _perplexities(old, new, held, seed)
    reasons = _against(preference, perplexity)
    return Comparison(
        measure="auroc" if rated else "pair_accuracy",
        held_out=len(held),
        preference=preference,
        perplexity=perplexity,
        verdict="refused" if reasons else "promoted",
        reasons=tuple(reasons) or (_for(preference, perplexity),),
    )


def verdict_of(run: Run) -> Comparison:
    """Return what a completed preference run keeps of its comparison."""
    return Comparison.model_validate(run.read().data["comparison"])


def in_words(comparison: Comparison) -> list[str]:
    """Return the comparison, line by line, for a terminal."""
    lines = []
    for part in (comparison.preference, comparison.perplexity):
        test = part.test
        around = "" if test.low is None or test.high is None else f" [{test.low:+.3f}, {test.high:+.3f}]"
        lines.append(
            f"{part.new.title}: {_number(part.old)} -> {_number(part.new)}, difference "
            f"{test.difference or 0:+.3f}{around}"
        )
    return [*lines, f"{comparison.verdict}: {'; '.join(comparison.reasons)}"]


def report_comparison(run: Run) -> None:
    """Write the page, the model card and the JSON of a preference run: its scores compared with the run it
    started from.
    """
    record = run.read()
    comparison = verdict_of(run)
    pairs = {"perplexity": comparison.perplexity, comparison.measure: comparison.preference}
    scores = {name: pair.new for name, pair in pairs.items()}
    baseline = Baseline(
        name=Path(record.data["parent"]["run"]).name,
        scores={name: pair.old for name, pair in pairs.items()},
        tests={name: pair.test for name, pair in pairs.items()},
    )
    findings = ReplyFindings(scores=scores, baseline=baseline)
    report = Report(
        **of_run(run),
        data="held-out preferences",
        task="dialogue",
        seed=record.seed,
        unit="replies",
        measured=reply_count(comparison.held_out, None),
        summary=(
            f"The new run is {comparison.verdict}: {'; '.join(comparison.reasons)}.",
            *reply_summary(findings),
        ),
        scores=scores,
        headlines=reply_headlines(findings),
        baselines=(baseline,),
        data_card=DataCard(
            counts={name.replace("_", " "): rows for name, rows in record.data["rows"].items()},
            sources=tuple(source_card(name) for name in record.data["sources"]),
            unit="replies",
        ),
        versions=record.versions,
    )
    write_report(run, report, card=REPLY_USAGE)


def _against(preference: Compared, perplexity: Compared) -> list[str]:
    """Return what speaks against the new run, if anything.

    Where the old run ranks everything right already, the perplexity decides: it must be shown to have fallen.
    """
    reasons = []
    difference = preference.test.difference
    if _both_rank_all_right(preference):
        if not _has_fallen(perplexity):
            reasons.append(
                "both runs rank all held-out replies right, and liked ones are not shown to be likelier: "
                f"perplexity {_number(perplexity.old)} -> {_number(perplexity.new)}, the interval of the "
                "difference holds 0"
            )
    elif difference is None or difference <= 0:
        reasons.append(
            f"it prefers what people liked no more than the old run ({_number(preference.old)} -> "
            f"{_number(preference.new)})"
        )
    before, after = perplexity.old.value, perplexity.new.value
    if before is None or after is None or not after <= before * (1 + WORSE):
        reasons.append(
            f"liked replies became less likely: perplexity {_number(perplexity.old)} -> "
            f"{_number(perplexity.new)}, over {WORSE:.0%}"
        )
    return reasons


def _both_rank_all_right(preference: Compared) -> bool:
    return preference.old.value == preference.new.value == 1.0


def _has_fallen(perplexity: Compared) -> bool:
    high = perplexity.test.high
    return high is not None and high < 0


def _for(preference: Compared, perplexity: Compared) -> str:
    if _both_rank_all_right(preference):
        return (
            "both runs rank all held-out replies right, and liked ones became likelier: perplexity "
            f"{_number(perplexity.old)} -> {_number(perplexity.new)}"
        )
    low = preference.test.low
    shown = low is not None and low > 0
    return "it prefers what people liked more than the old run" + (
        "" if shown else "; too few rows to show it: the interval holds 0"
    )


def _accuracy(old: RowLikelihoods, new: RowLikelihoods, seed: int) -> Compared:
    before, after = (
        Ratio.of([float(_mean(chosen) > _mean(rejected)) for chosen, rejected in likelihoods.rows])
        for likelihoods in (old, new)
    )
    return compared(PAIRS, before, after, seed)


def _auroc(old: RowLikelihoods, new: RowLikelihoods, held: Sequence[Preference], seed: int) -> Compared:
    import numpy as np

    liked = np.array([isinstance(row, RatedReply) and row.liked for row in held], dtype=int)
    outcomes = []
    for likelihoods in (old, new):
        likely = np.exp([_mean(row[0]) for row in likelihoods.rows])
        probabilities = np.stack([1 - likely, likely], axis=1)
        outcomes.append(LabelOutcomes(labels=("down", "up"), truth=liked, probabilities=probabilities))
    return compared(LIKED_FROM_DISLIKED, outcomes[0], outcomes[1], seed)


def _perplexities(
    old: RowLikelihoods, new: RowLikelihoods, held: Sequence[Preference], seed: int
) -> Compared:
    good = [number for number, row in enumerate(held) if not isinstance(row, RatedReply) or row.liked]
    before, after = (
        Ratio.of(
            [-likelihoods.rows[number][0].total for number in good],
            [likelihoods.rows[number][0].tokens for number in good],
        )
        for likelihoods in (old, new)
    )
    return compared(PERPLEXITY, before, after, seed)


def compared(metric: Metric[Measured], before: Measured, after: Measured, seed: int) -> Compared:
    """Return a score before and after on the same rows, and the difference, with 95% intervals."""
    old, new = (bootstrap(outcomes, [metric], seed=seed)[metric.name] for outcomes in (before, after))
    return Compared(old=old, new=new, test=paired(metric, after, before, seed=seed))


def _replies(row: Preference) -> list[str]:
    return [row.reply] if isinstance(row, RatedReply) else [row.chosen, row.rejected]


def _mean(likelihood: Likelihood) -> float:
    return likelihood.total / likelihood.tokens


def _number(score: Score) -> str:
    if score.value is None:
        return "undefined"
    return f"{score.value:.1%}" if score.percent else f"{score.value:.3f}"
