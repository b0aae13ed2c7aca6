"""Words that name groups of people, and texts in which two groups change places."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import model_validator

from nlpkit.config import load_config
from nlpkit.settings import Settings

WORDS = Path(__file__).with_name("identities.yaml")

_VOWELS = tuple("aeiouAEIOU")


class Kind(Settings):
    """The groups of one kind, such as religions."""

    compared_with: str | None = None
    """The group that the others are compared with; without one each is compared with all others."""
    forms: tuple[str, ...] = ("{}",)
    people: dict[str, tuple[str, ...]]
    """Group -> words that name one person of it, each to be put into each form; "" names no group."""
    words: dict[str, tuple[str, ...]]
    """Group -> words in texts; the words at one position are each other's counterparts."""

    @model_validator(mode="after")
    def _comparable(self) -> Kind:
        if len(self.people) < 2 or min(len(words) * len(self.forms) for words in self.people.values()) < 2:
            raise ValueError("expected at least two groups of at least two people each")
        if self.compared_with is not None and self.compared_with not in self.people:
            raise ValueError(f"compared_with: {self.compared_with!r} is none of {', '.join(self.people)}")
        if len({len(words) for words in self.words.values()}) > 1:
            raise ValueError("expected as many words of each group, each at the position of its counterparts")
        return self

    def named(self, group: str) -> list[str]:
        """Return the people of a group, as they stand in a sentence."""
        words = self.people[group]
        return [" ".join(form.replace("{}", word).split()) for word in words for form in self.forms]


class Identities(Settings):
    """All groups, by kind."""

    not_nouns: frozenset[str]
    """Words before which the second of two counterparts stands."""
    kinds: dict[str, Kind]


@functools.cache
def identities() -> Identities:
    """Return nlpkit's own words for groups of people."""
    return load_config(WORDS, Identities)


@functools.cache
def swapper() -> Swapper:
    """Return what finds and exchanges nlpkit's own words."""
    return Swapper(identities())


@dataclass(frozen=True, slots=True)
class Mention:
    """A group that a text names."""

    kind: str
    group: str


class Swapper:
    """Finds the words that name groups in texts, and exchanges them."""

    def __init__(self, identities: Identities) -> None:
        self._not_nouns = identities.not_nouns
        self.kinds: dict[str, dict[str, tuple[str, ...]]] = {
            name: kind.words for name, kind in identities.kinds.items()
        }
        self.compared_with_none: set[str] = {
            name for name, kind in identities.kinds.items() if kind.compared_with
        }
        """Kinds whose groups are compared with sentences that name none."""
        self._groups = {
            kind: {word.lower(): group for group, words in groups.items() for word in words}
            for kind, groups in self.kinds.items()
        }
        self._patterns = {kind: _pattern(words) for kind, words in self._groups.items()}

    def mentions(self, text: str) -> list[Mention]:
        """Return the groups that a text names, each once."""
        return list(
            dict.fromkeys(
                Mention(kind, self._groups[kind][_plain(match[3])])
                for kind, pattern in self._patterns.items()
                for match in pattern.finditer(text)
            )
        )

    def counterparts(self, mention: Mention) -> list[str]:
        """Return the other groups of its kind."""
        return [group for group in self.kinds[mention.kind] if group != mention.group]

    def exchange(self, text: str, kind: str, first: str, second: str) -> str:
        """Return a text in which two groups of a kind have changed places, their words in the same case."""
        return _pattern_of(self, kind, first, second).sub(
            functools.partial(self._replace, self._counterparts(kind, first, second)), text
        )

    def unnamed(self, text: str, kind: str, group: str) -> str:
        """Return a text without the words for a group: "a deaf man" becomes "a man".

        Where a word is all that says who is meant, as in "he is gay", the text stays as it is.
        """
        shorter = _adjectives(self.kinds[kind][group], self._not_nouns).sub(_without_adjective, text)
        return text if Mention(kind, group) in self.mentions(shorter) else shorter

    def _counterparts(self, kind: str, first: str, second: str) -> Mapping[str, tuple[str, list[str]]]:
        """Return each word in small letters -> as it is listed, and its counterparts."""
        pairs: dict[str, tuple[str, list[str]]] = {}
        words = self.kinds[kind]
        for ours, theirs in zip(words[first], words[second], strict=True):
            for word, other_word in ((ours, theirs), (theirs, ours)):
                options = pairs.setdefault(word.lower(), (word, []))[1]
                options += [] if other_word in options else [other_word]
        return pairs

    def _replace(self, pairs: Mapping[str, tuple[str, list[str]]], match: re.Match[str]) -> str:
        listed, options = pairs[_plain(match[3])]
        following = re.match(r"\s+([^\W\d_]+)", match.string[match.end() :])
        is_before_noun = following is not None and following[1].lower() not in self._not_nouns
        word = _in_case_of(match[3], listed, options[0] if is_before_noun else options[-1])
        if not match[1]:
            return word
        article = match[1][0] + ("n" if word.startswith(_VOWELS) else "")
        return f"{article}{match[2]}{word}"


@functools.lru_cache(maxsize=512)
def _pattern_of(swapper: Swapper, kind: str, first: str, second: str) -> re.Pattern[str]:
    words = swapper.kinds[kind]
    return _pattern({word.lower() for word in (*words[first], *words[second])})


def _pattern(words: Mapping[str, object] | set[str]) -> re.Pattern[str]:
    """Match whole words, longer ones first: groups 1 and 2 are an article before it, 3 is the word."""
    longest_first = sorted(words, key=lambda word: (-len(word), word))
    either = "|".join(re.escape(word).replace(r"\ ", r"\s+") for word in longest_first)
    return re.compile(rf"(?<![\w@/-])(?:(an?)(\s+))?({either})(?![\w@-])", re.IGNORECASE)


@functools.lru_cache(maxsize=64)
def _adjectives(words: tuple[str, ...], not_nouns: frozenset[str]) -> re.Pattern[str]:
    """Match the first of several words, or a word before a noun: group 1 is an article, 2 the adjective, 3
    what it describes.
    """
    noun = rf"(?!(?:{'|'.join(sorted(not_nouns))})\b)[^\W\d_]+"
    pairs = (word.partition(" ") for word in words)
    either = "|".join(rf"{re.escape(first)}(?=\s+{re.escape(rest) or noun}\b)" for first, _, rest in pairs)
    return re.compile(rf"(?<![\w@/-])(?:(an?)\s+)?({either})\s+(\w+)", re.IGNORECASE)


def _without_adjective(match: re.Match[str]) -> str:
    article, adjective, noun = match.groups()
    if article:
        return f"{article[0]}{'n' if noun.startswith(_VOWELS) else ''} {noun}"
    return noun[0].upper() + noun[1:] if adjective[0].isupper() else noun


def _plain(word: str) -> str:
    return " ".join(word.lower().split())


def _in_case_of(word: str, listed: str, other_word: str) -> str:
    """Return the other word in the case of the word: as listed, all or no capitals, or the first one."""
    if word == listed:
        return other_word
    if word.isupper():
        return other_word.upper()
    return other_word.lower() if word.islower() else other_word[0].upper() + other_word[1:]
