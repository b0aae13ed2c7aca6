"""What generated replies are like: how varied, how much they repeat, how near to what the person said, and in which tone."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from nlpkit.metrics.sums import LeftOut, Look, Measure, Sums, ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]

Embed: TypeAlias = Callable[[Sequence[str]], list[Any]]
"""Texts -> an array (tokens, size) each."""
Negative: TypeAlias = Callable[[Sequence[str]], Sequence[float]]
"""Texts -> the probability that each is negative."""

HOSTILE = 0.9

LOOKS = {
    "distinct-1": Look(
        title="distinct-1",
        meaning="Different words as a share of all words of the replies (Li et al. 2016): low when it says the same again and again.",
    ),
    "distinct-2": Look(
        title="distinct-2", meaning="Different pairs of words as a share of all pairs (Li et al. 2016)."
    ),
    "self_repetition": Look(
        title="Self-repetition",
        percent=True,
        higher_is_better=False,
        meaning="Share of runs of four words that the same reply has said already: high when it loops.",
    ),
    "repeated_replies": Look(
        title="Repeated replies",
        percent=True,
        higher_is_better=False,
        meaning="Share of replies that equal the reply to something else.",
    ),
    "words": Look(
        title="Words",
        higher_is_better=None,
        meaning="Mean length of a reply in words: neither more nor fewer is better.",
    ),
    "token_f1": Look(
        title="Token F1",
        meaning="Words in common with the person's reply, as SQuAD counts them: low even for good replies.",
    ),
    "bleu": Look(
        title="BLEU",
        meaning="Runs of one to four words in common with the persons' replies, from 0 to 100 (sacrebleu).",
    ),
    "chrf": Look(
        title="chrF",
        meaning="Runs of characters in common with the persons' replies, from 0 to 100 (sacrebleu).",
    ),
    "bertscore": Look(
        title="BERTScore F1",
        meaning="Likeness of meaning to the person's reply, token by token (Zhang et al. 2020), not rescaled: compare, do not read alone.",
    ),
    "hostile": Look(
        title="Called hostile",
        percent=True,
        higher_is_better=False,
        meaning=f"Share of replies that the sentiment model calls negative with {HOSTILE:.0%} or more: sentiment, no detector of toxicity.",
    ),
}
"""In the order in which they are shown."""


def measure_replies(
    replies: Sequence[str], truths: Sequence[str], *, embed: Embed | None, negative: Negative | None
) -> dict[str, Measure]:
    """What is measured of replies, by name, in the order in which it is shown; what has no instrument is left out.

    Args:
        replies: what the model answered, an item each; a reply may be empty.
        truths: what the person answered.
        embed: the encoder for BERTScore.
        negative: the sentiment model.
    """
    spoken = [words(reply) for reply in replies]
    repeats = [repeated_runs(one) for one in spoken]
    found: dict[str, Measure] = {
        "distinct-1": distinct(LOOKS["distinct-1"], spoken, 1),
        "distinct-2": distinct(LOOKS["distinct-2"], spoken, 2),
        "self_repetition": ratio(
            LOOKS["self_repetition"], [again for again, _ in repeats], [runs for _, runs in repeats]
        ),
        "repeated_replies": repeated_replies(LOOKS["repeated_replies"], spoken),
        "words": ratio(LOOKS["words"], [len(one) for one in spoken]),
        "token_f1": ratio(LOOKS["token_f1"], [token_f1(*pair) for pair in zip(replies, truths, strict=True)]),
        **overlap(replies, truths),
    }
    if embed:
        pairs = zip(embed(replies), embed(truths), strict=True)
        found["bertscore"] = ratio(LOOKS["bertscore"], [bertscore(*pair) for pair in pairs])
    if negative:
        found["hostile"] = ratio(
            LOOKS["hostile"], [probability >= HOSTILE for probability in negative(replies)]
        )
    return found


def words(text: str) -> list[str]:
    """The words of a text in small letters, without punctuation; an apostrophe inside a word belongs to it."""
    return re.findall(r"\w+(?:['’]\w+)*", text.casefold())


def distinct(look: Look, spoken: Sequence[Sequence[str]], size: int) -> LeftOut:
    """Different runs of `size` words as a share of all, over all replies together."""
    import numpy as np

    runs = [Counter(_runs(one, size)) for one in spoken]
    whole: Counter[tuple[str, ...]] = sum(runs, Counter())
    total, different = whole.total(), len(whole)
    # A reply takes with it the runs that only it has.
    without = [
        (different - sum(whole[run] == count for run, count in own.items()), total - own.total())
        for own in runs
    ]
    left = np.array([kinds / count if count else np.nan for kinds, count in without])
    return LeftOut(look=look, value=different / total if total else None, without=left)


def repeated_runs(spoken: Sequence[str], size: int = 4) -> tuple[int, int]:
    """How many runs of `size` words the reply has said before, and how many runs it has."""
    runs = list(_runs(spoken, size))
    return len(runs) - len(set(runs)), len(runs)


def repeated_replies(look: Look, spoken: Sequence[Sequence[str]]) -> LeftOut:
    """The share of replies that equal another."""
    import numpy as np

    said = [tuple(one) for one in spoken]
    times = Counter(said)
    alike = sum(times[one] > 1 for one in said)
    # One of two equal replies leaves its twin single.
    gone = {1: 0, 2: 2}
    left = np.array(
        [(alike - gone.get(times[one], 1)) / (len(said) - 1) if len(said) > 1 else np.nan for one in said]
    )
    return LeftOut(look=look, value=alike / len(said), without=left)


def token_f1(reply: str, truth: str) -> float:
    """Harmonic mean of precision and recall of words, after SQuAD: no case, no punctuation, no articles (Rajpurkar et al. 2016)."""
    ours, theirs = _squad(reply), _squad(truth)
    if not ours or not theirs:
        return float(ours == theirs)
    common = (Counter(ours) & Counter(theirs)).total()
    return 2 * common / (len(ours) + len(theirs))


def overlap(replies: Sequence[str], truths: Sequence[str]) -> dict[str, Measure]:
    """BLEU and chrF of the whole set, as sacrebleu gives them."""
    import numpy as np
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    found: dict[str, Measure] = {}
    for name, metric in (("bleu", BLEU(force=True)), ("chrf", CHRF())):
        # sacrebleu's own bootstrap takes its seed from the environment; its significance test rests on these two methods, as we do.
        parts = np.array(metric._extract_corpus_statistics(replies, [truths]), dtype=float)
        found[name] = Sums(look=LOOKS[name], parts=parts, of=_each(metric))
    return found


def bertscore(reply: Array, truth: Array) -> float:
    """F1 of token embeddings (tokens, size), each matched with its likest (Zhang et al. 2020, arXiv:1904.09675); 0 without tokens."""
    import numpy as np

    if not len(reply) or not len(truth):
        return 0.0
    likeness = _directions(reply) @ _directions(truth).T
    precision, recall = float(likeness.max(axis=1).mean()), float(likeness.max(axis=0).mean())
    return 2 * precision * recall / (precision + recall) if precision + recall > np.finfo(float).eps else 0.0


def _runs(spoken: Sequence[str], size: int) -> Iterator[tuple[str, ...]]:
    return zip(*(spoken[start:] for start in range(size)), strict=False)


def _squad(text: str) -> list[str]:
    bare = "".join(one for one in text.lower() if one not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", bare).split()


def _each(metric: Any) -> Callable[[Array], Array]:
    """The metric of each row of summed statistics."""
    import numpy as np

    return lambda sums: np.array(
        [metric._compute_score_from_stats(row.round().astype(int).tolist()).score for row in sums]
    )


def _directions(vectors: Array) -> Array:
    import numpy as np

    found: Array = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return found
