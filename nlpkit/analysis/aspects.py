"""Aspects: what opinions are about, counted over a file with how each is spoken of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nlpkit.analysis.passes import Passes
from nlpkit.analysis.scored_rows import ScoredRows
from nlpkit.classifiers.classifier import Classifier
from nlpkit.errors import ConfigError
from nlpkit.tasks.prediction import OPINIONS, FoundOpinion

BATCH = 512
EXAMPLES = 3
"""Of each polarity of an aspect."""
MOST_KEPT = 200_000
"""Aspects that are counted at once; above, those named once so far are forgotten."""


@dataclass(frozen=True, kw_only=True)
class AspectExample:
    """An opinion in its text."""

    text: str
    file: str
    row: int
    opinion: FoundOpinion


@dataclass(kw_only=True)
class Aspect:
    """What opinions are about, in one or several spellings."""

    spellings: Counter[str] = field(default_factory=Counter)
    polarities: Counter[str] = field(default_factory=Counter)
    """Texts with an opinion of each polarity about it."""
    examples: dict[str, list[AspectExample]] = field(default_factory=dict)
    """Polarity -> its first opinions."""

    @property
    def name(self) -> str:
        """The most frequent spelling."""
        return self.spellings.most_common(1)[0][0]

    @property
    def mentions(self) -> int:
        """Texts with an opinion about it; one with both a good and a bad one counts twice."""
        return self.polarities.total()


@dataclass(kw_only=True)
class AspectCounts:
    """The aspects of a file."""

    run: str
    texts: int = 0
    with_opinions: int = 0
    forgotten: int = 0
    """Aspects named once that were not counted further."""
    aspects: dict[str, Aspect] = field(default_factory=dict)

    @property
    def largest(self) -> list[Aspect]:
        """The aspects, the most frequent first."""
        return sorted(self.aspects.values(), key=lambda aspect: (-aspect.mentions, aspect.name))

    def add(self, text: str, opinions: Sequence[FoundOpinion], *, file: str, row: int) -> None:
        """Add a text: an aspect with a polarity counts once in it."""
        self.texts += 1
        self.with_opinions += bool(opinions)
        seen: set[tuple[str, str]] = set()
        for opinion in opinions:
            spelling = " ".join(text[opinion.aspect.start : opinion.aspect.end].lower().split())
            key = normalized(spelling)
            if not key or (key, opinion.polarity) in seen:
                continue
            seen.add((key, opinion.polarity))
            aspect = self.aspects.setdefault(key, Aspect())
            aspect.spellings[spelling] += 1
            aspect.polarities[opinion.polarity] += 1
            kept = aspect.examples.setdefault(opinion.polarity, [])
            if len(kept) < EXAMPLES:
                kept.append(AspectExample(text=text, file=file, row=row, opinion=opinion))
        if len(self.aspects) > MOST_KEPT:
            rare = [key for key, aspect in self.aspects.items() if aspect.mentions == 1]
            self.forgotten += len(rare)
            for key in rare:
                del self.aspects[key]


def normalized(name: str) -> str:
    """Return a name in lower case, its last word in the singular where an s made it plural."""
    words = name.lower().strip(" .,;:!?\"'()").split()
    return " ".join([*words[:-1], singular(words[-1])]) if words else ""


def singular(word: str) -> str:
    """Return an English word without the s of a simple plural; of movie and movies, movy is left."""
    if word.endswith(("sses", "shes", "ches", "xes", "zes")):
        return word[:-2]
    if word.endswith("s") and len(word) > 3 and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    return word[:-2] + "y" if word.endswith("ie") and len(word) > 3 else word


def opinion_reader(run: Path | str) -> Classifier:
    """Return the classifier of a run that finds opinions.

    Raises:
        ConfigError: it finds none.
    """
    classifier = Classifier.load(run)
    if OPINIONS not in classifier.columns:
        raise ConfigError(
            f"--aspects {run}: answers with {', '.join(classifier.columns)}; expected a run that finds "
            "opinions; hint: nlpkit train recipes/configs/aspects.yaml trains one (docs/training.md)"
        )
    return classifier


def count_aspects(
    rows: ScoredRows, passes: Passes, run: Path | str, *, progress: Callable[[int], None]
) -> AspectCounts:
    """Find the opinions in all texts of a file, and count what they are about.

    Args:
        rows: what is read.
        passes: keeps where the pass stands.
        run: of an opinion reader.
        progress: gets how many rows are done.

    Raises:
        ConfigError: the run finds no opinions.
    """
    classifier = opinion_reader(run)
    counts = AspectCounts(run=classifier.name)

    def restore(before: AspectCounts) -> None:
        vars(counts).update(vars(before))

    for batch in passes.over(
        rows, "aspects", AspectCounts, lambda: counts, restore, reader=classifier.fingerprint
    ):
        for start in range(0, len(batch), BATCH):
            places = [row for row in range(start, min(start + BATCH, len(batch))) if _held(batch.texts[row])]
            texts = [batch.texts[row] for row in places]
            for row, text, answer in zip(places, texts, classifier.predict(texts), strict=True):
                counts.add(text, answer.opinions or (), file=batch.file, row=batch.first + row)
            progress(counts.texts)
    return counts


def _held(text: str | None) -> bool:
    return bool(text and text.strip())
