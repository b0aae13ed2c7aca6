"""A server in place of a model: what it is asked about each text, and how its answers become outputs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from nlpkit.errors import ConfigError
from nlpkit.generation.addresses import split_address
from nlpkit.generation.decision_questions import YES_NO, Question
from nlpkit.generation.decision_server import DecisionProtocol
from nlpkit.settings import Settings
from nlpkit.tasks.task import TextTask

LABEL = "{label}"
"""Stands for the label in a yes/no question."""

SURE = 1e-6
"""Probabilities are kept so far from 0 and 1: a rounded 0 is no certainty."""


def _address(address: str) -> str:
    try:
        address, named = split_address(address)
    except ConfigError as error:
        raise ValueError(str(error)) from None
    if named:
        raise ValueError(f"expected the model {named!r} in `model` and not in the address")
    if "@" in urlsplit(address).netloc:  # a run may be published
        raise ValueError("expected an address without a password; hint: set NLPKIT_REMOTE_KEY")
    return address


def _levels(value: object) -> object:
    return tuple(str(level) for level in value) if isinstance(value, (list, tuple)) else value


class Engine(Settings):
    """A server that answers questions. Its API key is read from NLPKIT_REMOTE_KEY."""

    address: Annotated[str, AfterValidator(_address)]
    """Up to and with `/v1`: `/systemone` or `/chat/completions` is added."""
    model: str
    """The model's name on the server."""
    protocol: DecisionProtocol = "systemone"
    """`systemone`: a decision model, such as of `transformers serve`; `openai`: any chat model."""
    question: str = ""
    """What is asked about a text; of labels of which several may apply, `{label}` stands for the label."""
    descriptions: Mapping[str, str] = {}
    """What labels mean, as far as their names do not say it."""
    levels: Annotated[tuple[str, ...], BeforeValidator(_levels)] = ()
    """For a task whose answer is a number: levels in words, evenly spaced from the lowest to the highest."""
    votes: Annotated[int, Field(ge=0, le=100)] = 0
    """Ask a chat model that lists no probabilities so often, and take the shares of its answers."""
    characters: Annotated[int, Field(ge=100)] = 8000
    """Characters of a text that are sent at once; a longer one is read in windows."""
    timeout: Annotated[float, Field(gt=0)] = 30.0
    """Seconds for an answer."""
    retries: Annotated[int, Field(ge=0)] = 4
    """How often a request is repeated where the server is late, busy or away."""
    concurrency: Annotated[int, Field(ge=1, le=256)] = 4
    """Requests at a time."""
    input_price: Annotated[float, Field(ge=0)] | None = None
    """Dollars for a million input tokens, for the report."""
    output_price: Annotated[float, Field(ge=0)] = 0.0
    """Dollars for a million output tokens."""

    def dollars(self, input_tokens: int, output_tokens: int) -> float | None:
        """Return what tokens cost; None without a price."""
        if self.input_price is None:
            return None
        return (input_tokens * self.input_price + output_tokens * self.output_price) / 1e6


def questions_for(task: TextTask, engine: Engine) -> tuple[Question, ...]:
    """Return what a server is asked about each text, so that the answers are those of the task.

    Raises:
        ConfigError: the task's answers are none of the protocol's, or the settings do not fit them.
    """
    head = task.head
    if unknown := [name for name in engine.descriptions if name not in head.names]:
        raise ConfigError(
            f"engine.descriptions: {unknown[0]!r} is no label of the task; expected {', '.join(head.names)}"
        )
    is_spread = head.problem == "regression" and head.outputs > 1
    if head.level != "text" or is_spread or task.reads_aspects:
        raise ConfigError(
            f"engine: a server cannot answer the task {task.kind!r} with these settings; expected labels of "
            "a text, or one number; hint: task.kind: polarity"
        )
    if head.problem == "regression":
        if len(engine.levels) < 2:
            raise ConfigError("engine.levels: expected at least two levels in words, the lowest first")
        asked = engine.question or "How high is the value that the text stands for?"
        return (Question(name="value", kind="score", instructions=asked, options=engine.levels),)
    if engine.levels:
        raise ConfigError("engine.levels: the task answers with labels; hint: leave it out")
    if head.problem == "single_label_classification":
        asked = engine.question or "Which label fits the text best?"
        return (
            Question(
                name="label",
                kind="choice",
                instructions=asked,
                options=head.names,
                descriptions=engine.descriptions,
            ),
        )
    asked = engine.question or f"Does the label {LABEL!r} apply to the text?"
    if LABEL not in asked:
        raise ConfigError(f"engine.question: {asked!r} asks of no label; expected {LABEL} in it")
    return tuple(
        Question(
            name=label,
            kind="noul",
            instructions=asked.replace(LABEL, label),
            options=YES_NO,
            descriptions={"true": meaning} if (meaning := engine.descriptions.get(label)) else {},
        )
        for label in head.names
    )


def outputs_of(questions: tuple[Question, ...], probabilities: list[list[float]]) -> list[float]:
    """Return the outputs of a head that would answer so: logarithms of probabilities, log odds, or a number
    in [-1, 1].
    """
    first = questions[0].kind
    if first == "choice":
        return [math.log(max(value, SURE)) for value in probabilities[0]]
    if first == "score":
        highest = len(questions[0].options) - 1
        mean = sum(level * value for level, value in enumerate(probabilities[0]))
        return [2 * mean / highest - 1]
    yes = [min(max(values[0], SURE), 1 - SURE) for values in probabilities]
    return [math.log(value / (1 - value)) for value in yes]
