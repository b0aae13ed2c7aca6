"""Whether a model uses what was said: its loss and hits with the true history and with others (Sankar et al.
2019, arXiv:1906.01603).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from nlpkit.data.examples import Conversation, Turn
from nlpkit.evaluation.items import Item, last_turns
from nlpkit.evaluation.selection import NOISE, expected_rank, pmi_rank
from nlpkit.generation.speaker import Likelihood, Speaker, checked_likelihoods
from nlpkit.metrics.intervals import bootstrap, gain
from nlpkit.metrics.metric import Metric
from nlpkit.metrics.ranking import TOKEN_LOSS, RankingOutcomes, hits_metric
from nlpkit.metrics.score import Score
from nlpkit.reports.reply_findings import ContextGain, ContextUse, TurnsBack

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]

History: TypeAlias = Literal["true", "shuffled", "other", "none"]
OTHERS: tuple[Literal["shuffled", "other", "none"], ...] = ("shuffled", "other", "none")
BACK = (0, 1, 2, 3, 5, 8)
"""How many turns back the curve goes, before all."""

_HISTORIES = {
    "shuffled": ("its turns in another order", "no item has two different turns before its reply"),
    "other": ("the turns of another conversation", "no other conversation has as many turns"),
    "none": ("no turn at all", "nothing to measure it on"),
}
_LOSS = (
    "Token loss after {history}, minus that after the true history, in nats: 0 for a model that "
    "ignores what was said."
)
_HITS = "hits@1 after the true history, minus that after {history}: 0 for a model that ignores what was said."
_SAME = " Here: the same on every item."


@dataclass(frozen=True, kw_only=True, eq=False)
class HistoryScores:
    """What a speaker made of each item's true reply after each history; nan where an item has no such
    history.
    """

    tokens: Array
    """(items,): of the true reply."""
    losses: dict[History, Array]
    """(items,): nats of the true reply."""
    ranks: dict[History, Array]
    """(items,): of the true reply among all candidates, by likelihood a token."""
    pmi_ranks: Array
    """(items,): of the true reply among all candidates, by how much likelier the true history makes each."""
    back: dict[int, Array]
    """Turns back -> (items,): nats of the true reply."""
    candidates: int
    """How many replies each rank is among, the true one included."""

    def outcomes(self, history: History = "true") -> RankingOutcomes:
        """Return what the model makes of the true replies after a history."""
        return RankingOutcomes(
            losses=self.losses[history],
            tokens=self.tokens,
            ranks=self.ranks[history],
            pmi_ranks=self.pmi_ranks,
            candidates=self.candidates,
        )


def score_histories(speaker: Speaker, items: Sequence[Item], *, tick: Callable[[], None]) -> HistoryScores:
    """Return what a speaker makes of given replies, once for each item and history; `tick` is called after
    each item.

    Raises:
        RunError: the speaker answers with no likelihood.
    """
    import numpy as np

    longest = max(len(item.history.turns) for item in items)
    backs = [*(turns for turns in BACK if turns < longest), longest]
    losses: dict[History, list[float]] = {"true": [], **{name: [] for name in OTHERS}}
    ranks: dict[History, list[float]] = {"true": [], **{name: [] for name in OTHERS}}
    back: dict[int, list[float]] = {turns: [] for turns in backs}
    tokens, pmi_ranks = [], []
    for item in items:
        known = _ask(speaker, item, backs)
        tokens.append(known[item.history.turns][0].tokens)
        pmi_ranks.append(pmi_rank(known[item.history.turns], known[item.silent.turns]))
        for name, history in _histories(item).items():
            answers = known[history.turns] if history else None
            losses[name].append(-answers[0].total if answers else np.nan)
            ranks[name].append(expected_rank(answers) if answers else np.nan)
        for turns in backs:
            back[turns].append(-known[last_turns(item.history, turns).turns][0].total)
        tick()
    return HistoryScores(
        tokens=np.array(tokens),
        losses={name: np.array(values) for name, values in losses.items()},
        ranks={name: np.array(values) for name, values in ranks.items()},
        pmi_ranks=np.array(pmi_ranks),
        back={turns: np.array(values) for turns, values in back.items()},
        candidates=1 + len(items[0].distractors),
    )


def context_use(scores: HistoryScores, *, seed: int) -> ContextUse:
    """Return the gains of the true history over the others, and the loss by how many turns back the model
    sees.
    """
    curve = [
        TurnsBack(turns=turns, loss=_loss_back(scores, turns, losses, seed))
        for turns, losses in scores.back.items()
    ]
    return ContextUse(gains=tuple(_gain(scores, name, seed) for name in OTHERS), turns_back=tuple(curve))


def _loss_back(scores: HistoryScores, turns: int, losses: Array, seed: int) -> Score:
    title = f"{turns} turns back" if turns != 1 else "1 turn back"
    metric = replace(TOKEN_LOSS, title=f"all turns, up to {turns}" if turns == max(scores.back) else title)
    return bootstrap(replace(scores.outcomes(), losses=losses), [metric], seed=seed)[metric.name]


def _histories(item: Item) -> dict[History, Conversation | None]:
    return {"true": item.history, "shuffled": item.shuffled, "other": item.foreign, "none": item.silent}


def _ask(speaker: Speaker, item: Item, backs: Sequence[int]) -> dict[tuple[Turn, ...], list[Likelihood]]:
    """Return answers by history, each computed once: the last three turns of three are all of them."""
    known: dict[tuple[Turn, ...], list[Likelihood]] = {}
    for history in _histories(item).values():
        if history is not None and history.turns not in known:
            known[history.turns] = checked_likelihoods(speaker, history, (item.reply, *item.distractors))
    for turns in backs:
        history = last_turns(item.history, turns)
        if history.turns not in known:
            known[history.turns] = checked_likelihoods(speaker, history, (item.reply,))
    return known


def _gain(scores: HistoryScores, name: Literal["shuffled", "other", "none"], seed: int) -> ContextGain:
    import numpy as np

    there = np.flatnonzero(np.isfinite(scores.losses[name]))
    true, without = scores.outcomes().chosen(there), scores.outcomes(name).chosen(there)
    equal = abs(without.losses - true.losses) <= NOISE * true.tokens
    without = replace(without, losses=np.where(equal, true.losses, without.losses))
    history, undefined = _HISTORIES[name]
    same_loss = bool((without.losses == true.losses).all())
    same_hits = bool(((without.ranks <= 1) == (true.ranks <= 1)).all())
    return ContextGain(
        history=name,
        loss=gain(
            _lost(TOKEN_LOSS, "Loss", _LOSS.format(history=history), same=same_loss),
            without,
            true,
            seed=seed,
            undefined=undefined,
        ),
        hits=gain(
            _lost(hits_metric(1), "hits@1", _HITS.format(history=history), same=same_hits),
            true,
            without,
            seed=seed,
            undefined=undefined if scores.candidates > 1 else "",
        ),
    )


def _lost(
    metric: Metric[RankingOutcomes], title: str, meaning: str, *, same: bool
) -> Metric[RankingOutcomes]:
    """Return the metric as a gain: what is lost without the true history."""
    return replace(
        metric,
        title=f"{title} without it",
        meaning=meaning + (_SAME if same else ""),
        higher_is_better=True,
        words=lambda outcomes: {},
    )
