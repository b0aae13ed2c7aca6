"""What the model card says of each family of answers: what its runs do, and the lines that use them without
nlpkit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nlpkit.metrics.score import Score
from nlpkit.reports.constant_answers import ConstantAnswer
from nlpkit.reports.parts import Baseline
from nlpkit.reports.sections import Section


@dataclass(frozen=True, kw_only=True)
class Usage:
    """How runs of a family of answers are used."""

    template: str
    """A template with a part `intro` and a part `lines`, which gets the run's record."""
    pipeline_tag: str
    """The hub's name of the task."""
    tags: tuple[str, ...]
    limits: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class FamilyReport:
    """What the reports of a family of answers show besides scores."""

    sections: tuple[Callable[[Any, Any], Section | None], ...]
    """(outcomes, rows) -> a section, in the order in which they are shown."""
    summary: Callable[[dict[str, Score], tuple[Baseline, ...]], tuple[str, ...]]
    """The answer in plain sentences."""
    headline: str
    """The name of the score on top of the page; the others stand in a table."""
    usage: Usage
    constant: Callable[[Any], ConstantAnswer]
    """The best answer that is the same for every text: a baseline of every run."""
    limits: Callable[[Any], tuple[str, ...]] = lambda outcomes: ()
    """What the outcomes warn of, for the model card."""


_KNOWN = (
    "It knows the language and the kind of {what} that it was trained on. On others, measure first: "
    "`nlpkit evaluate . {file}`."
)
_PREJUDICE = (
    "Models of sentiment repeat what people wrote, prejudice about groups of people included. "
    "Do not let it decide about a person."
)

LABEL_USAGE = Usage(
    template="usage_label.md.jinja",
    pipeline_tag="text-classification",
    tags=("sentiment",),
    limits=(
        _KNOWN.format(what="text", file="your.csv"),
        "Its probabilities are calibrated on held-out texts like those it was trained on; elsewhere they "
        "may promise too much.",
        _PREJUDICE,
    ),
)
TURN_USAGE = Usage(
    template="usage_turn.md.jinja",
    pipeline_tag="text-classification",
    tags=("sentiment", "emotion-recognition-in-conversation"),
    limits=(_KNOWN.format(what="talk", file="your-talks.csv"), *LABEL_USAGE.limits[1:]),
)
ASPECT_USAGE = Usage(
    template="usage_aspect.md.jinja",
    pipeline_tag="text-classification",
    tags=("sentiment", "aspect-based-sentiment-analysis"),
    limits=LABEL_USAGE.limits,
)
LABEL_SET_USAGE = Usage(
    template="usage_label_set.md.jinja",
    pipeline_tag="text-classification",
    tags=("sentiment", "multi-label"),
    limits=LABEL_USAGE.limits,
)
OPINION_USAGE = Usage(
    template="usage_opinion.md.jinja",
    pipeline_tag="token-classification",
    tags=("sentiment", "aspect-based-sentiment-analysis"),
    limits=LABEL_USAGE.limits,
)
VALUE_USAGE = Usage(
    template="usage_value.md.jinja",
    pipeline_tag="text-classification",
    tags=("sentiment", "regression"),
    limits=(_KNOWN.format(what="text", file="your.csv"), _PREJUDICE),
)
REPLY_USAGE = Usage(
    template="usage_reply.md.jinja",
    pipeline_tag="text-generation",
    tags=("dialogue", "conversational"),
    limits=(
        _KNOWN.format(what="talk", file="your-conversations.jsonl"),
        "It makes up facts, and it may repeat what people said in the conversations it learned from. "
        "Do not train it on what must stay private.",
        "Nothing filters what it says. Put a person, or a filter of your own, between it and whoever can "
        "be hurt.",
    ),
)
