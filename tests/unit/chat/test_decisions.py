"""`/v1/systemone`: a run's prediction as answers of the decision protocol, and requests that are refused."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import httpx2
import pytest

from nlpkit.chat.request_models import ServerLimits
from nlpkit.chat.server import create_app
from nlpkit.tasks.encoding import Encoded
from nlpkit.tasks.prediction import Prediction
from tests.fakes import FakeBot
from tests.served import live

ONE = Prediction(
    label="positive", score=0.5, probabilities={"negative": 0.1, "neutral": 0.3, "positive": 0.6}
)
SEVERAL = Prediction(labels=("joy",), probabilities={"joy": 0.9, "pride_in_work": 0.2})
NUMBER = Prediction(value=2.25, score=0.0)


class Reader:
    """Answers every text with one prediction, and keeps the texts."""

    name = "reader"

    def __init__(self) -> None:
        self.prediction = ONE
        self.texts: list[str] = []

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        self.texts += texts
        return [self.prediction for _ in texts]

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        return [Encoded(windows=[[1] * 5, [1] * 2], tokens=7, partial=False) for _ in texts]


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader()


@pytest.fixture(scope="module")
def url(reader: Reader) -> Iterator[str]:
    with live(create_app(FakeBot(), reader, limits=ServerLimits(characters=1000))) as address:
        yield f"{address}/v1/systemone"


def ask(url: str, question: dict[str, Any], *, name: str = "q", state: Any = "a text") -> Any:
    answered = httpx2.post(url, json={"state": state, "questions": {name: question}})
    assert answered.status_code == 200, answered.text
    return answered.json()["answers"][name]


def refused(url: str, body: Any) -> tuple[int, dict[str, Any]]:
    content = body if isinstance(body, str) else json.dumps(body)
    answered = httpx2.post(url, content=content, headers={"content-type": "application/json"})
    return answered.status_code, answered.json()["error"]


def test_a_choice_has_the_runs_probabilities(url: str, reader: Reader) -> None:
    reader.prediction = ONE
    answered = httpx2.post(
        url,
        json={
            "model": "reader",
            "state": "a text",
            "questions": {
                "tone": {
                    "type": "choice",
                    "instructions": "How does it sound?",
                    "criteria": {"Positive": "Likes it", "neutral": None, "negative": None},
                }
            },
        },
    ).json()
    assert list(answered) == ["model", "answers", "usage"]
    assert answered["usage"] == {"input_tokens": 7, "output_tokens": 0}
    tone = answered["answers"]["tone"]
    assert (tone["type"], tone["choice"]) == ("choice", "Positive")
    assert tone["probabilities"] == pytest.approx({"Positive": 0.6, "negative": 0.1, "neutral": 0.3})
    assert tone["confidence"] == pytest.approx(0.4)  # (0.6 - 1/3) / (2/3)


def test_options_that_are_some_of_the_labels_share_what_those_have(url: str, reader: Reader) -> None:
    reader.prediction = ONE
    answer = ask(url, {"type": "choice", "criteria": {"negative": None, "positive": None}})
    assert answer["probabilities"] == pytest.approx({"negative": 1 / 7, "positive": 6 / 7})
    only = ask(url, {"type": "choice", "criteria": {"neutral": None}})
    assert (only["confidence"], only["probabilities"]) == (1.0, {"neutral": 1.0})


def test_levels_that_are_labels_give_a_score(url: str, reader: Reader) -> None:
    reader.prediction = ONE
    answer = ask(url, {"type": "score", "criteria": ["negative", "neutral", "positive"]})
    assert answer["score"] == pytest.approx(0.3 + 2 * 0.6)
    assert answer["legend"] == {"0": "negative", "1": "neutral", "2": "positive"}
    assert answer["probabilities"] == pytest.approx({"0": 0.1, "1": 0.3, "2": 0.6})
    # The levels lie 0.3 + 2 * 0.1 from the likeliest; were all as likely, 2/3 from the middle
    assert answer["confidence"] == pytest.approx(1 - 0.5 / (2 / 3))


def test_yes_or_no_is_asked_by_the_label(url: str, reader: Reader) -> None:
    reader.prediction = ONE
    assert ask(url, {"type": "noul"}, name="positive") == {"type": "noul", "noul": 0.6}
    described = {"type": "noul", "criteria": {"true": "positive", "false": "negative"}}
    assert ask(url, described)["noul"] == pytest.approx(6 / 7)
    reader.prediction = SEVERAL
    assert ask(url, {"type": "noul"}, name="Pride in work")["noul"] == 0.2


def test_a_number_lies_between_levels(url: str, reader: Reader) -> None:
    reader.prediction = NUMBER
    answer = ask(url, {"type": "score", "criteria": ["1", "2", "3"]})
    assert answer["score"] == pytest.approx(1.25)  # level 1 is 2, level 2 is 3
    assert answer["probabilities"] == pytest.approx({"0": 0.0, "1": 0.75, "2": 0.25})
    assert ask(url, {"type": "score", "criteria": ["5", "6"]})["score"] == 0.0


@pytest.mark.parametrize("state", [{"review": "so good"}, [{"type": "text", "text": "so good"}], "so good"])
def test_a_state_is_one_text_however_it_is_written(url: str, reader: Reader, state: Any) -> None:
    reader.prediction = ONE
    ask(url, {"type": "noul"}, name="positive", state=state)
    assert reader.texts[-1] == "so good"


UNKNOWN = {
    "another label": (
        ONE,
        {"type": "choice", "criteria": {"spam": None, "positive": None}},
        "option 1 is no label",
    ),
    "labels twice": (
        ONE,
        {"type": "choice", "criteria": {"neutral": 0, "Neutral": 1}},
        "are the same label",
    ),
    "another question": (
        ONE,
        {"type": "noul", "instructions": "Is it spam?"},
        "expected one of negative, neutral",
    ),
    "one of several": (SEVERAL, {"type": "choice", "criteria": {"joy": None}}, "type 'noul' for each of joy"),
    "levels in words": (NUMBER, {"type": "score", "criteria": ["low", "high"]}, "rising numbers"),
    "falling levels": (NUMBER, {"type": "score", "criteria": ["2", "1"]}, "rising numbers"),
    "levels of another kind": (ONE, {"type": "score", "criteria": [1, {}]}, "is no label"),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_question_that_the_run_does_not_know_is_refused(url: str, reader: Reader, name: str) -> None:
    reader.prediction, question, reason = UNKNOWN[name]
    status, error = refused(url, {"state": "a text", "questions": {"q": question}})
    assert (status, error["code"]) == (422, "unknown_question")
    assert reason in error["message"]


QUESTION = {"q": {"type": "choice", "criteria": {"positive": None}}}


def asked(kind: str, criteria: Any) -> dict[str, Any]:
    return {"state": "a", "questions": {"q": {"type": kind, "criteria": criteria}}}


INVALID: dict[str, tuple[Any, str]] = {
    "no JSON": ("{", "not valid JSON"),
    "an array": ([], "the body is a list; expected a JSON object"),
    "null": (None, "the body is null; expected a JSON object"),
    "no state": ({"questions": QUESTION}, "state: Field required"),
    "no questions": ({"state": "a", "questions": {}}, "questions: "),
    "many questions": (
        {"state": "a", "questions": {str(n): QUESTION["q"] for n in range(65)}},
        "questions: ",
    ),
    "a kind that is none": ({"state": "a", "questions": {"q": {"type": "rank"}}}, "questions.q.type"),
    "no options": (asked("choice", {}), "questions.q"),
    "a list for a choice": (
        {"state": "a", "questions": {"q": {"type": "choice", "criteria": ["a"]}}},
        "questions.q",
    ),
    "an object for a score": (
        {"state": "a", "questions": {"q": {"type": "score", "criteria": {"a": 1}}}},
        "questions.q",
    ),
    "other words than true": (
        {"state": "a", "questions": {"q": {"type": "noul", "criteria": {"yes": 1}}}},
        "questions.q",
    ),
    "two texts": (
        {"state": {"a": "b", "c": "d"}, "questions": QUESTION},
        "state: a classifier reads one text",
    ),
    "a number": ({"state": 5, "questions": QUESTION}, "state: "),
    "an image": ({"state": "a", "questions": QUESTION, "assets": {"x": {}}}, "assets: "),
    "a long text": ({"state": "a" * 1001, "questions": QUESTION}, "state: 1,001 characters"),
    "a NUL": ({"state": "a\0b", "questions": QUESTION}, "state: "),
    "another field": ({"state": "a", "questions": QUESTION, "stream": True}, "stream: unknown field"),
}


@pytest.mark.parametrize("name", INVALID)
def test_a_request_that_is_invalid_names_the_field(url: str, name: str) -> None:
    body, reason = INVALID[name]
    status, error = refused(url, body)
    assert (status, error["type"]) == (400, "invalid_request_error")
    assert reason in error["message"]


def test_another_model_is_not_served_here(url: str) -> None:
    status, error = refused(url, {"state": "a", "questions": QUESTION, "model": "gpt"})
    assert (status, error["code"]) == (404, "model_not_found")
    assert httpx2.get(url).json()["error"]["code"] == "unknown_path"


def test_questions_in_other_words_are_read_where_the_server_has_a_reader(reader: Reader) -> None:
    read: list[dict[str, str]] = []

    def by_words(text: str, labels: Mapping[str, str]) -> list[float]:
        read.append(dict(labels))
        return [0.75, 0.25]

    with live(create_app(FakeBot(), reader, label_reader=by_words)) as address:
        url = f"{address}/v1/systemone"
        urgent = {"type": "choice", "criteria": {"urgent": "It can't wait.", "later": "It can."}}
        assert ask(url, urgent) == {
            "type": "choice",
            "choice": "urgent",
            "confidence": 0.5,
            "probabilities": {"urgent": 0.75, "later": 0.25},
        }
        assert ask(url, {"type": "score", "criteria": ["calm", "angry"]})["score"] == 0.25
        yes = {"type": "noul", "criteria": {"true": "Wants money back.", "false": "Doesn't."}}
        assert ask(url, yes) == {"type": "noul", "noul": 0.75}
        # The labels of the run stay with the run
        known = {"type": "choice", "criteria": {"positive": "", "negative": ""}}
        assert ask(url, known)["probabilities"]["positive"] == pytest.approx(0.6 / 0.7)
        assert read == [
            {"urgent": "It can't wait.", "later": "It can."},
            {"calm": "calm", "angry": "angry"},
            {"yes": "Wants money back.", "no": "Doesn't."},
        ]
        status, error = refused(url, {"state": "a text", "questions": {"q": {"type": "noul"}}})
        assert (status, error["code"]) == (422, "unknown_question")
