from __future__ import annotations

import math

import numpy as np
import pytest

from nlpkit.errors import ConfigError, DataError
from nlpkit.evaluation.evaluate_dialogue import measure_dialogue
from nlpkit.evaluation.instruments import Instruments
from nlpkit.evaluation.items import Reach
from nlpkit.evaluation.judge import Judge
from nlpkit.metrics.score import Score
from nlpkit.reports.dialogue_report import DialogueReport, Exchange, Verdict
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


@pytest.fixture(scope="module")
def report() -> DialogueReport:
    return measure_dialogue(
        Copier(),
        conversations(40),
        data="talks",
        seed=5,
        items=60,
        generate=20,
        rival=Unigram(),
        instruments=TOOLS,
    )


def test_the_scores_stand_in_their_order_for_both(report: DialogueReport) -> None:
    assert list(report.scores) == ORDER
    assert report.rival is not None
    assert list(report.rival.scores) == ORDER
    assert set(report.rival.tests) == set(ORDER)
    assert (report.run, report.rival.name, report.candidates, report.replies, report.conversations) == (
        "copier",
        "unigram",
        20,
        60,
        40,
    )


def test_the_perplexities_are_those_worked_out_by_hand(report: DialogueReport) -> None:
    # thing: copied, at4x3: in the last turn, at4x4: new, the end
    assert report.scores["perplexity"].value == pytest.approx(math.exp(-math.log(0.9 * 0.9 * 0.01 * 0.5) / 4))
    assert report.scores["perplexity"].count == 60
    # the longer the numbers of things, the longer the words
    low, high = ((1 / size[0] / size[1] / size[1] / 2) ** (-1 / 4) for size in ((7, 6), (8, 7)))
    assert low < report.rival.scores["perplexity"].value < high


def test_the_copier_finds_the_true_reply_and_the_unigram_does_not(report: DialogueReport) -> None:
    assert report.scores["hits@1"].value == 1
    assert report.scores["hits@1"].low > 0.9
    assert report.scores["mrr"].value == 1
    assert report.scores["pmi_hits@1"].value == report.scores["pmi_mrr"].value == 1
    assert report.rival.scores["pmi_hits@1"].value == 0  # it ignores the history: ties
    assert report.rival.scores["hits@1"].value < 0.3
    test = report.rival.tests["hits@1"]
    assert test.low > 0.5
    assert test.p < 0.01
    assert {gain.loss.value for gain in report.rival.context.gains} == {0}
    assert all(gain.loss.low > 0 for gain in report.context.gains)


def test_the_replies_are_measured_for_both(report: DialogueReport) -> None:
    assert report.rival.scores["hostile"].value == 1
    assert report.scores["hostile"].value == 0
    assert report.rival.scores["repeated_replies"].value == 1
    assert report.rival.scores["words"].value == 5
    # 20 equal replies of five words
    assert report.rival.scores["distinct-1"].value == pytest.approx(5 / 100)
    assert report.scores["words"].value == 3
    # the last turn and the reply: thing1 at1x3 at1x4 / thing1 at1x4 at1x5
    assert report.scores["token_f1"].value == pytest.approx(2 / 3)
    assert report.rival.tests["words"].difference == -2


def test_the_exchanges_show_what_was_said(report: DialogueReport) -> None:
    assert len(report.exchanges) == 20
    one = report.exchanges[0]
    assert one.history[-1] == ("user", one.reply)
    assert one.rival == "I see what you mean"
    assert one.where.startswith("talks.jsonl, row ")
    assert one.truth.split()[0] == one.reply.split()[0]


def test_the_report_goes_to_json_and_back(report: DialogueReport) -> None:
    assert DialogueReport.from_json(report.to_json()) == report


def test_the_same_seed_gives_the_same_report(report: DialogueReport) -> None:
    again = measure_dialogue(
        Copier(),
        conversations(40),
        data="talks",
        seed=5,
        items=60,
        generate=20,
        rival=Unigram(),
        instruments=TOOLS,
    )
    assert again.model_dump(exclude={"created"}) == report.model_dump(exclude={"created"})


def test_without_replies_only_what_was_said_is_measured() -> None:
    found = measure_dialogue(Copier(), conversations(10), data="talks", seed=5, items=10, generate=0)
    assert list(found.scores) == ORDER[:6]
    assert found.exchanges == ()
    assert found.rival is None


def test_an_instrument_that_cannot_be_had_says_why() -> None:
    tools = Instruments(embed="not measured: no network", negative=TOOLS.negative)
    found = measure_dialogue(
        Copier(),
        conversations(10),
        data="talks",
        seed=5,
        items=10,
        generate=5,
        rival=Unigram(),
        instruments=tools,
    )
    assert list(found.scores) == ORDER
    assert (found.scores["bertscore"].value, found.scores["bertscore"].undefined) == (
        None,
        "not measured: no network",
    )
    assert found.rival.scores["bertscore"].value is None
    assert found.scores["hostile"].value == 0


def test_one_conversation_has_no_other_replies_to_choose_from() -> None:
    found = measure_dialogue(
        Copier(), conversations(1), data="talks", seed=5, items=10, generate=2, instruments=TOOLS
    )
    assert found.scores["perplexity"].value > 1
    assert (
        found.scores["hits@1"].undefined
        == found.scores["mrr"].undefined
        == "other conversations hold no other reply"
    )
    assert found.candidates == 1


def test_progress_comes_to_its_end() -> None:
    told: list[tuple[int, int]] = []
    measure_dialogue(
        Copier(),
        conversations(10),
        data="talks",
        seed=5,
        items=10,
        generate=5,
        rival=Unigram(),
        instruments=TOOLS,
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(done, 30) for done in range(1, 31)]


def test_what_does_not_fit_is_counted() -> None:
    found = measure_dialogue(
        Copier(),
        conversations(10),
        data="talks",
        seed=5,
        items=10,
        generate=0,
        reach=Reach(fits=lambda history, reply: "thing3" not in reply),
    )
    assert sum(found.data_card.dropped.values()) >= 1


def test_the_judge_reads_the_replies_of_both(monkeypatch: pytest.MonkeyPatch) -> None:
    def verdict(self, exchanges: list[Exchange], *, seed, tick):  # type: ignore[no-untyped-def]
        assert {one.rival for one in exchanges} == {"I see what you mean"}
        return Verdict(
            judge=self.name,
            wins=len(exchanges),
            losses=0,
            ties=0,
            rate=Score(value=1.0, count=len(exchanges)),
        )

    monkeypatch.setattr(Judge, "verdict", verdict)
    judge = Judge(address="http://judge.example/v1", model="m")
    found = measure_dialogue(
        Copier(),
        conversations(10),
        data="talks",
        seed=5,
        items=10,
        generate=5,
        rival=Unigram(),
        instruments=TOOLS,
        judge=judge,
    )
    assert found.verdict.wins == 5
    with pytest.raises(ConfigError, match="expected a rival"):
        measure_dialogue(Copier(), conversations(10), data="talks", seed=5, judge=judge)


def test_senseless_numbers_and_nothing_to_measure_are_errors() -> None:
    with pytest.raises(ConfigError, match="items: 0"):
        measure_dialogue(Copier(), conversations(10), data="talks", seed=5, items=0)
    with pytest.raises(ConfigError, match="candidates: 1"):
        measure_dialogue(Copier(), conversations(10), data="talks", seed=5, candidates=1)
    with pytest.raises(DataError, match="0 conversations"):
        measure_dialogue(Copier(), [], data="talks", seed=5)
