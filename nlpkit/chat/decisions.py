"""Answers of the decision protocol from a run's prediction: choice, score, and `noul`, which is yes or no."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from nlpkit.chat.protocol import DecisionText
from nlpkit.chat.request_models import DecisionQuestion
from nlpkit.chat.serialization import ApiError
from nlpkit.errors import NlpkitError
from nlpkit.tasks.prediction import Prediction

if TYPE_CHECKING:
    from nlpkit.tasks.encoding import Encoded


class DecidingClassifier(Protocol):
    """Predicts texts, and tells how it reads them; Classifier is one."""

    name: str

    def predict(self, texts: Sequence[str]) -> list[Prediction]: ...
    def encode(self, texts: Sequence[str]) -> list[Encoded]: ...


LabelReader: TypeAlias = Callable[[str, Mapping[str, str]], Sequence[float]]
"""Returns the probability of each label for a text, from what the labels mean in words."""


def decide(
    classifier: DecidingClassifier, asked: DecisionText, reader: LabelReader | None = None
) -> dict[str, Any]:
    """Return the answers to all questions about a text, as `transformers serve` shapes them.

    Args:
        classifier: answers the questions whose options are its labels.
        asked: the text and the questions.
        reader: answers the others, by what their options mean in words; None refuses them.

    Raises:
        ApiError: a question cannot be answered.
    """
    (prediction,), (encoded,) = classifier.predict([asked.text]), classifier.encode([asked.text])
    read = None if reader is None else partial(reader, asked.text)
    return {
        "model": classifier.name,
        "answers": {
            name: _answer(name, question, prediction, read) for name, question in asked.questions.items()
        },
        "usage": {"input_tokens": sum(map(len, encoded.windows)), "output_tokens": 0},
    }


def _answer(
    name: str,
    question: DecisionQuestion,
    prediction: Prediction,
    read: Callable[[Mapping[str, str]], Sequence[float]] | None,
) -> dict[str, Any]:
    where = f"questions.{name[:60]}"
    try:
        shares = _known_shares(name, question, prediction, where)
    except ApiError:
        words = _in_words(question)
        if read is None or len(words) < 2:
            raise
        try:
            shares = list(read(words))
        except NlpkitError as error:
            raise _unknown(where, str(error)) from error
    if question.type == "noul":
        return {"type": "noul", "noul": float(shares[0])}
    return _choice(question, shares) if question.type == "choice" else _score(question, shares)


def _in_words(question: DecisionQuestion) -> dict[str, str]:
    """Return what each option means in words; empty where that is not said."""
    criteria = question.criteria or {}
    if question.type == "noul":
        meanings = criteria if isinstance(criteria, dict) else {}
        yes, no = meanings.get("true"), meanings.get("false")
        return {"yes": yes, "no": no} if isinstance(yes, str) and isinstance(no, str) else {}
    if isinstance(criteria, dict):
        return {option: text if isinstance(text, str) else option for option, text in criteria.items()}
    return {str(level): str(level) for level in criteria}


def _known_shares(name: str, question: DecisionQuestion, prediction: Prediction, where: str) -> list[float]:
    """Return the probability of each option, all of which are labels of the run; of `noul` that of yes."""
    if question.type == "noul":
        return [_yes(name, question, prediction, where)]
    if prediction.labels is not None:
        raise _unknown(
            where,
            "the model gives several labels a text; expected a question of type 'noul' for each of "
            f"{_listed(prediction.probabilities)}, with the label as its name",
        )
    options = list(question.criteria or ())
    names = [option if isinstance(option, str) else "" for option in options]
    if question.type == "score" and not prediction.probabilities:
        return _around(prediction.value, names, where)
    return list(_shares(names, prediction, where).values())


def _choice(question: DecisionQuestion, shares: Sequence[float]) -> dict[str, Any]:
    """Return the likeliest option, and how far it is above chance."""
    by_option = dict(zip(question.criteria or (), map(float, shares), strict=True))
    best = max(by_option, key=by_option.__getitem__)
    confidence = _above(by_option[best], 1 / len(by_option))
    return {"type": "choice", "choice": best, "confidence": confidence, "probabilities": by_option}


def _score(question: DecisionQuestion, probabilities: Sequence[float]) -> dict[str, Any]:
    """Return the mean level, and how much more the levels agree than if all were as likely."""
    levels, shares = list(question.criteria or ()), list(map(float, probabilities))
    best = max(range(len(shares)), key=shares.__getitem__)
    distance = sum(share * abs(level - best) for level, share in enumerate(shares))
    uniform = sum(abs(level - (len(shares) - 1) / 2) for level in range(len(shares))) / len(shares)
    numbers = [str(level) for level in range(len(shares))]
    return {
        "type": "score",
        "score": sum(level * share for level, share in enumerate(shares)),
        "legend": dict(zip(numbers, levels, strict=True)),
        "confidence": max(0.0, 1 - distance / uniform) if uniform else 1.0,
        "probabilities": dict(zip(numbers, shares, strict=True)),
    }


def _yes(name: str, question: DecisionQuestion, prediction: Prediction, where: str) -> float:
    """Return the probability of the label that a yes/no question is named after, or describes as true."""
    criteria = question.criteria if isinstance(question.criteria, dict) else {}
    yes, no = (criteria.get(answer) for answer in ("true", "false"))
    labels = _labels(prediction)
    for text in (name, yes):
        if isinstance(text, str) and _plain(text) in labels:
            label = _plain(text)
            break
    else:
        raise _unknown(
            where,
            f"the model knows no such label; expected one of {_listed(prediction.probabilities)} as the name "
            "of the question, or as its criteria.true",
        )
    if prediction.labels is None and isinstance(no, str) and (opposite := labels.get(_plain(no))) is not None:
        return labels[label] / ((labels[label] + opposite) or 1.0)  # of these two
    return labels[label]


def _shares(options: Sequence[str], prediction: Prediction, where: str) -> dict[str, float]:
    """Return the probability of each option among the options, which are all labels of the run."""
    labels = _labels(prediction)
    for number, option in enumerate(options):
        if _plain(option) not in labels:
            raise _unknown(
                f"{where}.criteria",
                f"option {number + 1} is no label of the model; expected {_listed(labels)}",
            )
    if len({_plain(option) for option in options}) < len(options):
        raise _unknown(f"{where}.criteria", "two options are the same label")
    shares = {option: labels[_plain(option)] for option in options}
    total = sum(shares.values())
    # Labels so unlikely that nothing is left of them are equally likely
    return {option: share / total if total else 1 / len(shares) for option, share in shares.items()}


def _around(value: float | None, levels: Sequence[str], where: str) -> list[float]:
    """Return shares of the two levels next to a number, whose mean is the number."""
    try:
        numbers = [float(level) for level in levels]
    except ValueError:
        numbers = []
    if value is None or not numbers or not all(low < high for low, high in itertools.pairwise(numbers)):
        raise _unknown(
            f"{where}.criteria", "the model answers with a number; expected rising numbers as levels"
        )
    value = min(max(value, numbers[0]), numbers[-1])
    above = next(at for at, number in enumerate(numbers) if number >= value)
    shares = [0.0] * len(numbers)
    if above:
        step = numbers[above] - numbers[above - 1]
        shares[above - 1] = (numbers[above] - value) / step
    shares[above] = 1 - sum(shares)
    return shares


def _labels(prediction: Prediction) -> dict[str, float]:
    return {_plain(label): share for label, share in prediction.probabilities.items()}


def _plain(label: str) -> str:
    """Return a label without what clients spell differently: case, and `_` or `-` for a space."""
    return " ".join(label.casefold().replace("_", " ").replace("-", " ").split())


def _above(share: float, chance: float) -> float:
    """Return by how much a probability is above chance: 0 is chance, 1 is certain."""
    return 1.0 if chance == 1 else max(0.0, (share - chance) / (1 - chance))


def _listed(labels: Mapping[str, float]) -> str:
    names = list(labels)
    return ", ".join(names[:30]) + (f" and {len(names) - 30} more" if len(names) > 30 else "")


def _unknown(where: str, reason: str) -> ApiError:
    return ApiError(422, f"{where}: {reason}", param=where, code="unknown_question")
