"""Find labels that are written in several ways, such as 0 and 0.0, or positive and Positive."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

_SHOWN = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Spellings:
    """Spellings of labels that differ only in form, and the one to keep for each."""

    mapping: Mapping[str, str]
    """A spelling -> the commoner one that it is to be read as; empty where every label has one spelling."""

    def __bool__(self) -> bool:
        return bool(self.mapping)

    @property
    def message(self) -> str:
        """Say which labels are written in several ways."""
        pairs = [f"{kept!r} and {spelling!r}" for spelling, kept in self.mapping.items()]
        more = f" and {len(pairs) - _SHOWN} more" if len(pairs) > _SHOWN else ""
        return f"one label is written in several ways: {', '.join(pairs[:_SHOWN])}{more}"

    @property
    def hint(self) -> str:
        """Give the mapping to paste."""
        mapping = json.dumps(dict(self.mapping), ensure_ascii=False)
        return f"put `labels: {mapping}` below the source in the config"

    @property
    def option(self) -> str:
        """Give the mapping as an option of the command line."""
        quoted = json.dumps(dict(self.mapping), ensure_ascii=False).replace("'", "'\\''")
        return f"--labels '{quoted}'"


def spellings(counts: Mapping[str, int]) -> Spellings:
    """Find labels that differ only in case, spaces, width of letters or the form of a number.

    Args:
        counts: How many rows each label has; the commonest spelling is kept, of equally common the shortest.
    """
    same: dict[str, list[str]] = defaultdict(list)
    for label in counts:
        same[_plain(label)].append(label)
    mapping: dict[str, str] = {}
    for labels in same.values():
        kept, *others = sorted(labels, key=lambda label: (-counts[label], len(label), label))
        mapping |= dict.fromkeys(others, kept)
    return Spellings(mapping=mapping)


def _plain(label: str) -> str:
    """Return what every spelling of a label has in common."""
    folded = " ".join(re.sub(r"[\s_]+", " ", unicodedata.normalize("NFKC", label)).casefold().split())
    try:
        number = float(folded)
    except ValueError:
        return folded
    return repr(number + 0.0) if math.isfinite(number) else folded
