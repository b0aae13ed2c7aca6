"""The answer of a classifier, decoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from nlpkit.data.examples import in_words
from nlpkit.errors import RunError

ABSTAINED = ""
"""The label where a classifier is too uncertain to give one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Prediction:
    """The answer for one text. `row()` is what a scored file holds of it."""

    label: str | None = None
    """The most probable label, or ABSTAINED; None where an answer is a number, or several labels."""
    labels: tuple[str, ...] | None = None
    """All labels that are given, the most probable first; None where an answer is one label or a number."""
    score: float | None = None
    """Signed polarity in [-1, 1]; None where the labels have no order."""
    probabilities: Mapping[str, float] = field(default_factory=dict)
    """Calibrated probability of each label, in the task's order; empty for an intensity."""
    value: float | None = None
    """The intensity in the units of the data; None for labels."""
    spread: float | None = None
    """The expected standard deviation of human ratings, where the model learned it."""
    windows: int = 1
    """How many overlapping windows the text was read in."""
    partial: bool = False
    """Whether the text was so long that not all of it was read."""
    is_unreadable: bool = False
    """Whether so much of the text is unknown to the model's tokenizer that the answer means little."""

    def row(self) -> dict[str, str | float]:
        """Return the output columns, by name: label, labels, score, p_<label>, value, spread, as far as they
        apply.
        """
        fields: dict[str, str | float | None] = {
            "label": self.label,
            "labels": None if self.labels is None else in_words(self.labels),
            "value": self.value,
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
            f"<td>{escape(value if isinstance(value, str) else f'{value:.3f}')}</td></tr>"
            for name, value in self.row().items()
        )
        part = ", not all of it" if self.partial else ""
        note = f"<caption>read in {self.windows} windows{part}</caption>" if self.windows > 1 else ""
        return f"<table>{note}{cells}</table>"


def labels_of(predictions: Sequence[Prediction]) -> list[str]:
    """Return the label of each prediction.

    Raises:
        RunError: the model does not answer with labels.
    """
    labels = [prediction.label for prediction in predictions if prediction.label is not None]
    if len(labels) < len(predictions):
        raise RunError("the model does not answer with one label a text; expected one that does")
    return labels
