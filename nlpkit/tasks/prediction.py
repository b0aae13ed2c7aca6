"""The answer of a classifier, decoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, Protocol, runtime_checkable

from nlpkit.data.examples import Opinion, Span, in_words
from nlpkit.errors import RunError

ABSTAINED = ""
"""The label where a classifier is too uncertain to give one."""
SEVERAL = "labels"
"""The output column of all labels that are given, in words."""
SET = "prediction_set"
"""The output column of the labels that a text may have, in words."""
ENDS = ("lowest", "highest")
"""The output columns of the ends of an interval."""
OPINIONS = "opinions"
"""The output column of the list of opinions."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundOpinion:
    """An opinion in a text: what is spoken of, what is said of it, and how that is meant."""

    text: str
    """The whole text."""
    aspect: Span
    opinion: Span | None
    """None where the model finds aspects alone."""
    polarity: str
    probability: float | None
    """Calibrated, that all parts are right; None of what people marked."""

    @property
    def likely(self) -> float:
        """The probability; 1 of what people marked."""
        return 1.0 if self.probability is None else self.probability

    @property
    def plain(self) -> Opinion:
        """The opinion without text and probability."""
        return Opinion(aspect=self.aspect, opinion=self.opinion, polarity=self.polarity)

    @property
    def in_words(self) -> str:
        """The opinion as a page shows it, such as "pizza: the best (positive)"."""
        stated = "" if self.opinion is None else f": {self._words(self.opinion)}"
        return f"{self._words(self.aspect)}{stated} ({self.polarity})"

    def place(self) -> tuple[Span, Span]:
        """Return what it is sorted by: where it stands."""
        return self.aspect, self.opinion or self.aspect

    def as_json(self) -> dict[str, object]:
        """Return the opinion as a scored file holds it; `start` and `end` count Python's characters."""
        spans = {"aspect": self.aspect, "opinion": self.opinion}
        held: dict[str, object] = {
            name: {"text": self._words(span), "start": span.start, "end": span.end}
            for name, span in spans.items()
            if span is not None
        }
        held["polarity"] = self.polarity
        return held if self.probability is None else held | {"probability": self.probability}

    def _words(self, span: Span) -> str:
        return self.text[span.start : span.end]


@dataclass(frozen=True, kw_only=True, slots=True)
class Prediction:
    """The answer for one text. `row()` is what a scored file holds of it."""

    label: str | None = None
    """The most probable label, or ABSTAINED; None where an answer is a number, or several labels."""
    labels: tuple[str, ...] | None = None
    """All labels that are given, the most probable first; None where an answer is one label or a number."""
    prediction_set: tuple[str, ...] | None = None
    """The labels that the text may have, the most probable first; None where sets are not asked for."""
    score: float | None = None
    """Signed polarity in [-1, 1]; None where the labels have no order."""
    probabilities: Mapping[str, float] = field(default_factory=dict)
    """Calibrated probability of each label, in the task's order; empty for an intensity."""
    value: float | None = None
    """The intensity in the units of the data; None for labels."""
    ends: tuple[float, float] | None = None
    """The ends of the interval that the intensity may lie in; None where intervals are not asked for."""
    spread: float | None = None
    """The expected standard deviation of human ratings, where the model learned it."""
    opinions: tuple[FoundOpinion, ...] | None = None
    """The opinions in the text, in its order; None where the answer is about the whole text."""
    windows: int = 1
    """How many overlapping windows the text was read in."""
    partial: bool = False
    """Whether the text was so long that not all of it was read."""
    is_unreadable: bool = False
    """Whether so much of the text is unknown to the model's tokenizer that the answer means little."""

    @property
    def is_abstention(self) -> bool:
        """Whether no label is given, as the classifier is too uncertain."""
        return self.label == ABSTAINED

    @property
    def certainty(self) -> float | None:
        """How probable it is that the answer is right: of several labels, the least sure one counts.

        None where an answer has no such probability.
        """
        if self.label is not None:
            return self.probabilities.get(self.label)
        if self.labels is not None:
            return min(max(given, 1 - given) for given in self.probabilities.values())
        return None

    def row(self) -> dict[str, Any]:
        """Return the output columns, by name: label, labels, prediction_set, score, p_<label>, value, lowest,
        highest, spread, opinions, as far as they apply.
        """
        fields: dict[str, Any] = {
            "label": self.label,
            SEVERAL: None if self.labels is None else in_words(self.labels),
            SET: None if self.prediction_set is None else in_words(self.prediction_set),
            OPINIONS: None if self.opinions is None else [opinion.as_json() for opinion in self.opinions],
            "value": self.value,
            **dict(zip(ENDS, self.ends or (None, None), strict=True)),
            "spread": self.spread,
            "score": self.score,
        }
        row = {name: value for name, value in fields.items() if value is not None}
        row |= {f"p_{label}": probability for label, probability in self.probabilities.items()}
        return row

    def _repr_html_(self) -> str:
        """Return a small table for a notebook: the output columns, with a note on a text read in windows."""
        cells = "".join(
            f"<tr><th>{escape(name)}</th>"
            f"<td>{escape(f'{value:.3f}' if isinstance(value, float) else str(value))}</td></tr>"
            for name, value in self.row().items()
        )
        part = ", not all of it" if self.partial else ""
        note = f"<caption>read in {self.windows} windows{part}</caption>" if self.windows > 1 else ""
        return f"<table>{note}{cells}</table>"


@runtime_checkable
class TurnReader(Protocol):
    """A classifier that may read turns of conversations."""

    @property
    def turns(self) -> int | None:
        """How many turns before a turn it reads at most; None where it reads texts, not turns."""


def turns_read_by(classifier: object) -> int | None:
    """Return how many turns before a turn a classifier reads; None where it reads texts, not turns."""
    return classifier.turns if isinstance(classifier, TurnReader) else None


@runtime_checkable
class AspectReader(Protocol):
    """A classifier that may be asked about an aspect of each text."""

    @property
    def reads_aspects(self) -> bool:
        """Whether it is asked about an aspect that is given with each text."""


def reads_aspects(classifier: object) -> bool:
    """Return whether a classifier is asked about an aspect that is given with each text."""
    return isinstance(classifier, AspectReader) and classifier.reads_aspects


@runtime_checkable
class PictureReader(Protocol):
    """A classifier that may read the picture that stands with a text."""

    @property
    def reads_pictures(self) -> bool:
        """Whether it reads the picture that stands with a text."""


def reads_pictures(classifier: object) -> bool:
    """Return whether a classifier reads the picture that stands with a text."""
    return isinstance(classifier, PictureReader) and classifier.reads_pictures


def read_with_texts(classifier: object) -> str:
    """Return in words what a classifier reads with each text; empty where it reads texts alone."""
    if turns_read_by(classifier) is not None:
        return "the turns before"
    if reads_aspects(classifier):
        return "an aspect"
    return "a picture" if reads_pictures(classifier) else ""


def labels_of(predictions: Sequence[Prediction]) -> list[str]:
    """Return the label of each prediction.

    Raises:
        RunError: the model does not answer with labels.
    """
    labels = [prediction.label for prediction in predictions if prediction.label is not None]
    if len(labels) < len(predictions):
        raise RunError("the model does not answer with one label a text; expected one that does")
    return labels
