"""An explanation of an answer: what each word adds, which few keep the answer, and what changes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from nlpkit.tasks.prediction import Prediction
from nlpkit.trust.explained import heaviest_first
from nlpkit.trust.faithfulness import Faithfulness


@dataclass(frozen=True, kw_only=True)
class Word:
    """A word of the text, a run of words where they are too many to be left out one by one, or a cell of the
    picture.
    """

    start: int
    end: int
    """Its characters: from `start` up to, without, `end`."""
    text: str
    """The word itself; of a cell, where it is."""
    weight: float | None
    """What it adds to the evidence; None where the model did not read it."""

    @property
    def shown(self) -> str:
        """The word itself."""
        return self.text

    @property
    def detail(self) -> str:
        """Always empty: the weight says it all."""
        return ""


@dataclass(frozen=True, kw_only=True)
class Smallest:
    """A set of words out of which no word can be left."""

    words: tuple[int, ...]
    """Their numbers, in the order of the text."""
    text: str
    """What the model read: only these words, or all but these."""
    answer: Prediction
    """The answer to it."""
    headline: str
    """That answer in words."""


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Why a classifier gives a text a label or a number.

    The weights are in log-odds of the label, or in units of the number.
    """

    parts_are: ClassVar[str] = "words"

    text: str
    about: str
    """The label that is explained, or `value`."""
    method: str
    answer: Prediction
    headline: str
    """The answer in words."""
    share: float
    """The probability of the label; of a number how far it lies on its side of the range."""
    words: tuple[Word, ...]
    base: float
    """The evidence without any word."""
    keeps: Smallest | None
    """The few words that alone keep the answer; None where it is not given, or not even kept by all words
    that the model reads."""
    changes: Smallest | None
    """The few words without which the answer is another; None where it stays without any words."""
    faithfulness: Faithfulness
    unread: int = 0
    """Words that the model never read, as the text is longer than all its windows."""

    @property
    def by_weight(self) -> list[Word]:
        """The words that were read, those that add or take most first."""
        return heaviest_first(self.words)

    @property
    def parts(self) -> tuple[Word, ...]:
        """The words."""
        return self.words

    @property
    def facts(self) -> str:
        """What is explained, and how."""
        share = "" if self.about == "value" else f", probability {self.share:.0%}"
        return f"explained: {self.about}{share} \u00b7 {self.method}"

    def notes(self) -> list[str]:
        """Return in words what a reader must know of how much of the text was read and explained."""
        notes = []
        if self.answer.windows > 1:
            notes.append(f"read in {self.answer.windows} overlapping windows; the answer is their mean")
        if self.unread:
            notes.append(f"{self.unread:,} of {len(self.words):,} words were never read, and have no weight")
        if self.answer.is_unreadable:
            notes.append("the model knows too little of this text: the answer means little")
        if any(" " in self.text[word.start : word.end].strip() for word in self.words):
            notes.append("the text is long: runs of words are explained together")
        return notes

    def findings(self) -> list[str]:
        """Return in words which words keep the answer, which change it, and how faithful the weights are."""
        lines = []
        if self.keeps is not None:
            kept = " ".join(f"\u201c{word}\u201d" for word in self.named(self.keeps.words))
            lines.append(f"kept by {kept} alone" if kept else "the same without any words")
        if self.changes is not None:
            gone = " ".join(f"\u201c{word}\u201d" for word in self.named(self.changes.words))
            lines.append(f"without {gone} it is {self.changes.headline}")
        elif self.keeps is not None and self.keeps.words:
            lines.append("no words whose removal changes it were seen")
        lines.append(f"faithfulness {self.faithfulness.line('words')}")
        if self.faithfulness.completeness_error is not None:
            lines.append(f"completeness error {self.faithfulness.completeness_error:.2%}")
        return lines

    def named(self, numbers: Sequence[int]) -> list[str]:
        """Return the words of these numbers."""
        return [self.words[number].text for number in numbers]

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as plain values."""

        def plain(smallest_set: Smallest | None) -> dict[str, Any] | None:
            if smallest_set is None:
                return None
            return {
                "words": self.named(smallest_set.words),
                "numbers": list(smallest_set.words),
                "text": smallest_set.text,
                "answer": smallest_set.answer.row(),
            }

        return {
            "about": self.about,
            "answer": self.answer.row(),
            "method": self.method,
            "share": self.share,
            "base": self.base,
            "words": [asdict(word) for word in self.words],
            "keeps": plain(self.keeps),
            "changes": plain(self.changes),
            "faithfulness": asdict(self.faithfulness),
            "windows": self.answer.windows,
            "unread": self.unread,
            "notes": self.notes(),
        }
