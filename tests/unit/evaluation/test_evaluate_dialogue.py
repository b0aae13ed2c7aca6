from __future__ import annotations

import json
from pathlib import Path

import pytest

from nlpkit.data.examples import Conversation, Turn
from nlpkit.errors import RunError, SourceError
from nlpkit.evaluation import measure_dialogue as measuring
from nlpkit.evaluation.evaluate_dialogue import report_dialogue
from nlpkit.evaluation.instruments import Instruments
from nlpkit.evaluation.judge import Judge
from nlpkit.evaluation.measure_dialogue import measure_dialogue
from nlpkit.generation.language_model import LanguageModel
from nlpkit.reports.report import Report
from nlpkit.reports.sections import Texts
from nlpkit.run import Run
from tests.conftest import chats

TALKS = [
    Conversation(
        turns=tuple(Turn(role=message["role"], text=message["content"]) for message in row["messages"]),
        id=f"held-{number}",
    )
    for number, row in enumerate(chats(20, seed=9))
]


@pytest.fixture(autouse=True)
def no_instruments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        measuring,
        "load_instruments",
        lambda: Instruments(embed="not measured: a test", negative="not measured: a test"),
    )


@pytest.fixture(scope="module")
def run(chat_run: Path) -> Run:
    return Run.open(chat_run)


def test_the_report_lies_in_the_run_in_every_form(run: Run) -> None:
    own = run.report.read_text(), run.card.read_text()
    said: list[str] = []
    report = report_dialogue(
        run, TALKS, data="held/talks", items=8, generate=2, candidates=5, headline=False, talk=said.append
    )
    assert Report.from_json((run.evaluation / "held-talks.json").read_text()) == report
    assert "# toy on" in (run.evaluation / "held-talks.md").read_text()
    assert "<script" not in (run.evaluation / "held-talks.html").read_text()
    assert (run.report.read_text(), run.card.read_text()) == own
    assert said[-1].startswith("held/talks: Perplexity ")
    assert report.run == "toy"
    assert report.baselines[0].name
    assert report.curve
    assert report.config
    assert report.cost.trainable_parameters
    assert report.data_card.counts["train"] > 50
    (talks,) = (section for section in report.sections if isinstance(section, Texts))
    assert len(talks.examples) == 2


def test_training_has_taught_the_run_something_that_its_base_does_not_know(run: Run) -> None:
    report = report_dialogue(
        run, TALKS, data="held", items=20, generate=0, candidates=5, headline=False, talk=lambda line: None
    )
    test = report.baselines[0].tests["perplexity"]
    assert test.high < 0
    assert report.scores["perplexity"].value < report.baselines[0].scores["perplexity"].value / 2


def test_a_judge_that_is_gone_costs_only_its_verdict(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(self, exchanges, **_):  # type: ignore[no-untyped-def]
        raise SourceError("http://judge.example/v1: the judge cannot be reached")

    monkeypatch.setattr(Judge, "verdict", gone)
    said: list[str] = []
    judge = Judge(address="http://judge.example/v1", model="m")
    report = report_dialogue(
        run,
        TALKS,
        data="held",
        items=4,
        generate=1,
        candidates=5,
        judge=judge,
        headline=False,
        talk=said.append,
    )
    assert "judge" not in [section.id for section in report.sections]
    assert any("no verdict: http://judge.example/v1" in line for line in said)


def test_replies_that_fill_the_window_are_left_out_and_said(run: Run) -> None:
    long = Conversation(turns=(*TALKS[0].turns[:3], Turn(role="assistant", text="tea and " * 40)), id="long")
    report = report_dialogue(
        run,
        [*TALKS, long],
        data="held",
        items=90,
        generate=0,
        candidates=5,
        headline=False,
        talk=lambda line: None,
    )
    assert 1 in report.data_card.dropped.values()


def test_a_real_model_whose_attention_is_cut_off_gains_nothing_from_any_history(run: Run) -> None:
    import torch

    model = LanguageModel.load(run)
    whole = measure_dialogue(model, TALKS, seed=1, items=20, generate=0, candidates=5)
    assert all(gain.loss.low > 0 for gain in whole.findings.context.gains if gain.history != "shuffled")
    # Without what attention brings, a token depends on the one before it alone, and that is always the
    # template's.
    with torch.no_grad():
        for layer in model.model.model.layers:
            layer.self_attn.o_proj.weight.zero_()
    cut = measure_dialogue(model, TALKS, seed=1, items=20, generate=0, candidates=5)
    assert [
        (gain.loss.value, gain.loss.low, gain.loss.high, gain.hits.value)
        for gain in cut.findings.context.gains
    ] == [(0, 0, 0, 0)] * 3


def test_a_run_of_another_task_is_refused(toy_run: Path) -> None:
    with pytest.raises(RunError, match="expected a dialogue run"):
        report_dialogue(Run.open(toy_run), TALKS, data="held", talk=lambda line: None)


def test_s19_conversations_that_were_trained_on_are_counted(run: Run, chat_config: Path) -> None:
    rows = (chat_config.parent / "chats.jsonl").read_text().splitlines()
    talks = [
        Conversation(turns=tuple(Turn(role=message["role"], text=message["content"]) for message in messages))
        for messages in (json.loads(row)["messages"] for row in rows)
    ]
    strange = Conversation(
        turns=(Turn(role="user", text="think of tea"), Turn(role="assistant", text="never"))
    )
    report = report_dialogue(
        run, [strange, *talks], data="seen", items=4, generate=0, candidates=3, headline=False,
        talk=lambda line: None,
    )  # fmt: skip
    # Three of five were trained on, more by what the toy conversations have in common; one is like none
    assert report.overlap.of == 121
    assert 72 <= report.overlap.trained_on < 121
    assert f"toy was trained on {report.overlap.trained_on} of the 121 conversations" in report.warnings[0]
