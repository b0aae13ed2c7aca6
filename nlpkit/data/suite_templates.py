"""The templates of a suite: sentences with slots, and what stands in them, drawn by a seed."""

from __future__ import annotations

import itertools
import math
import random
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from nlpkit.errors import nearest

TEXT = "text"
"""The slot of a change that holds the unchanged text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Slot:
    """A slot such as `{good2:a}`: a word of the list `good`, another one than `{good}`, with its article."""

    name: str
    form: str

    @property
    def words(self) -> str:
        """The name of its list of words."""
        return self.name.rstrip("0123456789")


def slots_of(template: str) -> list[Slot]:
    """Return the slots of a template, in order.

    Raises:
        ValueError: a brace is not closed, or a form is not known.
    """
    slots = []
    for _, name, form, _ in string.Formatter().parse(template):
        if name is None:
            continue
        if form and form not in FORMS:
            raise ValueError(f"{{{name}:{form}}} in {template!r}: no form {form!r}{nearest(form, FORMS)}")
        slots.append(Slot(name=name, form=form or ""))
    return slots


def fill(template: str, words: Mapping[str, str]) -> str:
    """Return the sentence; it begins with a capital, as a sentence does."""
    parts = []
    for literal, name, form, _ in string.Formatter().parse(template):
        parts.append(literal)
        if name is not None:
            parts.append(FORMS[form](words[name]) if form else words[name])
    sentence = "".join(parts)
    begins_with_text = template.startswith(f"{{{TEXT}")
    return sentence if begins_with_text else sentence[:1].upper() + sentence[1:]


def fillings(
    slots: Sequence[Slot], lists: Mapping[str, Sequence[str]], most: int, seed: str
) -> list[dict[str, str]]:
    """Return at most so many ways to fill slots, the same for the same seed. Slots of one list never hold the
    same word.
    """
    names = list(dict.fromkeys(slot.name for slot in slots))
    words = [lists[Slot(name=name, form="").words] for name in names]
    draws = random.Random(seed)  # noqa: S311
    ways: list[tuple[str, ...]] = []
    if (total := math.prod(map(len, words))) <= 20 * most:
        ways = [way for way in itertools.product(*words) if _differ(names, way)]
        ways = [ways[index] for index in sorted(draws.sample(range(len(ways)), min(most, len(ways))))]
    else:
        drawn = (tuple(map(draws.choice, words)) for _ in range(min(total, 100 * most)))
        ways = list(dict.fromkeys(way for way in drawn if _differ(names, way)))[:most]
    return [dict(zip(names, way, strict=True)) for way in ways]


def _differ(names: Sequence[str], way: Sequence[str]) -> bool:
    taken = [(Slot(name=name, form="").words, word) for name, word in zip(names, way, strict=True)]
    return len(set(taken)) == len(taken)


def _with_article(words: str) -> str:
    """Return the words after "a" or "an", by their first letter as it sounds."""
    sounds_open = words[:1].lower() in "aeio" or words.lower().startswith(
        ("un", "up", "ug", "ul", "hour", "honest")
    )
    sounds_open &= not words.lower().startswith(("one", "uni", "eu"))
    return f"{'an' if sounds_open else 'a'} {words}"


def _typo(text: str) -> str:
    """Return the text with two letters inside one of its longer words swapped, chosen by the text."""
    draws = random.Random(text)  # noqa: S311
    words = text.split(" ")
    long = [number for number, word in enumerate(words) if len(word) > 4 and word.isalpha()]
    if long:
        number = draws.choice(long)
        word = words[number]
        places = [at for at in range(1, len(word) - 2) if word[at] != word[at + 1]] or [1]
        at = draws.choice(places)
        words[number] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return " ".join(words)


def _tag(words: str) -> str:
    return "#" + "".join(word[:1].upper() + word[1:] for word in words.split())


FORMS: Mapping[str, Callable[[str], str]] = {
    "a": _with_article,
    "upper": str.upper,
    "lower": str.lower,
    "bare": lambda text: text.rstrip(".!?"),
    "typo": _typo,
    "tag": _tag,
}
"""What may follow the colon in a slot, and what it makes of the words."""
