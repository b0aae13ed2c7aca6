from __future__ import annotations

import csv
import math
from dataclasses import asdict, replace

import pytest

from benchmarks.machine import Machine, run_child
from benchmarks.results import save, table
from benchmarks.scoring import agreement, page, ratio
from benchmarks.scoring_turns import PIPELINE, Bench, Turn
from benchmarks.texts import read_column, write_texts
from nlpkit.errors import NlpkitError

NLPKIT = "nlpkit score, onnx"


def turn(method: str, number: int, seconds: float, cpu: float) -> Turn:
    return Turn(
        method=method, threads=1, round=number, seconds=seconds, texts_per_second=100 / seconds,
        process_seconds=seconds + 5, cpu_seconds=cpu, peak_mb=500.0,
    )  # fmt: skip


TURNS = [
    turn(NLPKIT, 0, 10.0, 11.0), turn(PIPELINE, 0, 20.0, 22.0),
    turn(NLPKIT, 1, 20.0, 10.0), turn(PIPELINE, 1, 60.0, 30.0),
    turn(NLPKIT, 2, 10.0, 10.0), turn(PIPELINE, 2, 24.0, 25.0),
]  # fmt: skip


def test_ratio_is_the_median_of_neighbouring_turns():
    # 2.0, 3.0 and 2.4: the second round was disturbed, in both
    found = ratio(TURNS, NLPKIT, PIPELINE, 1)
    assert (found.median, found.low, found.high) == (2.4, 2.0, 3.0)
    assert found.cpu == 2.5


@pytest.fixture
def scored(tmp_path) -> Bench:
    bench = Bench(
        run=None,
        folder=tmp_path,
        truth=("negative", "positive", "negative"),
        labels=("negative", "positive"),
        temperature=2.0,
        gflop=1.5,
        methods=(NLPKIT, PIPELINE),
    )
    rows = [("a", "negative", 0.75, 0.25), ("b", "positive", 0.4, 0.6), ("c", "positive", 0.5, 0.5)]
    with bench.scored(NLPKIT).open("w", newline="") as file:
        csv.writer(file).writerows([("text", "label", "p_negative", "p_positive"), *rows])
    # divided by the temperature: log 3 apart, so 0.75 to 0.25; then 0.5 to 0.5; then 0.25 to 0.75
    logits = [(2 * math.log(3), 0.0), (1.0, 1.0), (0.0, 2 * math.log(3))]
    with bench.scored(PIPELINE).open("w", newline="") as file:
        csv.writer(file).writerows([("negative", "positive"), *logits])
    return bench


def test_agreement_compares_calibrated_probabilities(scored):
    found = agreement(scored, NLPKIT)
    assert found.texts == 3
    # the second is a tie, which goes to the first label
    assert found.different_labels == 1
    assert found.share == pytest.approx(1 / 3)
    assert found.largest_difference == pytest.approx(0.25)
    assert (found.accuracy, found.pipeline_accuracy) == (pytest.approx(2 / 3), pytest.approx(1 / 3))
    unknown = agreement(replace(scored, truth=("negative", "neutral", "positive")), NLPKIT)
    assert (unknown.accuracy, unknown.pipeline_accuracy) == (None, None)


def test_page_names_ratio_and_disagreements_and_the_share_of_the_limit(scored):
    text = "\n".join(
        page(scored, TURNS, [ratio(TURNS, NLPKIT, PIPELINE, 1)], [agreement(scored, NLPKIT)], {1: 20.0})
    )
    assert f"{NLPKIT}: **2.40 times** {PIPELINE} (2.00 to 3.00 over rounds), 2.50 by CPU seconds" in text
    assert "1 of 3 labels differ from the pipeline's (33.33%)" in text
    assert "right on 66.67%, the pipeline on 33.33%." in text
    # a median of 10 texts a second of 0.5 GFLOP each, of 20
    assert f"| {NLPKIT} | 1 | 10.0 | 10.0 | 15.0 | 10.0 | 500 | 25% |" in text


def test_bars_are_drawn_of_what_is_kept(scored, tmp_path):
    from benchmarks.plots import DRAWN, draw

    found = {"texts": 100, "corpus": "short", "turns": [asdict(one) for one in TURNS]}
    assert DRAWN["scoring"](found)[1] == [(NLPKIT, 10.0, True), (PIPELINE, pytest.approx(100 / 24), False)]
    save(tmp_path, "scoring", found, title="T", machine=Machine(), lines=[])
    assert draw(tmp_path, "scoring").read_bytes().startswith(b"\x89PNG")


def test_texts_come_back_as_they_were(tmp_path):
    texts = ['with "quotes", commas', "two\nlines", "plain", "lone\rreturn", " spaces "]
    write_texts(tmp_path / "texts.csv", texts)
    assert read_column(tmp_path / "texts.csv") == texts


def test_a_child_is_measured(tmp_path):
    child = run_child(
        [
            "-c",
            "import os; print(os.environ['OMP_NUM_THREADS']); held = bytes(150_000_000); print(len(held))",
        ],
        threads=3,
    )
    assert child.output == "3\n150000000\n"
    assert child.peak_mb > 5
    assert child.seconds > 0


def test_a_child_that_fails_is_an_error():
    with pytest.raises(NlpkitError, match="ended with 7"):
        run_child(["-c", "raise SystemExit(7)"], threads=1)


@pytest.mark.parametrize(("load", "busy"), [(0.2, False), (1.0, False), (1.1, True)])
def test_a_busy_machine_is_named(load, busy):
    machine = Machine(processor="one", cores=2, load=load)
    assert bool(machine.warning) is busy
    assert any("Warning" in line for line in machine.lines(timed=True)) is busy
    assert not any("Warning" in line for line in machine.lines(timed=False))


def test_results_are_written_twice(tmp_path):
    import json

    text = save(
        tmp_path, "x", {"value": 3}, title="T", machine=Machine(), lines=table(("a", "b"), [("c", 1)])
    )
    found = json.loads((tmp_path / "x.json").read_text())
    assert (found["benchmark"], found["value"]) == ("x", 3)
    assert found["machine"]["cores"] >= 1
    assert (tmp_path / "x.md").read_text() == text
    assert text.splitlines()[-3:] == ["| a | b |", "| --- | ---: |", "| c | 1 |"]
