import numpy as np
import pytest

from nlpkit.evaluation.distillation import DistillationReport, Side, gap_closed
from nlpkit.metrics.outcomes import LabelOutcomes
from nlpkit.metrics.score import PairedTest, Score
from nlpkit.reports.constant_answers import commonest_label


def side(role: str, accuracy: float) -> Side:
    score = Score(value=accuracy, low=accuracy - 0.02, high=accuracy + 0.02, count=872, percent=True)
    tests = (
        {}
        if role == "student"
        else {
            "accuracy": PairedTest(
                metric="accuracy",
                difference=-0.023,
                low=-0.04,
                high=0.001,
                p=0.041,
                count=872,
                resamples=1000,
            )
        }
    )
    return Side(
        role=role,
        run=f"runs/{role}",
        base="minilm-l6",
        weights=22_713_728,
        megabytes=90.9,
        scores={"accuracy": score, "macro_f1": score},
        tests=tests,
        texts_per_second=612.3,
    )


def test_the_gap_closed_is_a_share_of_what_lies_between() -> None:
    three = [side("teacher", 0.93), side("student", 0.91), side("plain", 0.88)]
    assert gap_closed(three) == pytest.approx(0.6)
    assert gap_closed(three[:2]) is None
    assert gap_closed([side("teacher", 0.88), *three[1:]]) is None


def test_the_table_says_what_it_rests_on() -> None:
    sides = (side("teacher", 0.93), side("student", 0.91))
    page = DistillationReport(
        data="validation",
        rows=872,
        chosen_here=True,
        threads=2,
        timed=200,
        rounds=5,
        sides=sides,
        gap_closed=0.6,
    ).to_markdown()
    shown = "93.0% (91.0% to 95.0%)"
    assert (
        f"| teacher | runs/teacher | minilm-l6 | {shown} | {shown} | -2.3 points (-4.0 to +0.1) | 0.041 "
        "| 22.7M | 91 | 612 |" in page
    )
    assert "chosen on these rows too" in page
    assert "closes 60% of the gap" in page
    assert "200 of the texts, 2 threads" in page


def test_s18_the_table_says_what_always_the_same_answer_gets() -> None:
    # 50 of 100 rows are positive; the student has 90 right
    truth = np.array([0, 1] * 50)
    right = np.arange(100) < 90
    probabilities = np.where((np.eye(2)[truth] == 1) == right[:, None], 0.9, 0.1)
    student = LabelOutcomes(labels=("negative", "positive"), truth=truth, probabilities=probabilities)
    known = {"data": "test", "rows": 100, "chosen_here": False, "threads": 1, "timed": 1, "rounds": 1}
    report = DistillationReport(
        **known,
        sides=(side("student", 0.9),),
        gap_closed=None,
        constant=commonest_label(student).baseline(student, seed=1),
    )
    assert "Always answering negative gets 50.0% (" in report.to_markdown()
    guesses = LabelOutcomes(labels=student.labels, truth=truth, probabilities=np.tile([0.6, 0.4], (100, 1)))
    constant = commonest_label(guesses).baseline(guesses, seed=1)
    assert "**Warning:** " in report.model_copy(update={"constant": constant}).to_markdown()
    assert DistillationReport.model_validate_json(report.model_dump_json()) == report
