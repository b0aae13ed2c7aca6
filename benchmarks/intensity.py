"""Intensity across domains: train on three, test on the fourth, and compare with VADER and one human."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import vader
from benchmarks.machine import Machine
from benchmarks.results import save, table
from benchmarks.training import CONFIGS, train
from nlpkit.data.records import read_records
from nlpkit.metrics.intervals import bootstrap, paired
from nlpkit.metrics.outcomes import ValueOutcomes
from nlpkit.metrics.score import Score
from nlpkit.metrics.values import MAE, PEARSON
from nlpkit.reports.wording import difference, p_value
from nlpkit.sources import resolve

if TYPE_CHECKING:
    from numpy.typing import NDArray

DOMAINS = ("tweets", "movies", "amazon", "editorials")
RESAMPLES = 1000
RATERS = 20
"""Most texts were rated by 20 people."""
SEED = 1


def bench(
    overrides: Sequence[str], *, domains: Sequence[str], results: Path, talk: Callable[[str], None]
) -> dict[str, Any]:
    """Measure, write intensity.json and intensity.md, and return the results."""
    machine = Machine()
    measured = {domain: _domain(domain, overrides, talk) for domain in domains}
    rows = [_row(domain, scores) for domain, scores in measured.items()]
    head = ("Tested on", "Texts", "nlpkit", "VADER", "One human", "nlpkit minus VADER", "p")
    title = "Pearson r with the mean human rating, trained on the three other domains"
    dumped = {
        domain: {
            name: value if isinstance(value, (int, str)) else value.model_dump()
            for name, value in scores.items()
        }
        for domain, scores in measured.items()
    }
    talk(
        save(
            results,
            "intensity",
            {"domains": dumped},
            title=title,
            machine=machine,
            lines=table(head, rows),
            timed=False,
        )
    )
    return dumped


def sources(tested: str) -> list[str]:
    """Return the overrides that train on the other domains, without near-copies of tested texts."""

    def source(domain: str) -> str:
        return f"{{source: sentiment-ratings/{domain}, label: mean}}"

    others = ", ".join(source(domain) for domain in DOMAINS if domain != tested)
    return [f"name=intensity-{tested}", f"data.train=[{others}]", f"data.test=[{source(tested)}]"]


def _domain(domain: str, overrides: Sequence[str], talk: Callable[[str], None]) -> dict[str, Any]:
    import numpy as np

    trained = train(CONFIGS / "intensity.yaml", [*sources(domain), *overrides], talk=talk)
    test = trained.rows.test
    texts = [example.text for example in test]
    truth = np.array([example.value for example in test])
    ours = ValueOutcomes(
        truth=truth,
        predicted=np.array([prediction.value for prediction in trained.classifier.predict(texts)]),
    )
    # the scale of the ratings; a correlation does not see it
    theirs = ValueOutcomes(truth=truth, predicted=np.array(vader.compounds(texts)) * 4)
    return {
        "rows": len(test),
        "dropped": trained.rows.dropped,
        "nlpkit": bootstrap(ours, [PEARSON], seed=SEED)["pearson"],
        "mae": bootstrap(ours, [MAE], seed=SEED)["mae"],
        "vader": bootstrap(theirs, [PEARSON], seed=SEED)["pearson"],
        "test": paired(PEARSON, ours, theirs, seed=SEED),
        "human": one_human(ratings(domain)),
    }


def _row(domain: str, scores: dict[str, Any]) -> list[object]:
    shown = [score.shown_with_interval for score in (scores["nlpkit"], scores["vader"], scores["human"])]
    return [
        domain,
        f"{scores['rows']:,}",
        *shown,
        difference(scores["nlpkit"], scores["test"]),
        p_value(scores["test"]),
    ]


def ratings(domain: str) -> Iterator[list[float]]:
    """Yield the ratings of each text of a domain."""
    for record in read_records(resolve(f"sentiment-ratings/{domain}", kind="data"), columns=("ratings",)):
        yield [float(rating) for rating in record.fields["ratings"]]  # type: ignore[attr-defined]


def one_human(rated: Iterator[list[float]]) -> Score:
    """Return the correlation of one rater with the mean of the others, as the mean over rater slots.

    Every text counts alike. Some texts have several times as many ratings as others, so only the slots that
    every text fills are used, 20 at most. The interval resamples texts.
    """
    import numpy as np

    given = [np.array(text_ratings) for text_ratings in rated]
    slots = min(RATERS, *(len(text_ratings) for text_ratings in given))
    sums = np.array(
        [[_sums(text_ratings, slot) for text_ratings in given] for slot in range(slots)]
    )  # (slots, texts, 6)
    drawn = np.random.default_rng(SEED).multinomial(
        len(given), np.full(len(given), 1 / len(given)), size=RESAMPLES
    )
    low, high = np.percentile(
        np.mean([_correlation(drawn @ slot_sums) for slot_sums in sums], axis=0), (2.5, 97.5)
    )
    value = float(np.mean([_correlation(slot_sums.sum(axis=0, keepdims=True)) for slot_sums in sums]))
    return Score(
        value=value, low=float(low), high=float(high), count=len(given), title="One human, leave-one-out"
    )


def _sums(given: NDArray[Any], slot: int) -> list[float]:
    """Return what a correlation needs of one text: 1, x, y, x², y² and xy.

    Here x is one rating and y the mean of the others.
    """
    x = given[slot]
    y = (given.sum() - x) / (len(given) - 1)
    return [1.0, x, y, x**2, y**2, x * y]


def _correlation(sums: NDArray[Any]) -> NDArray[Any]:
    """Return Pearson's r of each row of sums, (rows, 6)."""
    n, x, y, xx, yy, xy = sums.T
    r: NDArray[Any] = (n * xy - x * y) / ((n * xx - x**2) * (n * yy - y**2)) ** 0.5
    return r
