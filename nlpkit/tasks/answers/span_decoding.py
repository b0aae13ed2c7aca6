"""From the scores of a window's tables to the opinions in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

LOW = -3.0
"""The mean score from which on an opinion is looked at; 0 is a coin toss before anything is fitted."""

MOST = 24
"""Spans of a kind that are looked at in a window."""


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """What may be an opinion in one window."""

    scores: np.ndarray
    """(candidates, parts): of aspect, opinion, and the pair's first and last tokens; or of the aspect
    alone.
    """
    places: np.ndarray
    """(candidates, 4): first and last token of aspect and opinion; -1 without an opinion."""
    polarity: np.ndarray
    """(candidates,): numbers of polarities."""

    def __len__(self) -> int:
        return len(self.polarity)


def candidates(tables: np.ndarray, *, polarities: int, pairs: bool) -> Candidates:
    """Return the candidates of a window from its tables, (tables, time, time)."""
    return _pairs(tables, polarities) if pairs else _terms(tables)


def _pairs(tables: np.ndarray, polarities: int) -> Candidates:
    import numpy as np

    aspects, opinions = (_best_spans(tables[kind]) for kind in (0, 1))
    (a_first, a_last), (o_first, o_last) = aspects.T, opinions.T
    first = tables[2 : 2 + polarities][:, a_first[:, None], o_first]
    last = tables[2 + polarities :][:, a_last[:, None], o_last]
    polarity = (first + last).argmax(axis=0)  # (aspects, opinions)
    row, column = np.indices(polarity.shape).reshape(2, -1)
    polarity = polarity.ravel()
    scores = np.stack(
        [
            tables[0][a_first, a_last][row],
            tables[1][o_first, o_last][column],
            first[polarity, row, column],
            last[polarity, row, column],
        ],
        axis=1,
    )
    places = np.concatenate([aspects[row], opinions[column]], axis=1)
    kept = scores.mean(axis=1) > LOW
    return Candidates(scores=scores[kept], places=places[kept], polarity=polarity[kept])


def _terms(tables: np.ndarray) -> Candidates:
    import numpy as np

    spans = _best_spans(tables.max(axis=0))
    scores = tables[:, spans[:, 0], spans[:, 1]]
    return Candidates(
        scores=scores.max(axis=0)[:, None],
        places=np.concatenate([spans, np.full_like(spans, -1)], axis=1),
        polarity=scores.argmax(axis=0),
    )


def _best_spans(table: np.ndarray) -> np.ndarray:
    """Return (spans, 2): first and last tokens of the spans with the highest scores."""
    import numpy as np

    scores = np.where(np.triu(np.ones_like(table, dtype=bool)), table, -np.inf)
    best = np.argsort(-scores, axis=None, kind="stable")[:MOST]
    best = best[scores.ravel()[best] > LOW]
    return np.stack(np.unravel_index(best, table.shape), axis=1)


def without_rivals(places: np.ndarray, scores: np.ndarray) -> list[int]:
    """Return the numbers of candidates, the highest score first, of which none shares tokens of both aspect
    and opinion with a better one.
    """
    kept: list[int] = []
    for number in (-scores).argsort(kind="stable").tolist():
        if not any(_rivals(places[number], places[better]) for better in kept):
            kept.append(number)
    return kept


def _rivals(first: Sequence[int], second: Sequence[int]) -> bool:
    return first[0] <= second[1] and second[0] <= first[1] and first[2] <= second[3] and second[2] <= first[3]
