from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from nlpkit.errors import ConfigError, DataError, SourceError
from nlpkit.evaluation.instruments import Instruments
from nlpkit.evaluation.items import Reach
from nlpkit.evaluation.judge import Judge
from nlpkit.evaluation.measure_dialogue import Measurement, measure_dialogue
from nlpkit.metrics.metric import Metric
from nlpkit.metrics.score import Score
from nlpkit.reports.reply_findings import Exchange, JudgeVerdict
from nlpkit.reports.report import Report
from tests.speakers import Copier, Unigram, conversations

ORDER = [
    "perplexity",
    "hits@1",
    "hits@5",
    "mrr",
    "pmi_hits@1",
    "pmi_mrr",
    "distinct-1",
    "distinct-2",
    "self_repetition",
]
ORDER += ["repeated_replies", "words", "token_f1", "bleu", "chrf", "bertscore", "hostile"]


def embed(texts):  # type: ignore[no-untyped-def]
    return [np.array([[len(word), 1.0] for word in text.split()]) for text in texts]


TOOLS = Instruments(embed=embed, negative=lambda texts: [0.95 if "mean" in text else 0.1 for text in texts])


def measure(count: int = 10, items: int = 10, generate: int = 5, **settings: Any) -> Measurement:
    compared = {"baseline": Unigram(), "instruments": TOOLS, **settings}
    return measure_dialogue(
        Copier(), conversations(count), seed=5, items=items, generate=generate, **compared
    )


@pytest.fixture(scope="module")
def measured() -> Measurement:
    return measure(40, items=60, generate=20)


def test_the_scores_stand_in_their_order_for_both(measured: Measurement) -> None:
    found = measured.findings
    assert list(found.scores) == ORDER
    assert found.baseline is not None
    assert list(found.baseline.scores) == ORDER
    assert set(found.baseline.tests) == set(ORDER)
    assert (measured.name, found.baseline.name, found.candidates) == ("copier", "unigram", 20)
    assert (measured.replies, measured.conversations) == (60, 40)


def test_the_perplexities_are_those_worked_out_by_hand(measured: Measurement) -> None:
    # thing: copied, at4x3: in the last turn, at4x4: new, the end
    assert measured.findings.scores["perplexity"].value == pytest.approx(
        math.exp(-math.log(0.9 * 0.9 * 0.01 * 0.5) / 4)
    )
    assert measured.findings.scores["perplexity"].count == 60
    # the longer the numbers of things, the longer the words
    low, high = ((1 / size[0] / size[1] / size[1] / 2) ** (-1 / 4) for size in ((7, 6), (8, 7)))
    assert low < measured.findings.baseline.scores["perplexity"].value < high


def test_the_copier_finds_the_true_reply_and_the_unigram_does_not(measured: Measurement) -> None:
    assert measured.findings.scores["hits@1"].value == 1
    assert measured.findings.scores["hits@1"].low > 0.9
    assert measured.findings.scores["mrr"].value == 1
    assert measured.findings.scores["pmi_hits@1"].value == measured.findings.scores["pmi_mrr"].value == 1
    assert measured.findings.baseline.scores["pmi_hits@1"].value == 0  # it ignores the history: ties
    assert measured.findings.baseline.scores["hits@1"].value < 0.3
    test = measured.findings.baseline.tests["hits@1"]
    assert test.low > 0.5
    assert test.p < 0.01
    assert {gain.loss.value for gain in measured.findings.baseline_context.gains} == {0}
    assert all(gain.loss.low > 0 for gain in measured.findings.context.gains)


def test_the_replies_are_measured_for_both(measured: Measurement) -> None:
    assert measured.findings.baseline.scores["hostile"].value == 1
    assert measured.findings.scores["hostile"].value == 0
    assert measured.findings.baseline.scores["repeated_replies"].value == 1
    assert measured.findings.baseline.scores["words"].value == 5
    # 20 equal replies of five words
    assert measured.findings.baseline.scores["distinct-1"].value == pytest.approx(5 / 100)
    assert measured.findings.scores["words"].value == 3
    # the last turn and the reply: thing1 at1x3 at1x4 / thing1 at1x4 at1x5
    assert measured.findings.scores["token_f1"].value == pytest.approx(2 / 3)
    assert measured.findings.baseline.tests["words"].difference == -2


def test_the_exchanges_show_what_was_said(measured: Measurement) -> None:
    assert len(measured.findings.exchanges) == 20
    one = measured.findings.exchanges[0]
    assert one.history[-1] == ("user", one.reply)
    assert one.baseline == "I see what you mean"
    assert one.where.startswith("talks.jsonl, row ")
    assert one.truth.split()[0] == one.reply.split()[0]


