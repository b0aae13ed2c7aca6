"""A run that a server answers for: made, measured, resumed and refused."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

import nlpkit
from nlpkit.classifiers.classifier import Classifier
from nlpkit.errors import ConfigError, NlpkitError, RunError
from nlpkit.generation import decision_server as client
from nlpkit.generation.decision_server import DecisionError
from nlpkit.reports.keeping import place
from nlpkit.run import Run
from tests.conftest import sentences, train_toy, write_csv
from tests.decision_server import Asked, by_rule, decision_server


@pytest.fixture(autouse=True)
def quick() -> Iterator[None]:
    with patch.object(client, "PAUSE", 0.001):
        yield


@pytest.fixture
def server() -> Iterator[Asked]:
    with decision_server() as running:
        yield running


def make(folder: Path, server: Asked, **settings: Any) -> Path:
    """A run that the server answers for; `task` and `data` replace those of the config."""
    task = settings.pop("task", {"kind": "polarity", "labels": ["negative", "positive"]})
    data = settings.pop("data", {})
    engine = {"address": server.address, "model": "words", "retries": 1, "timeout": 5, **settings}
    config = {
        "recipe": "engine",
        "name": "server",
        "output": str(folder),
        "task": task,
        "engine": engine,
        "data": data,
    }
    return nlpkit.train(config).path


@pytest.mark.parametrize("settings", [{"protocol": "systemone"}, {"protocol": "openai"}])
def test_the_probabilities_are_the_servers_own(tmp_path: Path, server: Asked, settings: Any) -> None:
    run = make(tmp_path, server, **settings)
    good, bad = Classifier.load(run).predict(["a good film", "it was sad"])
    assert (good.label, bad.label) == ("positive", "negative")
    assert good.probabilities == pytest.approx({"negative": 0.1, "positive": 0.9})
    assert bad.probabilities == pytest.approx({"negative": 0.8, "positive": 0.2})
    assert {body["model"] for body in server.bodies} == {"words"}


def test_votes_stand_in_for_probabilities_that_a_server_does_not_list(tmp_path: Path, server: Asked) -> None:
    run = make(tmp_path, server, protocol="openai", votes=3)
    answer = Classifier.load(run).predict("a good film")[0]
    # Three votes, and a fourth that both labels share: 3.5 of 4
    assert answer.probabilities == pytest.approx({"negative": 0.125, "positive": 0.875})
    assert [body["seed"] for body in server.bodies] == [0, 1, 2]


def test_labels_of_which_several_apply_are_asked_one_by_one(tmp_path: Path, server: Asked) -> None:
    task = {"kind": "emotions", "labels": ["positive", "sad"]}
    run = make(tmp_path, server, task=task, question="Is the text {label}?")
    answer = Classifier.load(run).predict("a good film")[0]
    assert answer.labels == ("positive",)
    assert answer.probabilities == pytest.approx({"positive": 0.9, "sad": 0.1})
    asked = server.bodies[0]["questions"]
    assert asked["sad"] == {"type": "noul", "instructions": "Is the text sad?"}


def test_a_number_is_the_mean_of_levels(tmp_path: Path, server: Asked) -> None:
    task = {"kind": "intensity", "low": 1, "high": 5}
    run = make(tmp_path, server, task=task, levels=["bad", "fair", "great"])
    answer = Classifier.load(run).predict("a good film")[0]
    # 0.1 of level 0 and 0.9 of level 2 are 1.8 of 2: 0.9 of the way from 1 to 5
    assert answer.value == pytest.approx(4.6)


def test_an_intent_may_be_none_of_the_labels(tmp_path: Path, server: Asked) -> None:
    task = {"kind": "intents", "labels": ["positive", "sad"], "outside": "other", "learns_outside": True}

    def answer(body: dict[str, Any]) -> tuple[int, str]:
        shares = {"positive": 0.1, "sad": 0.2, "other": 0.7}
        return 200, json.dumps({"answers": {"label": {"type": "choice", "probabilities": shares}}})

    server.answer = answer
    found = Classifier.load(make(tmp_path, server, task=task)).predict("how far is the moon?")[0]
    assert found.label == "other"
    assert found.probabilities == pytest.approx({"positive": 0.1, "sad": 0.2, "other": 0.7})
    with pytest.raises(ConfigError, match="learns_outside"):
        make(tmp_path / "2", server, task={**task, "learns_outside": False})


def test_a_run_is_calibrated_and_measured_with_its_cost(tmp_path: Path, server: Asked) -> None:
    held_out = write_csv(tmp_path / "held-out.csv", sentences(40))
    run = make(tmp_path, server, data={"validation": str(held_out)}, input_price=2.0)
    # All texts of the rule are right at 0.9 or 0.8: the temperature that fits is below 1
    assert Run.open(run).read().task["temperature"] < 1
    asked = len(server.bodies)
    report = nlpkit.evaluate(run, held_out)
    assert report.scores["accuracy"].value == 1.0
    assert len(server.bodies) == asked == 40  # the answers are kept: nothing is paid for twice
    assert (report.cost.requests, report.cost.input_tokens) == (40, 400)
    assert report.cost.dollars == pytest.approx(400 * 2 / 1e6)
    assert report.cost.seconds_per_text is not None
    assert report.cost.texts_per_second is None
    page = place(Run.open(run), report.data, ".md").read_text(encoding="utf-8")
    assert "Requests to the server | 40" in page
    assert "| $0.0008 |" in page
    assert report.overlap is not None
    assert report.overlap.trained_on is None
    assert not (run / "README.md").exists()


def test_a_file_that_was_stopped_goes_on_where_the_server_failed(tmp_path: Path, server: Asked) -> None:
    run = make(tmp_path, server, concurrency=1)
    rows = write_csv(tmp_path / "rows.csv", sentences(6), header=("text", "truth"))
    texts = [text for text, _ in sentences(6)]

    def fails(body: dict[str, Any]) -> tuple[int, str]:
        return (500, "out of memory") if body["state"] == texts[3] else by_rule(body)

    server.answer = fails
    with pytest.raises(NlpkitError, match=r"rows\.csv, row 4: http.*answered 500: out of memory"):
        nlpkit.score_file(Classifier.load(run), rows, tmp_path / "out.csv")
    answered = {body["state"] for body in server.bodies} - {texts[3]}
    asked, server.answer = len(server.bodies), by_rule
    nlpkit.score_file(Classifier.load(run), rows, tmp_path / "out.csv")
    assert {body["state"] for body in server.bodies[asked:]} == set(texts) - answered
    assert len((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()) == 7


def whole(**fields: Any) -> str:
    return json.dumps({"answers": {"label": {"type": "choice", **fields}}})


BAD = {
    "probabilities that sum to more": (
        whole(probabilities={"negative": 0.7, "positive": 0.7}),
        "sum to 1.4; expected 1",
    ),
    "a missing option": (whole(probabilities={"negative": 1.0}), "has no probability of 'positive'"),
    "an unknown option": (
        whole(probabilities={"negative": 0.5, "positive": 0.5, "neutral": 0.0}),
        "a probability of 'neutral', no option of it",
    ),
    "words": (
        whole(probabilities={"negative": "0.5", "positive": "0.5"}),
        "holds '0.5'; expected a probability",
    ),
    "below zero": (
        whole(probabilities={"negative": -0.5, "positive": 1.5}),
        "holds '-0.5'; expected a probability",
    ),
    "not a number": (
        '{"answers": {"label": {"type": "choice", "probabilities": {"negative": NaN, "positive": 1}}}}',
        "holds 'nan'; expected a probability",
    ),
    "no probabilities": (whole(choice="positive"), "has no probabilities"),
    "another type": (
        json.dumps({"answers": {"label": {"type": "noul", "noul": 0.5}}}),
        "has the type 'noul'",
    ),
    "no answer": (json.dumps({"answers": {}}), "has none to the question 'label'"),
    "another shape": (json.dumps([1, 2]), "holds no `answers`"),
    "no JSON": ("yes!", "is not JSON: 'yes!'"),
    "a page": ("<!doctype html><p>Hello", "a web page"),
    "nested too deep": ("[" * 100_000, "is not JSON"),
}


@pytest.mark.parametrize("name", BAD)
def test_an_answer_that_is_none_is_refused_with_file_and_row(
    tmp_path: Path, server: Asked, name: str
) -> None:
    run = make(tmp_path, server)
    answer, reason = BAD[name]
    server.answer = lambda body: (200, answer) if "sad" in body["state"] else by_rule(body)
    rows = write_csv(tmp_path / "rows.csv", [("good film", "positive"), ("sad story", "negative")])
    with pytest.raises(DecisionError, match=r"rows\.csv, row 2: .*; hint: ") as refused:
        nlpkit.evaluate(run, rows)
    assert reason in str(refused.value)
    assert len(server.bodies) == 2  # the same request would get the same answer


def test_probabilities_of_two_digits_are_rounded_and_not_wrong(tmp_path: Path, server: Asked) -> None:
    server.answer = lambda body: (200, whole(probabilities={"negative": 0.33, "positive": 0.66}))
    answer = Classifier.load(make(tmp_path, server)).predict("x")[0]
    assert answer.probabilities == pytest.approx({"negative": 1 / 3, "positive": 2 / 3})
    server.answer = lambda body: (200, whole(probabilities={"negative": 0, "positive": 1}))
    sure = Classifier.load(tmp_path / "server").predict("y")[0]
    assert math.isfinite(sure.probabilities["negative"])
    assert sure.label == "positive"


def test_a_late_server_is_asked_again_and_then_named(tmp_path: Path, server: Asked) -> None:
    run = make(tmp_path, server, timeout=0.2)

    def late(body: dict[str, Any]) -> tuple[int, str]:
        time.sleep(0.5)
        return by_rule(body)

    server.answer = late
    with pytest.raises(DecisionError, match=r"no answer within 0\.2 s; hint: a longer engine\.timeout"):
        Classifier.load(run).predict("a good film")
    assert len(server.bodies) == 2
    server.answer = by_rule
    assert Classifier.load(run).predict("a good film")[0].label == "positive"


def test_a_busy_server_is_asked_again_with_the_key(
    tmp_path: Path, server: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NLPKIT_REMOTE_KEY", "secret-key-of-the-server")
    run = make(tmp_path, server)
    server.answer = lambda body: (503, "busy") if len(server.bodies) == 1 else by_rule(body)
    assert Classifier.load(run).predict("a good film")[0].label == "positive"
    assert server.keys == ["Bearer secret-key-of-the-server"] * 2
    server.answer = lambda body: (401, "no key secret-key-of-the-server")
    with pytest.raises(DecisionError, match="NLPKIT_REMOTE_KEY") as refused:
        Classifier.load(run).predict("another film")
    assert "secret-key" not in str(refused.value)


@pytest.mark.parametrize("answer", ["{}", '{"choices": [{"message": {"content": "A"}}]}'])
def test_a_chat_model_without_probabilities_is_refused_with_a_way_out(
    tmp_path: Path, server: Asked, answer: str
) -> None:
    run = make(tmp_path, server, protocol="openai")
    server.answer = lambda body: (200, answer)
    with pytest.raises(DecisionError, match=r"hint: engine\.votes=5"):
        Classifier.load(run).predict("a good film")


def test_a_server_has_no_model_to_export_or_to_run_elsewhere(tmp_path: Path, server: Asked) -> None:
    run = make(tmp_path, server)
    with pytest.raises(RunError, match="a server answers for it"):
        nlpkit.export(run, "merged", tmp_path / "export")
    with pytest.raises(ConfigError, match="--runtime torch: a server answers"):
        Classifier.load(run, runtime="torch")
    assert not server.bodies


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"descriptions": {"happy": "x"}}, "'happy' is no label of the task"),
        ({"levels": ["low", "high"]}, "the task answers with labels"),
        ({"address": "localhost:8000"}, "begin with http://"),
        ({"task": {"kind": "intensity", "low": 0, "high": 1}}, "at least two levels"),
        ({"task": {"kind": "intensity", "low": 0, "high": 1, "spread": True}}, "cannot answer the task"),
        ({"task": {"kind": "emotions", "labels": ["joy"]}, "question": "Joy?"}, "asks of no label"),
        ({"task": {"kind": "polarity"}}, "expected the labels"),
    ],
)
def test_settings_that_ask_nothing_are_refused_before_the_server_is_asked(
    tmp_path: Path, server: Asked, settings: Any, reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason):
        make(tmp_path, server, **settings)
    assert not server.bodies


def test_a_server_teaches_a_run_of_ones_own(tmp_path: Path, server: Asked, tiny_base: Path) -> None:
    teacher = make(tmp_path, server)
    unlabeled = write_csv(tmp_path / "texts.csv", sentences(60, seed=1))
    held_out = write_csv(tmp_path / "held-out.csv", sentences(20, seed=2))
    texts = "unlabelled"  # an old name
    config = tmp_path / "distill.yaml"
    config.write_text(
        f"recipe: distill\nname: own\nteacher: {teacher}\noutput: {tmp_path}\n"
        f"data: {{{texts}: {unlabeled}, validation: {held_out}, near_held_out: 1.0}}\n"
        f"base: {{source: {tiny_base}, dropout: 0.0}}\nlora: {{rank: 4, alpha: 8}}\n"
        "training: {epochs: 1, evaluations: 1}\n",
        encoding="utf-8",
    )
    own = train_toy(config)[0]
    comparison = json.loads((own / "distillation.json").read_text(encoding="utf-8"))
    sides = {side["role"]: side for side in comparison["sides"]}
    assert sides["teacher"]["scores"]["accuracy"]["value"] == 1.0
    assert "accuracy" in sides["teacher"]["tests"]  # the paired difference
    assert "| teacher | server | http" in (own / "distillation.md").read_text(encoding="utf-8")
    asked = {body["state"] for body in server.bodies}
    assert len(server.bodies) == len(asked)
    with pytest.raises(NlpkitError, match=r"distillation\.hidden_weight=0"):
        train_toy(config, "distillation.hidden_weight=1", "name=other")
