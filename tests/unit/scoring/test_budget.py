"""The budget of a model that has one: measured once, kept with the work, the same after a kill."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from nlpkit.errors import ConfigError, RunError
from nlpkit.scoring import job
from nlpkit.scoring.score import score_file


@pytest.fixture
def make_tunable(make_engine):
    class Tunable(make_engine):
        """Answers with the budget in the score, so that bytes show which one was used."""

        def __init__(self, *, fastest=2048, **options):
            super().__init__(**options)
            self.budget, self.fastest, self.tuned = 512, fastest, []

        def tune(self, texts):
            self.tuned.append(list(texts))
            self.budget = self.fastest
            return self.budget

        def predict(self, texts):
            return [replace(one, score=self.budget / 10_000) for one in super().predict(texts)]

    return Tunable


@pytest.fixture
def source(tmp_path, write, monkeypatch):
    monkeypatch.setattr(job, "WORTH_TUNING", 5)
    return write(tmp_path / "in.csv", [{"text": f"text {n}"} for n in range(23)])


def scores(read, path):
    return {float(row["score"]) for row in read(path)}


def test_it_is_measured_on_the_first_chunk_alone(tmp_path, make_tunable, source, read):
    engine = make_tunable()
    score_file(engine, source, tmp_path / "out.csv", chunk_rows=7)
    assert engine.tuned == [[f"text {n}" for n in range(7)]]
    assert scores(read, tmp_path / "out.csv") == {0.2048}


def test_a_scoring_that_goes_on_keeps_the_budget_it_began_with(tmp_path, make_tunable, source, read):
    score_file(make_tunable(fastest=1024), source, tmp_path / "whole.csv", chunk_rows=7)
    with pytest.raises(RuntimeError):
        score_file(make_tunable(fastest=1024, break_at=2), source, tmp_path / "out.csv", chunk_rows=7)
    assert json.loads((tmp_path / "out.csv.nlpkit" / "state.json").read_text())["budget"] == 1024
    engine = make_tunable(fastest=4096)  # the machine is another now
    assert score_file(engine, source, tmp_path / "out.csv", chunk_rows=7).resumed_from == 14
    assert engine.tuned == []
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_few_texts_are_not_worth_a_measurement(tmp_path, make_tunable, write, read, source):
    engine = make_tunable()
    score_file(engine, write(tmp_path / "few.csv", [{"text": "a"}, {"text": "b"}]), tmp_path / "out.csv")
    assert engine.tuned == []
    assert scores(read, tmp_path / "out.csv") == {0.0512}


def test_a_budget_that_is_said_is_not_measured(tmp_path, make_tunable, source, read):
    engine = make_tunable(break_at=1)
    with pytest.raises(RuntimeError):
        score_file(engine, source, tmp_path / "out.csv", chunk_rows=7, budget=300)
    with pytest.raises(RunError, match="7 rows are done with a budget of 300, but 400 is asked for"):
        score_file(make_tunable(), source, tmp_path / "out.csv", chunk_rows=7, budget=400)
    engine = make_tunable()
    assert score_file(engine, source, tmp_path / "out.csv", chunk_rows=7).resumed_from == 7
    assert engine.tuned == []
    assert scores(read, tmp_path / "out.csv") == {0.03}


def test_a_model_without_one_refuses_it(tmp_path, engine, source):
    with pytest.raises(ConfigError, match="a budget of 300 is asked for"):
        score_file(engine, source, tmp_path / "out.csv", budget=300)
