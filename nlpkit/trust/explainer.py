"""Explain a classifier's answers, and test each explanation on the classifier itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import Literal, TypeAlias

from nlpkit.classifiers.classifier import Classifier
from nlpkit.classifiers.runtime import SERVER
from nlpkit.data.examples import Span
from nlpkit.errors import ConfigError, DataError, RunError
from nlpkit.tasks.answers.claims import Claim
from nlpkit.tasks.encoding import Encoded, encode_placed
from nlpkit.tasks.prediction import Prediction
from nlpkit.trust.explanation import Explanation, Smallest, Word
from nlpkit.trust.faithfulness import Curve, Faithfulness, mean_scores, scores
from nlpkit.trust.gradients import Gradients
from nlpkit.trust.posts import (
    CELLS,
    Asked,
    cell_name,
    cells_of,
    has_picture,
    left_of,
    plain_text,
    shown_text,
)
from nlpkit.trust.variants import RANDOM_ORDERS, Case, Variants, variants_of
from nlpkit.trust.words import owners, pieces, words_of

Method: TypeAlias = Literal["occlusion", "gradients"]

MOST_WORDS = 2000
"""A longer text is refused: it would have to be computed thousands of times."""

MOST_LEFT_OUT = 128
"""Words that are left out one by one; of a longer text runs of words are."""

MOST_TRIED = 64
"""Words of a set that are tried one by one whether the set does without them."""

VARIANTS = 512
"""Texts that are computed together, at least those of one text."""


class Explainer:
    """Explains a classifier's answers.

    Args:
        classifier: of a run that gives texts labels or a number.
        method: `occlusion` leaves out word after word, with any runtime; `gradients` are integrated
            gradients, with the runtime torch.
        label: what is explained; default: each label that is given.
        most_claims: how many labels of a text are explained at most, the most probable first; default: all.
        orders: how many random orders of the words an explanation is compared with.
        seed: draws the random orders that an explanation is compared with.

    Raises:
        RunError: its answers cannot be explained.
        ConfigError: the method is unknown, or does not go with the classifier.
    """

    def __init__(
        self,
        classifier: Classifier,
        *,
        method: Method = "occlusion",
        label: str | None = None,
        most_claims: int | None = None,
        orders: int = RANDOM_ORDERS,
        seed: int = 1,
    ) -> None:
        if classifier.turns is not None:
            raise RunError(
                f"{classifier.name}: reads turns with the turns before them; expected a run that reads "
                "texts; hint: nlpkit explain default TEXT"
            )
        if classifier.reads_aspects:
            raise RunError(
                f"{classifier.name}: is asked about an aspect that is given with each text; expected a run "
                "that reads texts alone; hint: nlpkit explain default TEXT"
            )
        if classifier.device == SERVER:
            raise RunError(
                f"{classifier.name}: a server answers for it, and an explanation asks it a hundred times "
                "or more; hint: train a model of your own on its answers, with `teacher:` in its config"
            )
        if classifier.task.head.level == "token":
            raise RunError(
                f"{classifier.name}: answers with parts of the text, which show what they rest on; "
                "expected a run that gives labels or a number; hint: nlpkit explain default TEXT"
            )
        if method not in ("occlusion", "gradients"):
            raise ConfigError(f"--method {method}: expected occlusion or gradients")
        self.classifier = classifier
        self.method = method
        self.label = label
        self.most_claims = most_claims
        self.orders = orders
        self.seed = seed
        self._gradients = Gradients(classifier) if method == "gradients" else None

    def explain(self, texts: Sequence[Asked], where: Sequence[str] = ()) -> Iterator[list[Explanation]]:
        """Yield the explanations of each text, one for each label that is explained, as they are done.

        Args:
            texts: any; for a run that reads pictures, with their pictures.
            where: what messages call each; default: its position.

        Raises:
            DataError: a text holds no words, or too many.
        """
        places = where or [f"text {number} of {len(texts)}" for number in range(1, len(texts) + 1)]
        cut = [self._words(text, name) for text, name in zip(texts, places, strict=True)]
        for group in _groups([(3 + self.orders) * len(words) for words, _ in cut]):
            yield from self._group([(texts[index], *cut[index]) for index in group])

    def check(self, text: Asked, where: str) -> int:
        """Return how many words of a text, or runs of them, and cells of its picture an explanation weighs.

        Raises:
            DataError: it holds no words, or too many.
        """
        return len(self._words(text, where)[0])

    def _words(self, given: Asked, where: str) -> tuple[list[Span], Encoded]:
        """Return the words of a text and the cells of its picture, and how the model reads both."""
        model, text = self.classifier.model, plain_text(given)
        encoded = encode_placed([text], model.tokenizer, model.max_tokens)[0]
        if not isinstance(given, str):
            encoded = replace(encoded, picture=given.picture)
        places = encoded.places
        tokens = [offsets for window in places.offsets for offsets in window] if places else []
        words = words_of(text, tokens)
        if not words and not has_picture(given):
            raise DataError(f"{where}: it is empty, so that there is nothing to explain; hint: give it words")
        if len(words) > MOST_WORDS:
            raise DataError(
                f"{where}: {len(words):,} words; at most {MOST_WORDS:,} can be explained, as the text is "
                "computed again for each; hint: explain the part of it that matters"
            )
        return [
            *(words if self._gradients or not words else pieces(words, MOST_LEFT_OUT)),
            *cells_of(given),
        ], encoded

    def _group(self, texts: Sequence[tuple[Asked, list[Span], Encoded]]) -> Iterator[list[Explanation]]:
        """Yield the explanations of texts whose variants are computed together."""
        family = self.classifier.task.family
        variants = [] if self._gradients else [_each_left_out(text, words) for text, words, _ in texts]
        answers: dict[Asked, Prediction] = {}
        self._predict(answers, [text for text, _, _ in texts], *variants)
        cases: list[list[Case]] = []
        for text, words, encoded in texts:
            claims = family.claims(answers[text], self.label)[: self.most_claims]
            cases.append([self._case(text, words, encoded, claim, answers) for claim in claims])
        curves = [
            variants_of(case, orders=self.orders, seed=self.seed) for of_text in cases for case in of_text
        ]
        self._predict(answers, *(variants for each in curves for variants in each.texts))
        rest = iter(curves)
        for of_text in cases:
            yield [self._explanation(case, next(rest), answers) for case in of_text]

    def _case(
        self,
        text: Asked,
        words: list[Span],
        encoded: Encoded,
        claim: Claim,
        answers: dict[Asked, Prediction],
    ) -> Case:
        """Weigh the words for one claim."""
        import numpy as np

        weights = np.full(len(words), np.nan)
        read, error = _read(words, encoded), None
        if self._gradients is None:
            whole = claim.evidence(answers[text])
            for number in sorted(read):
                weights[number] = whole - claim.evidence(answers[left_of(text, words, {number})])
        else:
            weights[sorted(read)] = 0.0
            attribution = self._gradients.attribute(encoded, claim.evidence_of)
            error = attribution.error
            offsets = encoded.places.offsets if encoded.places else []
            for values, window in zip(attribution.tokens, offsets, strict=True):
                np.add.at(weights, owners(words, window), values)
            if attribution.cells:
                weights[-CELLS:] = attribution.cells
        return Case(given=text, claim=claim, answer=answers[text], words=words, weights=weights, error=error)

    def _explanation(
        self, case: Case, curves: Variants[Asked], answers: dict[Asked, Prediction]
    ) -> Explanation:
        """Test the weights of one claim, and find the smallest sets."""
        claim, order = case.claim, case.order

        def curve(texts: Sequence[Asked]) -> Curve:
            return Curve(sizes=curves.sizes, shares=tuple(claim.share(answers[text]) for text in texts))

        def first(texts: Sequence[Asked], holds: bool) -> list[int] | None:
            sizes = zip(curves.sizes, texts, strict=True)
            return next((order[:size] for size, text in sizes if claim.holds(answers[text]) == holds), None)

        is_given = claim.holds(case.answer)
        kept = first(curves.keeping, True) if is_given else None
        gone = first(curves.removing, False) if is_given else None
        numbers = case.weights.tolist()
        cells = len(case.words) - (CELLS if has_picture(case.given) else 0)
        return Explanation(
            text=case.text,
            about=claim.name,
            method=self.method,
            answer=case.answer,
            headline=self.classifier.shown(case.answer).headline,
            share=claim.share(case.answer),
            words=tuple(
                Word(
                    start=word.start,
                    end=word.end,
                    text=case.text[word.start : word.end] if number < cells else cell_name(number - cells),
                    weight=weight if weight == weight else None,
                )
                for number, (word, weight) in enumerate(zip(case.words, numbers, strict=True))
            ),
            base=claim.evidence(answers[curves.keeping[0]]),
            keeps=self._smallest(case, kept, case.keeping, holds=True, answers=answers),
            changes=self._smallest(case, gone, case.leaving_out, holds=False, answers=answers),
            faithfulness=Faithfulness(
                scores=scores(curve(curves.removing), curve(curves.keeping)),
                random=mean_scores([curve(texts) for texts in curves.random]),
                completeness_error=case.error,
            ),
            unread=sum(weight != weight for weight in numbers),
        )

    def _smallest(
        self,
        case: Case,
        words: list[int] | None,
        made: Callable[[Sequence[int], int], Asked],
        *,
        holds: bool,
        answers: dict[Asked, Prediction],
    ) -> Smallest | None:
        """Return the set without the words that it can do without, the least important first."""
        if words is None:
            return None
        kept = list(words)
        for word in reversed(words if len(words) <= MOST_TRIED else ()):
            fewer = [number for number in kept if number != word]
            text = made(fewer, len(fewer))
            self._predict(answers, [text])
            if case.claim.holds(answers[text]) == holds:
                kept = fewer
        text = made(kept, len(kept))
        return Smallest(
            words=tuple(sorted(kept)),
            text=shown_text(text),
            answer=answers[text],
            headline=self.classifier.shown(answers[text]).headline,
        )

    def _predict(self, answers: dict[Asked, Prediction], *texts: Sequence[Asked]) -> None:
        """Add the answers to texts, each computed once."""
        new = [text for text in dict.fromkeys(chain.from_iterable(texts)) if text not in answers]
        answers.update(zip(new, self.classifier.predict(new), strict=True))


def _each_left_out(text: Asked, words: Sequence[Span]) -> list[Asked]:
    return [left_of(text, words, {number}) for number in range(len(words))]


def _read(words: Sequence[Span], encoded: Encoded) -> set[int]:
    """Return the numbers of the words that hold a token of any window, or no token at all."""
    if not encoded.partial or encoded.places is None:
        return set(range(len(words)))
    cells = range(len(words) - CELLS, len(words)) if encoded.picture else ()
    return {number for window in encoded.places.offsets for number in owners(words, window)} | set(cells)


def _groups(variants: Sequence[int]) -> Iterator[list[int]]:
    """Yield the positions of texts that are computed together, by how many variants each has."""
    group: list[int] = []
    waiting = 0
    for index, count in enumerate(variants):
        waiting += count
        group.append(index)
        if waiting >= VARIANTS:
            yield group
            group, waiting = [], 0
    if group:
        yield group
