"""What the model card says of each family of answers: what its runs do, and the lines that use them without
nlpkit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
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
    uses: tuple[str, ...]
    """What it is for, each a verb with its object."""
    misuses: tuple[str, ...]
    """What it is not for, as `uses`."""
    own_audit: str = "nlpkit audit . your.csv"
    """The command that compares groups of people in one's own data, or scores those of one group."""
    audit: str = "nlpkit audit ."
    """The command that compares them in sentences made for it; empty where the answers have no score."""
    no_promise: str = ""
    """Why nothing is promised about its answers; empty where they are labels of texts."""

    def without_score(self) -> Usage:
        """Return how runs are used whose answers have no score, which no audit compares."""
        own = _BY_GROUP if self.own_audit.startswith("nlpkit audit") else self.own_audit
        return replace(self, own_audit=own, audit="")


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
_PREJUDICE = "Models of sentiment repeat what people wrote, prejudice about groups of people included."
_BY_GROUP = "nlpkit evaluate . your.csv --by COLUMN"
_TO_READ = "sort texts for people who then read them"
_PERSON = "decide about a person"
_UNREAD = "act on a single text that nobody reads, where a mistake does harm"

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
    uses=("label many texts, such as reviews or answers to a survey, and count the labels", _TO_READ),
    misuses=(_PERSON, _UNREAD),
)
TURN_USAGE = Usage(
    template="usage_turn.md.jinja",
    pipeline_tag="text-classification",
    tags=("sentiment", "emotion-recognition-in-conversation"),
    limits=(_KNOWN.format(what="talk", file="your-talks.csv"), *LABEL_USAGE.limits[1:]),
    uses=("label the turns of many conversations, and count the labels", _TO_READ),
    misuses=("decide about a person who speaks", "tell what somebody feels and does not write", _UNREAD),
    own_audit="nlpkit evaluate . your-talks.csv",
    no_promise="a promise is made for runs that read a text alone, and this one reads the turns before too",
)
ASPECT_USAGE = Usage(
    template="usage_aspect.md.jinja",
    pipeline_tag="text-classification",
    tags=("sentiment", "aspect-based-sentiment-analysis"),
    limits=LABEL_USAGE.limits,
    uses=("label how many texts are meant towards an aspect, and compare aspects", _TO_READ),
    misuses=(_PERSON, _UNREAD),
    own_audit=_BY_GROUP,
    audit="",
    no_promise="a promise is made for runs that read a text alone, and this one reads an aspect too",
)
POST_USAGE = Usage(
    template="usage_picture.md.jinja",
    pipeline_tag="text-classification",
    tags=("sentiment", "multimodal"),
    limits=(
        _KNOWN.format(what="text and picture", file="your-posts.jsonl"),
        *LABEL_USAGE.limits[1:],
        "Words in a picture are not read as words.",
    ),
    uses=("label many posts with pictures, and count the labels", _TO_READ),
    misuses=(_PERSON, "tell what somebody in a picture feels", _UNREAD),
    own_audit="nlpkit evaluate . your-posts.jsonl --by COLUMN",
    audit="",
    no_promise="a promise is made for runs that read a text alone, and this one reads a picture too",
)
LABEL_SET_USAGE = Usage(
    template="usage_label_set.md.jinja",
    pipeline_tag="text-classification",
    tags=("sentiment", "multi-label"),
    limits=LABEL_USAGE.limits,
    uses=("give many texts all labels that fit, and count the labels", _TO_READ),
    misuses=(_PERSON, _UNREAD),
    own_audit=_BY_GROUP,
    audit="",
)
OPINION_USAGE = Usage(
    template="usage_opinion.md.jinja",
    pipeline_tag="token-classification",
    tags=("sentiment", "aspect-based-sentiment-analysis"),
    limits=LABEL_USAGE.limits,
    uses=("find what many texts praise or criticize, and count it", _TO_READ),
    misuses=(_PERSON, _UNREAD),
    own_audit=_BY_GROUP,
    audit="",
)
VALUE_USAGE = Usage(
    template="usage_value.md.jinja",
    pipeline_tag="text-classification",
    tags=("sentiment", "regression"),
    limits=(_KNOWN.format(what="text", file="your.csv"), _PREJUDICE),
    uses=("rate how negative or positive many texts are, and compare their means", _TO_READ),
    misuses=(_PERSON, _UNREAD),
    no_promise="a promise is about labels, and it answers with a number",
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
    uses=("chat where a wrong or odd reply does no harm, such as in a game or for practice",),
    misuses=(
        "give advice on health, law or money, or answer questions of fact",
        "speak with people who do not know that it is a machine",
        _PERSON,
    ),
    own_audit="nlpkit evaluate . your-conversations.jsonl",
    audit="",
    no_promise="a promise is about labels, and nothing says whether a reply is right",
)
