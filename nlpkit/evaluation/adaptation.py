"""What an adaptation changed: the base before and after on texts that were held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from nlpkit.evaluation.preferences import Compared, compared
from nlpkit.files import write_whole
from nlpkit.metrics.metric import Metric
from nlpkit.metrics.ranking import perplexity_metric
from nlpkit.metrics.ratio import Ratio, ratio_metric
from nlpkit.reports.headline import score_headline
from nlpkit.reports.keeping import of_run, source_card, write_report
from nlpkit.reports.parts import Baseline, DataCard
from nlpkit.reports.report import Report
from nlpkit.reports.sections import Prose
from nlpkit.reports.wording import compared as compared_in_words
from nlpkit.run import Run

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]


PAPER = "(Wang and Isola 2020, arXiv:2005.10242)"


def _log(values: Array) -> Array:
    import numpy as np

    logarithms: Array = np.log(values)
    return logarithms


def _measure(name: str, title: str, meaning: str, after: Any = None) -> Metric[Ratio]:
    return ratio_metric(
        lambda sums: sums, name=name, title=title, meaning=meaning, after=after, higher_is_better=False
    )


NATS = "exp of the mean negative log-likelihood of"
MEASURES: Mapping[str, Sequence[Metric[Ratio]]] = {
    "masked": (
        perplexity_metric(
            lambda sums: sums,
            title="Pseudo-perplexity",
            meaning=f"{NATS} masked tokens, the same before and after",
        ),
    ),
    "next_token": (
        perplexity_metric(
            lambda sums: sums, title="Perplexity", meaning=f"{NATS} a text's tokens after its first"
        ),
    ),
    "contrastive": (
        _measure("loss", "Contrastive loss", "nats of a text's second dropout pass among those of its batch"),
        _measure("alignment", "Alignment", f"mean squared distance of two dropout passes of a text {PAPER}"),
        _measure(
            "uniformity",
            "Uniformity",
            f"log of the mean of exp(-2 squared distance) of texts {PAPER}",
            _log,
        ),
    ),
}
"""By method, in the order of the sums; the last of these is what they are divided by."""

LIMITS = (
    "It does not show that a classifier trained on the adapted base is better: train it on both bases, and "
    "compare.",
    "The texts are held out of the same files; texts of other kinds may be read worse than before.",
    "Intervals are from resampling the held-out texts; another seed of the training adds to them.",
)
NEW_HEAD = (
    "The base has no head for masked words of its own: its pseudo-perplexity before is that of an untrained "
    "head, and says nothing of the base"
)


def compare(before: Array, after: Array, method: str, *, seed: int) -> dict[str, Any]:
    """Return each measure of a method before and after, and the paired difference, for run.json.

    Args:
        before: (texts, sums), of the base as it was.
        after: the same of the adapted base.
        method: what it learned by.
        seed: draws the texts of each resample.
    """
    measured = {}
    for column, metric in enumerate(MEASURES[method]):
        old, new = (Ratio.of(sums[:, column], sums[:, -1]) for sums in (before, after))
        measured[metric.name] = compared(metric, old, new, seed).model_dump(mode="json")
    return measured


def report_adaptation(run: Run) -> Report:
    """Write the page of a run of the recipe adapt, with JSON and Markdown, and return the report."""
    record = run.read()
    pairs = {name: Compared.model_validate(pair) for name, pair in record.data["measured"].items()}
    scores = {name: pair.new for name, pair in pairs.items()}
    baseline = Baseline(
        name=f"{record.base.source} as it was",
        scores={name: pair.old for name, pair in pairs.items()},
        tests={name: pair.test for name, pair in pairs.items()},
    )
    counts = record.data["rows"]
    report = Report(
        **of_run(run),
        data="held-out texts",
        task=record.task["kind"],
        what="Adaptation",
        seed=record.seed,
        measured=f"{counts['held_out']:,} held-out texts",
        warnings=(NEW_HEAD,) if record.task["new_head"] else (),
        summary=tuple(compared_in_words(scores, (baseline,))),
        scores=scores,
        headlines=(score_headline(scores, baseline, next(iter(scores))),),
        baselines=(baseline,),
        sections=(Prose(id="limits", title="What this does not show", sentences=LIMITS),),
        limits=LIMITS,
        data_card=DataCard(
            counts={name.replace("_", " "): count for name, count in counts.items()},
            sources=tuple(source_card(name) for name in record.data["sources"]),
            dropped={"nearly equal to another text": record.data["near_duplicates_dropped"]},
        ),
        versions=record.versions,
    )
    write_report(run, report)
    write_whole(run.report, report.to_html())
    return report
