"""The decision protocol, `POST /v1/systemone`: all questions about a text in one request, no text back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from nlpkit.generation.decision_questions import AnswerError, Question

MOST = 64
"""Questions of a request."""


@dataclass(frozen=True)
class SystemOne:
    """All questions of a text in one request, of the shape that `transformers serve` takes."""

    path: ClassVar[str] = "systemone"

    def bodies(self, model: str, text: str, questions: Sequence[Question]) -> list[dict[str, Any]]:
        """Return the requests that ask all questions about a text."""
        parts = [questions[start : start + MOST] for start in range(0, len(questions), MOST)]
        return [
            {
                "model": model,
                "state": text,
                "questions": {question.name: _asked(question) for question in part},
            }
            for part in parts
        ]

    def read(self, answers: Sequence[Any], questions: Sequence[Question]) -> list[list[float]]:
        """Return the probabilities of the options of each question.

        Raises:
            AnswerError: an answer holds something else.
        """
        given: dict[str, Any] = {}
        for answer in answers:
            part = answer.get("answers") if isinstance(answer, dict) else None
            if not isinstance(part, dict):
                raise AnswerError("the answer holds no `answers`")
            given |= part
        return [_probabilities(question, given.get(question.name)) for question in questions]


def _asked(question: Question) -> dict[str, Any]:
    fields: dict[str, Any] = {"type": question.kind, "instructions": question.instructions}
    descriptions = {option: question.descriptions.get(option) for option in question.options}
    if question.kind == "score":
        return {**fields, "criteria": [descriptions[level] or level for level in question.options]}
    if question.kind == "choice" or any(descriptions.values()):
        fields["criteria"] = descriptions
    return fields


def _probabilities(question: Question, answer: Any) -> list[float]:
    if not isinstance(answer, dict):
        raise AnswerError(f"the answer has none to the question {question.name!r}")
    if answer.get("type") != question.kind:
        kind = str(answer.get("type"))[:40]
        raise AnswerError(
            f"the answer to {question.name!r} has the type {kind!r}; expected {question.kind!r}"
        )
    if question.kind == "noul":
        yes = question.probability(answer.get("noul"))
        return [yes, 1 - yes]
    levels = tuple(str(level) for level in range(len(question.options)))
    return question.in_order(answer.get("probabilities"), levels if question.kind == "score" else None)