def test_the_report_goes_to_json_and_back(measured: Measurement) -> None:
    report = measured.report("talks")
    assert Report.from_json(report.to_json()) == report
    assert report.size == "60 replies of 40 conversations"
    assert [section.id for section in report.sections][:3] == ["context", "gains", "back"]


def test_the_same_seed_gives_the_same_report(measured: Measurement) -> None:
    assert measure(40, items=60, generate=20) == measured


def test_without_replies_only_what_was_said_is_measured() -> None:
    found = measure_dialogue(Copier(), conversations(10), seed=5, items=10, generate=0)
    assert list(found.findings.scores) == ORDER[:6]
    assert found.findings.exchanges == ()
    assert found.findings.baseline is None


def test_an_instrument_that_cannot_be_had_says_why() -> None:
    tools = Instruments(embed="not measured: no network", negative=TOOLS.negative)
    found = measure(instruments=tools)
    assert list(found.findings.scores) == ORDER
    assert (found.findings.scores["bertscore"].value, found.findings.scores["bertscore"].undefined) == (
        None,
        "not measured: no network",
    )
    assert found.findings.baseline.scores["bertscore"].value is None
    assert found.findings.scores["hostile"].value == 0


def test_one_conversation_has_no_other_replies_to_choose_from() -> None:
    found = measure_dialogue(Copier(), conversations(1), seed=5, items=10, generate=2, instruments=TOOLS)
    assert found.findings.scores["perplexity"].value > 1
    assert (
        found.findings.scores["hits@1"].undefined
        == found.findings.scores["mrr"].undefined
        == "other conversations hold no other reply"
    )
    assert found.findings.candidates == 1


def test_progress_comes_to_its_end() -> None:
    calls: list[tuple[int, int]] = []
    measure(progress=lambda done, total: calls.append((done, total)))
    assert calls == [(done, 30) for done in range(1, 31)]


def test_what_does_not_fit_is_counted() -> None:
    reach = Reach(fits=lambda history, reply: "thing3" not in reply)
    found = measure_dialogue(Copier(), conversations(10), seed=5, items=10, generate=0, reach=reach)
    assert found.unfit >= 1
    assert sum(found.report("talks").data_card.dropped.values()) == found.unfit


def test_the_judge_reads_the_replies_of_both(monkeypatch: pytest.MonkeyPatch) -> None:
    def verdict(self, exchanges: list[Exchange], *, seed, tick):  # type: ignore[no-untyped-def]
        assert {one.baseline for one in exchanges} == {"I see what you mean"}
        return JudgeVerdict(
            judge=self.name,
            wins=len(exchanges),
            losses=0,
            ties=0,
            rate=Score(value=1.0, count=len(exchanges)),
        )

    monkeypatch.setattr(Judge, "verdict", verdict)
    judge = Judge(address="http://judge.example/v1", model="m")
    found = measure(judge=judge)
    assert found.findings.verdict.wins == 5
    with pytest.raises(ConfigError, match="expected a baseline"):
        measure_dialogue(Copier(), conversations(10), seed=5, judge=judge)


def test_senseless_numbers_and_nothing_to_measure_are_errors() -> None:
    with pytest.raises(ConfigError, match="items: 0"):
        measure_dialogue(Copier(), conversations(10), seed=5, items=0)
    with pytest.raises(ConfigError, match="candidates: 1"):
        measure_dialogue(Copier(), conversations(10), seed=5, candidates=1)
    with pytest.raises(DataError, match="0 conversations"):
        measure_dialogue(Copier(), [], seed=5)


def test_a_metric_of_the_users_own_is_measured_for_both() -> None:
    def questions(predictions: np.ndarray, references: np.ndarray) -> float:
        return float(np.mean([reply.endswith("mean") for reply in predictions]))

    found = measure(own=[Metric.of_function(questions, "questions")]).findings
    assert found.baseline is not None
    assert (found.scores["questions"].value, found.baseline.scores["questions"].value) == (0, 1)
    assert found.baseline.tests["questions"].difference == -1


def test_a_judge_that_is_gone_is_reported_and_the_rest_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(self, exchanges, *, seed, tick):  # type: ignore[no-untyped-def]
        raise SourceError("nobody there")

    monkeypatch.setattr(Judge, "verdict", gone)
    lines: list[str] = []
    found = measure(judge=Judge(address="http://judge.example/v1", model="m"), talk=lines.append).findings
    assert found.verdict is None
    assert found.scores["perplexity"].value is not None
    assert lines == ["no verdict: nobody there"]
