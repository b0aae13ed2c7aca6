"""Themes: what texts are about, found as clusters of their encoder vectors and named by their words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from nlpkit.analysis.clusters import Clusters, Stability, find_clusters, stability_of
from nlpkit.analysis.theme_names import names_of, terms_of
from nlpkit.data.near import near_groups
from nlpkit.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nlpkit.models.encoder import Encoder

ThemeChoice: TypeAlias = int | Literal["auto", "none"]

BASE = "minilm-l6"
"""The sentence encoder that themes are found with."""
NEAR = 0.8
"""Texts that share this much of their pairs of words count once while themes are looked for."""
CENTRAL = 3
NO_THEME = "no theme"
DISSOLVED = 0.5
"""The Jaccard similarity below which a theme is not found again in a bootstrap (Hennig 2007)."""


@dataclass(frozen=True, kw_only=True)
class Theme:
    """Texts of one kind."""

    name: str
    terms: tuple[tuple[str, float], ...]
    """Its words with their weights (class-based TF-IDF), the heaviest first."""
    central: tuple[str, ...]
    """The texts nearest to its center."""
    texts: int
    """Of the sample, near-equal ones once."""
    stability: float
    """The mean Jaccard similarity with the most alike theme of a bootstrap: 1 is the same texts."""

    @property
    def is_stable(self) -> bool:
        """Whether bootstraps find it again."""
        return self.stability >= DISSOLVED


@dataclass(frozen=True, kw_only=True, eq=False)
class Themes:
    """The themes of a file, the largest of the sample first."""

    themes: tuple[Theme, ...]
    clusters: Clusters
    stability: Stability
    sample: int
    """Texts that they were found in."""
    distinct: int
    """Of these, near-equal ones once."""
    encoder: Encoder

    @property
    def names(self) -> tuple[str, ...]:
        """What the themes are called; the last one stands for texts without a theme."""
        return (*(theme.name for theme in self.themes), NO_THEME)

    def assign(self, texts: Sequence[str]) -> NDArray[Any]:
        """Return (texts,): the number of each one's theme in `names`. Equal texts are read once."""
        import numpy as np

        distinct = {text: number for number, text in enumerate(dict.fromkeys(texts))}
        numbers = self.clusters.assign(vectors_of(list(distinct), self.encoder))
        places = np.where(numbers < 0, len(self.themes), numbers)
        assigned: NDArray[Any] = places[[distinct[text] for text in texts]]
        return assigned


def theme_choice(asked: str | int) -> ThemeChoice:
    """Return how many themes are asked for.

    Raises:
        ConfigError: it is neither `auto`, `none` nor a whole number above 1.
    """
    if asked == "auto":
        return "auto"
    if asked == "none":
        return "none"
    if not str(asked).isdecimal() or int(asked) < 2:
        raise ConfigError(f"--themes {asked}: expected auto, none or a whole number from 2, such as 12")
    return int(asked)


def find_themes(
    texts: Sequence[str], *, count: int | None, seed: int, progress: Callable[[int, int], None]
) -> Themes:
    """Find the themes of a sample of texts.

    Args:
        texts: the sample.
        count: how many themes; None for as many as there are dense places.
        seed: draws bootstraps.
        progress: gets how many texts of how many are read.

    Raises:
        DataError: there are too few different texts.
        SourceError: the encoder can't be fetched.
    """
    import numpy as np

    from nlpkit.models.encoder import Encoder

    groups = near_groups(texts, threshold=NEAR, seed=seed) if texts else []
    first: dict[int, str] = {}
    for group, text in zip(groups, texts, strict=True):
        first.setdefault(group, text)
    distinct = list(first.values())
    encoder = Encoder.load(BASE)
    vectors = vectors_of(distinct, encoder, progress) if distinct else np.zeros((0, 1))
    clusters = find_clusters(vectors, count=count, seed=seed)
    assigned = clusters.assign(vectors)
    stability = stability_of(clusters, vectors, count=count, seed=seed)
    terms = terms_of(distinct, assigned, len(clusters))
    cosines = clusters.cosines(vectors)
    themes = [
        Theme(
            name=name,
            terms=tuple(terms[number]),
            central=tuple(distinct[row] for row in np.argsort(-cosines[:, number], kind="stable")[:CENTRAL]),
            texts=int((assigned == number).sum()),
            stability=stability.of_cluster[number],
        )
        for number, name in enumerate(names_of(terms))
    ]
    return Themes(
        themes=tuple(themes), clusters=clusters, stability=stability, sample=len(texts),
        distinct=len(distinct), encoder=encoder,
    )  # fmt: skip


def vectors_of(
    texts: Sequence[str],
    encoder: Encoder,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> NDArray[Any]:
    """Return (texts, size): the mean token embedding of each text, of length 1."""
    import numpy as np

    vectors = encoder.features(texts, progress)
    unit: NDArray[Any] = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return unit
