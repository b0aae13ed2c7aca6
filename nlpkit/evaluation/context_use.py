"""Whether a model uses what was said: its loss and hits with the true history and with others (Sankar et al. 2019, arXiv:1906.01603)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from nlpkit.data.examples import Conversation, Turn
from nlpkit.evaluation.items import Item, last_turns
from nlpkit.evaluation.selection import NOISE, expected_rank, heard, hits, pmi_rank
from nlpkit.evaluation.speaker import Likelihood, Speaker
from nlpkit.metrics.sums import Look, Sums, gain, ratio, score
from nlpkit.reports.dialogue_report import ContextGain, ContextUse, TurnsBack

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]

History: TypeAlias = Literal["true", "shuffled", "other", "none"]
OTHERS: tuple[Literal["shuffled", "other", "none"], ...] = ("shuffled", "other", "none")
BACK = (0, 1, 2, 3, 5, 8)
"""How many turns back the curve looks, before all."""

_SAID = {
    "shuffled": ("its turns in another order", "no item has two different turns before its reply"),
    "other": ("the turns of another conversation", "no other conversation has as many turns"),
    "none": ("no turn at all", "nothing to measure it on"),
}
_LOSS = "Token loss after {history}, minus that after the true history, in nats: 0 for a model that ignores what was said."
_HITS = "hits@1 after the true history, minus that after {history}: 0 for a model that ignores what was said."
_SAME = " Here: the same on every item."


@dataclass(frozen=True, kw_only=True, eq=False)
class Listened:
    """What a speaker made of each item's true reply after each history; nan where an item has no such history."""

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


def listen(speaker: Speaker, items: Sequence[Item], *, tick: Callable[[], None]) -> Listened:
    """All that is asked of a speaker about given replies: once for each item and history. `tick` is called after each item.

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
    return Listened(
        tokens=np.array(tokens),
        losses={name: np.array(values) for name, values in losses.items()},
        ranks={name: np.array(values) for name, values in ranks.items()},
        pmi_ranks=np.array(pmi_ranks),
        back={turns: np.array(values) for turns, values in back.items()},
        candidates=1 + len(items[0].distractors),
    )


def context_use(found: Listened, *, seed: int) -> ContextUse:
    """Gains of the true history over the others with paired intervals, and the loss by how many turns back the model sees."""
    curve = [
        TurnsBack(
            turns=turns,
            loss=score(
                ratio(_loss_look(turns, last=turns == max(found.back)), losses, found.tokens), seed=seed
            ),
        )
        for turns, losses in found.back.items()
    ]
    return ContextUse(gains=tuple(_gain(found, name, seed) for name in OTHERS), turns_back=tuple(curve))


def _histories(item: Item) -> dict[History, Conversation | None]:
    return {"true": item.history, "shuffled": item.shuffled, "other": item.other, "none": item.silent}


def _ask(speaker: Speaker, item: Item, backs: Sequence[int]) -> dict[tuple[Turn, ...], list[Likelihood]]:
    """Answers by history: a forward pass is dear, and the last three turns of three are all of them."""
    known: dict[tuple[Turn, ...], list[Likelihood]] = {}
    for history in _histories(item).values():
        if history is not None and history.turns not in known:
            known[history.turns] = heard(speaker, history, (item.reply, *item.distractors))
    for turns in backs:
        history = last_turns(item.history, turns)
        if history.turns not in known:
            known[history.turns] = heard(speaker, history, (item.reply,))
    return known


def _gain(found: Listened, name: Literal["shuffled", "other", "none"], seed: int) -> ContextGain:
    import numpy as np

    there = np.flatnonzero(np.isfinite(found.losses[name]))
    tokens, true = found.tokens[there], found.losses["true"][there]
    losses = found.losses[name][there]
    losses = np.where(abs(losses - true) <= NOISE * tokens, true, losses)
    ranks, true_ranks = found.ranks[name][there], found.ranks["true"][there]
    said, undefined = _SAID[name]
    loss_look = _look("Loss without it", _LOSS.format(history=said), same=bool((losses == true).all()))
    hits_look = _look(
        "hits@1 without it",
        _HITS.format(history=said),
        same=bool(((ranks <= 1) == (true_ranks <= 1)).all()),
        percent=True,
    )
    return ContextGain(
        history=name,
        loss=gain(
            ratio(loss_look, losses, tokens),
            ratio(loss_look, true, tokens),
            look=loss_look,
            seed=seed,
            undefined=undefined,
        ),
        hits=gain(
            _hits(true_ranks, found),
            _hits(ranks, found),
            look=hits_look,
            seed=seed,
            undefined=undefined if found.candidates > 1 else "other conversations hold no other reply",
        ),
    )


def _hits(ranks: Array, found: Listened) -> Sums:
    measured = ranks if found.candidates > 1 else ranks[:0]
    return hits(measured, 1, found.candidates)


def _look(title: str, meaning: str, *, same: bool, percent: bool = False) -> Look:
    return Look(title=title, meaning=meaning + (_SAME if same else ""), percent=percent)


def _loss_look(turns: int, *, last: bool) -> Look:
    title = f"all turns, up to {turns}" if last else f"{turns} turns back" if turns != 1 else "1 turn back"
    return Look(title=title, meaning="Nats a token of the person's reply.", higher_is_better=False)
