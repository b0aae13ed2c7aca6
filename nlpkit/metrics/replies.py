"""Metrics of generated replies: how varied, how repetitive, how near to people's, and in which tone.

To add one, write an object and name it in `REPLY_METRICS`.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from nlpkit.metrics.metric import Jackknife, Metric
from nlpkit.metrics.ratio import Ratio, ratio_metric, summed_metric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]

HOSTILE = 0.9
NO_WORDS = "no reply has words"


@dataclass(frozen=True, kw_only=True, eq=False)
class ReplyOutcomes:
    """What a model replied and what the person did, row by row, with what the measuring models make of the
    replies.
    """

    replies: tuple[str, ...]
    """A reply may be empty."""
    truths: tuple[str, ...]
    bertscores: Array | str
    """(replies,): BERTScore F1 with the true reply; or why it is not measured."""
    negative: Array | str
    """(replies,): the probability that the sentiment model gives to negative; or why it is not measured."""

    def __len__(self) -> int:
        return len(self.replies)

    def same_rows(self, outcomes: ReplyOutcomes) -> bool:
        """Whether both answer the same turns."""
        return self.truths == outcomes.truths

    def arrays(self) -> tuple[Array, Array]:
        """Return the model's and the person's replies."""
        import numpy as np

        return np.array(self.replies, dtype=object), np.array(self.truths, dtype=object)

    @property
    def words(self) -> list[list[str]]:
        """The words of each reply."""
        return [words(reply) for reply in self.replies]


def words(text: str) -> list[str]:
    """Return the words of a text in small letters, without punctuation; an apostrophe inside a word belongs
    to it.
    """
    return re.findall(r"\w+(?:['’]\w+)*", text.casefold())


def repeated_runs(spoken: Sequence[str], size: int = 4) -> tuple[int, int]:
    """Return how many runs of `size` words the reply has said before, and how many runs it has."""
    runs = list(_runs(spoken, size))
    return len(runs) - len(set(runs)), len(runs)


def token_f1(reply: str, truth: str) -> float:
    """Return F1 of words after SQuAD: no case, no punctuation, no articles (Rajpurkar et al. 2016)."""
    ours, theirs = _squad(reply), _squad(truth)
    if not ours or not theirs:
        return float(ours == theirs)
    common = (Counter(ours) & Counter(theirs)).total()
    return 2 * common / (len(ours) + len(theirs))


def bertscore(reply: Array, truth: Array) -> float:
    """Return F1 of token embeddings (tokens, size), each matched with its likest; 0 without tokens.

    After Zhang et al. 2020, arXiv:1904.09675.
    """
    import numpy as np

    if not len(reply) or not len(truth):
        return 0.0
    likeness = _directions(reply) @ _directions(truth).T
    precision, recall = float(likeness.max(axis=1).mean()), float(likeness.max(axis=0).mean())
    return 2 * precision * recall / (precision + recall) if precision + recall > np.finfo(float).eps else 0.0


def distinct_metric(size: int, meaning: str) -> Metric[ReplyOutcomes]:
    """Return different runs of `size` words as a share of all, over all replies together."""

    def counted(outcomes: ReplyOutcomes) -> tuple[list[Counter[tuple[str, ...]]], Counter[tuple[str, ...]]]:
        runs = [Counter(_runs(spoken, size)) for spoken in outcomes.words]
        return runs, sum(runs, Counter())

    def compute(outcomes: ReplyOutcomes) -> float:
        _, whole = counted(outcomes)
        return len(whole) / whole.total()

    def resample(outcomes: ReplyOutcomes) -> Jackknife:
        import numpy as np

        runs, whole = counted(outcomes)
        total, different = whole.total(), len(whole)
        # A reply takes with it the runs that only it has.
        without = [
            (different - sum(whole[run] == count for run, count in own.items()), total - own.total())
            for own in runs
        ]
        return Jackknife(without=np.array([kinds / count if count else np.nan for kinds, count in without]))

    return Metric(
        name=f"distinct-{size}",
        title=f"distinct-{size}",
        meaning=meaning,
        compute=compute,
        resample=resample,
        undefined=lambda outcomes: None if counted(outcomes)[1].total() else NO_WORDS,
    )


def _alike(outcomes: ReplyOutcomes) -> tuple[list[tuple[str, ...]], Counter[tuple[str, ...]], int]:
    spoken = [tuple(row) for row in outcomes.words]
    times = Counter(spoken)
    return spoken, times, sum(times[row] > 1 for row in spoken)


def _repeated(outcomes: ReplyOutcomes) -> float:
    """Return the share of replies that equal another."""
    return _alike(outcomes)[2] / len(outcomes)


def _repeated_without(outcomes: ReplyOutcomes) -> Jackknife:
    import numpy as np

    spoken, times, alike = _alike(outcomes)
    # One of two equal replies leaves its twin single.
    gone = {1: 0, 2: 2}
    rest = len(spoken) - 1
    left = [(alike - gone.get(times[row], 1)) / rest if rest else np.nan for row in spoken]
    return Jackknife(without=np.array(left))


def _self_repetition(outcomes: ReplyOutcomes) -> Ratio:
    runs = [repeated_runs(spoken) for spoken in outcomes.words]
    return Ratio.of([again for again, _ in runs], [count for _, count in runs])


def _measured(values: Callable[[ReplyOutcomes], Array | str], **described: Any) -> Metric[ReplyOutcomes]:
    """Return the mean of what a measuring model says; undefined where there is no such model."""

    def undefined(outcomes: ReplyOutcomes) -> str | None:
        measured = values(outcomes)
        return measured if isinstance(measured, str) else None

    metric: Metric[ReplyOutcomes] = ratio_metric(lambda outcomes: Ratio.of(values(outcomes)), **described)
    return replace(metric, undefined=undefined)


def _overlap_metric(load: Callable[[], Any], **described: Any) -> Metric[ReplyOutcomes]:
    """Return a metric of the whole set as sacrebleu gives it.

    Its own bootstrap takes its seed from the environment; its significance test rests on these two methods,
    as we do.
    """
    import functools

    loaded = functools.cache(load)

    def parts(outcomes: ReplyOutcomes) -> Array:
        import numpy as np

        return np.array(loaded()._extract_corpus_statistics(outcomes.replies, [outcomes.truths]), dtype=float)

    def of(sums: Array) -> Array:
        import numpy as np

        score = loaded()._compute_score_from_stats
        return np.array([score(row.round().astype(int).tolist()).score for row in sums])

    return summed_metric(parts, of, **described)


def _load_bleu() -> Any:
    from sacrebleu.metrics.bleu import BLEU

    return BLEU(force=True)


def _load_chrf() -> Any:
    from sacrebleu.metrics.chrf import CHRF

    return CHRF()


def _hostile(outcomes: ReplyOutcomes) -> Array | str:
    return outcomes.negative if isinstance(outcomes.negative, str) else outcomes.negative >= HOSTILE


def _runs(spoken: Sequence[str], size: int) -> Iterator[tuple[str, ...]]:
    return zip(*(spoken[start:] for start in range(size)), strict=False)


def _squad(text: str) -> list[str]:
    bare = "".join(letter for letter in text.lower() if letter not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", bare).split()


def _directions(vectors: Array) -> Array:
    import numpy as np

    directions: Array = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return directions


REPLY_METRICS: tuple[Metric[ReplyOutcomes], ...] = (
    distinct_metric(
        1,
        "Different words as a share of all words of the replies (Li et al. 2016): "
        "low when it says the same again and again.",
    ),
    distinct_metric(2, "Different pairs of words as a share of all pairs (Li et al. 2016)."),
    ratio_metric(
        _self_repetition,
        nothing="no reply has four words",
        name="self_repetition",
        title="Self-repetition",
        percent=True,
        higher_is_better=False,
        meaning="Share of runs of four words that the same reply has said already: high when it loops.",
    ),
    Metric(
        name="repeated_replies",
        title="Repeated replies",
        percent=True,
        higher_is_better=False,
        meaning="Share of replies that equal the reply to something else.",
        compute=_repeated,
        resample=_repeated_without,
    ),
    ratio_metric(
        lambda outcomes: Ratio.of([len(spoken) for spoken in outcomes.words]),
        name="words",
        title="Words",
        higher_is_better=None,
        meaning="Mean length of a reply in words: neither more nor fewer is better.",
    ),
    ratio_metric(
        lambda outcomes: Ratio.of(
            [token_f1(*pair) for pair in zip(outcomes.replies, outcomes.truths, strict=True)]
        ),
        name="token_f1",
        title="Token F1",
        meaning="Words in common with the person's reply, as SQuAD counts them: low even for good replies.",
    ),
    _overlap_metric(
        _load_bleu,
        name="bleu",
        title="BLEU",
        hub_name="bleu",
        meaning="Runs of one to four words in common with the persons' replies, from 0 to 100 (sacrebleu).",
    ),
    _overlap_metric(
        _load_chrf,
        name="chrf",
        title="chrF",
        hub_name="chrf",
        meaning="Runs of characters in common with the persons' replies, from 0 to 100 (sacrebleu).",
    ),
    _measured(
        lambda outcomes: outcomes.bertscores,
        name="bertscore",
        title="BERTScore F1",
        hub_name="bertscore",
        meaning="Likeness of meaning to the person's reply, token by token (Zhang et al. 2020), not "
        "rescaled: "
        "compare, do not read alone.",
    ),
    _measured(
        _hostile,
        name="hostile",
        title="Called hostile",
        percent=True,
        higher_is_better=False,
        meaning=f"Share of replies that the sentiment model calls negative with {HOSTILE:.0%} or more: "
        "sentiment, no detector of toxicity.",
    ),
)
"""In the order in which they are shown."""
