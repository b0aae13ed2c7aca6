"""Sets of turns: a turn, the same in the other mood, and the same with another name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from nlpkit.data.examples import LabeledText

TURNS = Path(__file__).parent / "mood_turns.txt"
Use: TypeAlias = Literal["choose", "measure"]

NAMES = (
    (("Thomas", "Oliver", "Jack"), ("Emily", "Charlotte", "Grace")),
    (("Ahmed", "Omar", "Youssef"), ("Aisha", "Fatima", "Layla")),
    (("Wei", "Haoran", "Jian"), ("Mei", "Xiu", "Lihua")),
    (("Arjun", "Rahul", "Vikram"), ("Priya", "Ananya", "Deepika")),
    (("Kwame", "Chidi", "Jamal"), ("Amara", "Ngozi", "Keisha")),
    (("Carlos", "Diego", "Javier"), ("Lucia", "Camila", "Guadalupe")),
    (("Dmitri", "Pavel", "Andrzej"), ("Olga", "Svetlana", "Agnieszka")),
    (("Kenji", "Hiroshi", "Minho"), ("Yuki", "Sakura", "Jiwoo")),
)  # fmt: skip
"""By origin, then men and women. A set takes two of different origins; half the sets two of different sex."""


@dataclass(frozen=True, kw_only=True)
class Turns:
    """One set: a turn and its variants."""

    first: str
    mood: str
    name: str
    names: tuple[str, str]


def read_turns(use: Use) -> list[Turns]:
    """Return the sets for a use; half of them begin with the sad words."""
    rows = [
        line.split("|")
        for line in TURNS.read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    return [_set(number, *row[1:]) for number, row in enumerate(row for row in rows if row[0] == use)]


def labeled_turns() -> list[LabeledText]:
    """Return every set's turn with its happy word, positive, and with its sad word, negative."""
    return [
        LabeledText(text=text, label=label)
        for use in get_args(Use)
        for number, turns in enumerate(read_turns(use))
        for text, label in zip((turns.first, turns.mood), _labels(number), strict=True)
    ]


def _labels(number: int) -> tuple[str, str]:
    """Return the label of a set's first turn and of the one in the other mood."""
    return ("positive", "negative") if number // 4 % 2 == 0 else ("negative", "positive")


def names(number: int) -> tuple[str, str]:
    """Return the two names of a set; over 64 sets the pairs of origins are balanced."""
    origin, round = number % len(NAMES), number // len(NAMES)
    second = (origin + 1 + round % (len(NAMES) - 1)) % len(NAMES)
    sex = (number + round) % 2
    return NAMES[origin][sex][number % 3], NAMES[second][sex ^ (number // 2 % 2)][(number + round) % 3]


def _set(number: int, text: str, happy: str, sad: str) -> Turns:
    mood, other_mood = (happy, sad) if _labels(number)[0] == "positive" else (sad, happy)
    name, other_name = names(number)
    return Turns(
        first=text.format(name=name, mood=mood),
        mood=text.format(name=name, mood=other_mood),
        name=text.format(name=other_name, mood=mood),
        names=(name, other_name),
    )
