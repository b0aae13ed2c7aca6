from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from nlpkit.metrics.intervals import bootstrap
from nlpkit.metrics.metric import find_metric
from nlpkit.metrics.ranking import RANKING_METRICS, RankingOutcomes
from nlpkit.metrics.score import Score


def outcomes(
    ranks: Any = (1.0,), losses: Any = None, tokens: Any = None, candidates: int = 20
) -> RankingOutcomes:
    ranks = np.array(ranks)
    losses = np.ones(len(ranks)) if losses is None else np.array(losses)
    tokens = np.ones(len(losses)) if tokens is None else np.array(tokens)
    return RankingOutcomes(losses=losses, tokens=tokens, ranks=ranks, pmi_ranks=ranks, candidates=candidates)


def value(name: str, found: RankingOutcomes) -> float | None:
    return find_metric(name, RANKING_METRICS).value(found)


def score(name: str, found: RankingOutcomes) -> Score:
    return bootstrap(found, [find_metric(name, RANKING_METRICS)], seed=0)[name]


def test_ties_are_no_hits() -> None:
    ties = outcomes([10.5] * 4)
    assert value("hits@1", ties) == 0
    assert value("hits@5", ties) == 0
    assert value("mrr", ties) == pytest.approx(1 / 10.5)
    assert value("pmi_hits@1", ties) == 0
    assert score("pmi_hits@1", ties).title == "hits@1/20 by PMI"


def test_hits_and_reciprocal_ranks() -> None:
    found = outcomes([1, 1.5, 5, 20])
    assert value("hits@1", found) == 0.25
    assert value("hits@5", found) == 0.75
    assert value("mrr", found) == pytest.approx((1 + 1 / 1.5 + 0.2 + 0.05) / 4)
    shown = score("hits@1", found)
    assert shown.title == "hits@1/20"
    assert "5% by chance" in shown.meaning
    assert shown.low is not None
    assert shown.high is not None
    assert 0 <= shown.low <= 0.25 <= shown.high <= 1


def test_without_other_replies_there_is_no_rank() -> None:
    alone = score("hits@1", outcomes(candidates=1))
    assert (alone.value, alone.undefined) == (None, "other conversations hold no other reply")


def test_perplexity_weighs_replies_by_their_tokens() -> None:
    # 2 nats over 1 token and 3 over 3: exp(5 / 4), while the mean of the means would give exp(1.5)
    found = outcomes([1, 1], losses=[2.0, 3.0], tokens=[1, 3])
    assert value("perplexity", found) == pytest.approx(math.exp(1.25))
    assert not find_metric("perplexity", RANKING_METRICS).higher_is_better


def test_the_perplexity_of_equal_choices_is_their_number() -> None:
    tokens = np.array([3, 5, 2])
    found = outcomes([1] * 3, losses=tokens * math.log(7), tokens=tokens)
    assert value("perplexity", found) == pytest.approx(7)
