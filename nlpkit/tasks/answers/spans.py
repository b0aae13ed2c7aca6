"""Opinions: parts of a text that are spoken of, with what is said of each and how it is meant."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nlpkit.data.examples import Opinion, OpinionText, Span
from nlpkit.metrics.metric import Metric
from nlpkit.metrics.opinions import (
    OPINION_METRICS,
    PAIR_F1,
    TERM_F1,
    TERM_METRICS,
    TRIPLET_F1,
    OpinionOutcomes,
)
from nlpkit.reports.opinion_sections import TERM_REPORT, TRIPLET_REPORT
from nlpkit.reports.usage import FamilyReport
from nlpkit.tasks.answers.claims import Claim
from nlpkit.tasks.answers.differences import Differences, Limits, changed_answers
from nlpkit.tasks.answers.family import (
    PADDING,
    CellType,
    ClassifierFamily,
    ColumnType,
    Head,
    Listed,
    Loss,
    TargetFindings,
)
from nlpkit.tasks.answers.showing import Shown
from nlpkit.tasks.answers.span_decoding import Candidates, candidates, without_rivals
from nlpkit.tasks.answers.span_findings import opinion_findings, polarity_counts
from nlpkit.tasks.answers.span_fit import fit_candidates
from nlpkit.tasks.answers.span_places import (
    by_window,
    key_of,
    merged,
    opinions_in_window,
    places_of,
    target_of,
)
from nlpkit.tasks.answers.span_scores import NUMBERS, SIZE, tables_loss, window_tables
from nlpkit.tasks.answers.span_showing import shown_opinions
from nlpkit.tasks.encoding import Encoded
from nlpkit.tasks.prediction import OPINIONS, FoundOpinion, Prediction

if TYPE_CHECKING:
    import numpy as np

    from nlpkit.settings.training import TextTraining


@dataclass(frozen=True, kw_only=True)
class Spans(ClassifierFamily):
    """Aspects with a polarity each, and where `pairs` is set the words that say it."""

    polarities: tuple[str, ...]
    pairs: bool = True
    weights: tuple[float, ...] = ()
    """What the scores of a candidate count in the logit of its probability; empty before they are fitted."""
    offset: float = 0.0
    """Added to that logit."""
    threshold: float = 0.5
    """The probability above which an opinion is given."""

    @property
    def tables(self) -> tuple[str, ...]:
        """What each table of scores holds: `span_scores.py`."""
        if not self.pairs:
            return tuple(f"aspect {polarity}" for polarity in self.polarities)
        ends = [f"{end} {polarity}" for end in ("first", "last") for polarity in self.polarities]
        return ("aspect", "opinion", *ends)

    @property
    def head(self) -> Head:
        """Two vectors a token for each table."""
        names = tuple(f"{table} {number}" for table in self.tables for number in range(2 * SIZE))
        return Head(names=names, problem="multi_label_classification", level="token")

    @property
    def metrics(self) -> tuple[Metric[OpinionOutcomes], ...]:
        """Those of triplets, or of terms alone."""
        return OPINION_METRICS if self.pairs else TERM_METRICS

    @property
    def best_by(self) -> Metric[OpinionOutcomes]:
        """F1 of what is right in all its parts."""
        return TRIPLET_F1 if self.pairs else TERM_F1

    @property
    def watched(self) -> tuple[Metric[OpinionOutcomes], ...]:
        """The same, and of pairs whatever their polarity."""
        return (TRIPLET_F1, PAIR_F1) if self.pairs else (TERM_F1,)

    @property
    def report(self) -> FamilyReport:
        """Sections of triplets, or of terms alone."""
        return TRIPLET_REPORT if self.pairs else TERM_REPORT

    @property
    def columns(self) -> Mapping[str, ColumnType]:
        """One column, which holds all opinions."""
        spans = ("aspect", "opinion") if self.pairs else ("aspect",)
        parts: dict[str, CellType] = {}
        for span in spans:
            parts |= {span: "string", f"{span}_start": "int", f"{span}_end": "int"}
        return {OPINIONS: Listed(parts={**parts, "polarity": "string", "probability": "float"})}

    @property
    def calibration(self) -> str:
        """The fitted numbers in words."""
        if not self.weights:
            return ""
        weights = ", ".join(f"{weight:.2f}" for weight in self.weights)
        return f"weights {weights}, offset {self.offset:+.2f}, threshold {self.threshold:.2f}"

    def target(self, example: OpinionText, encoded: Encoded) -> list[float]:
        """Return the places of the tokens of its first window, and those of the opinions in it."""
        return target_of(example, encoded, self.polarities, pairs=self.pairs)

    def truth(self, example: OpinionText) -> str:
        """Return the opinions as JSON."""
        opinions = [self._found(example.text, opinion, None) for opinion in example.opinions]
        return json.dumps([opinion.as_json() for opinion in opinions], ensure_ascii=False)

    def loss(self, training: TextTraining, targets: Sequence[Sequence[float]]) -> Loss:
        """Return the loss of the tables."""
        spans = 2 if self.pairs else len(self.polarities)

        def loss(logits: Any, target: Any) -> Any:
            return tables_loss(logits, target, spans=spans, polarities=len(self.polarities), pairs=self.pairs)

        return loss

    def fit(
        self, logits: np.ndarray, examples: Sequence[OpinionText], encoded: Sequence[Encoded] = ()
    ) -> dict[str, Any]:
        """Return weights, offset and threshold that fit held-out outputs best, by name."""
        return fit_candidates(*self.possible(logits, encoded, examples))

    def possible(
        self, logits: np.ndarray, encoded: Sequence[Encoded], examples: Sequence[OpinionText]
    ) -> tuple[list[Candidates], list[set[tuple[int, ...]]]]:
        """Return what may be an opinion in each window, and what truly is one."""
        windows = [self._candidates(outputs) for outputs in by_window(logits, encoded)]
        true = [
            opinions_in_window(example, text, number, self.polarities, pairs=self.pairs)
            for example, text in zip(examples, encoded, strict=True)
            for number in range(len(text.windows))
        ]
        return windows, true

    def decode(self, outputs: np.ndarray, encoded: Sequence[Encoded] = ()) -> list[Prediction]:
        """Return the opinions of each text, in its order.

        Args:
            outputs: of the tokens of all windows, (tokens, outputs).
            encoded: the texts.
        """
        windows = iter(by_window(outputs, encoded))
        answers = []
        for text in encoded:
            opinions = [self._in_window(next(windows), text, number) for number in range(len(text.windows))]
            answers.append(Prediction(opinions=merged(opinions)))
        return answers

    def _candidates(self, outputs: np.ndarray) -> Candidates:
        tables = window_tables(outputs, len(self.tables))
        return candidates(tables, polarities=len(self.polarities), pairs=self.pairs)

    def _chosen(self, possible: Candidates) -> list[tuple[list[int], int, float]]:
        """Return places, number of the polarity and probability of the opinions of a window."""
        import numpy as np
        from scipy.special import expit

        weights = np.array(self.weights or (1.0,) * possible.scores.shape[1])
        probabilities = expit(possible.scores @ weights + self.offset)
        likely = np.flatnonzero(probabilities > self.threshold)
        kept = without_rivals(possible.places[likely], probabilities[likely])
        return [
            (possible.places[at].tolist(), int(possible.polarity[at]), float(probabilities[at]))
            for at in likely[kept].tolist()
        ]

    def _in_window(self, outputs: np.ndarray, text: Encoded, number: int) -> list[FoundOpinion]:
        """Return the opinions of a window, but for those that touch an end at which the text goes on."""
        places = places_of(text)
        offsets, start = places.offsets[number], places.starts[number]
        begins, goes_on = start > 0, start + len(offsets) < text.tokens
        opinions = []
        for where, polarity, probability in self._chosen(self._candidates(outputs)):
            ends = [token for token in where if token >= 0]
            if (begins and 0 in ends) or (goes_on and len(offsets) - 1 in ends):
                continue
            spans = [
                None if first < 0 else Span(start=offsets[first][0], end=offsets[last][1])
                for first, last in (where[:2], where[2:])
            ]
            if spans[0] is not None:
                opinion = Opinion(aspect=spans[0], opinion=spans[1], polarity=self.polarities[polarity])
                opinions.append(self._found(places.text, opinion, probability))
        return opinions

    def _found(self, text: str, opinion: Opinion, probability: float | None) -> FoundOpinion:
        return FoundOpinion(
            text=text,
            aspect=opinion.aspect,
            opinion=opinion.opinion if self.pairs else None,
            polarity=opinion.polarity,
            probability=probability,
        )

    def outcomes(self, examples: Sequence[OpinionText], predictions: Sequence[Prediction]) -> OpinionOutcomes:
        """Pair true and given opinions."""
        return OpinionOutcomes(
            polarities=self.polarities,
            pairs=self.pairs,
            truth=[self._plain(example.opinions) for example in examples],
            given=[tuple(opinion.plain for opinion in answer.opinions or ()) for answer in predictions],
        )

    def _plain(self, opinions: Sequence[Opinion]) -> tuple[Opinion, ...]:
        if self.pairs:
            return tuple(opinions)
        terms = (
            Opinion(aspect=opinion.aspect, opinion=None, polarity=opinion.polarity) for opinion in opinions
        )
        return tuple(dict.fromkeys(terms))

    def outcomes_of(self, outputs: np.ndarray, targets: np.ndarray) -> OpinionOutcomes:
        """Pair the opinions of outputs and of targets, (rows, numbers), by places of tokens; weights, offset
        and threshold are those that are best for these rows.
        """
        windows, true = [], []
        for row, target in zip(outputs, targets, strict=True):
            begin, end = (int(number) for number in target[:2])
            windows.append(self._candidates(row[begin:end].astype("float64")))
            listed = target[2 : 2 + NUMBERS * ((len(target) - 2) // NUMBERS)].reshape(-1, NUMBERS)
            held = listed[listed[:, -1] != PADDING].astype(int)
            held[:, :-1] -= begin * (held[:, :-1] >= 0)
            true.append({tuple(numbers) for numbers in held.tolist()})
        fitted = replace(self, **fit_candidates(windows, true))
        chosen = [[(*places, kind) for places, kind, _ in fitted._chosen(window)] for window in windows]
        truth, given = (
            [tuple(self._by_tokens(numbers) for numbers in sorted(row)) for row in rows]
            for rows in (true, chosen)
        )
        return OpinionOutcomes(polarities=self.polarities, pairs=self.pairs, truth=truth, given=given)

    def _by_tokens(self, numbers: Sequence[int]) -> Opinion:
        a_first, a_last, o_first, o_last, polarity = numbers
        return Opinion(
            aspect=Span(start=a_first, end=a_last + 1),
            opinion=Span(start=o_first, end=o_last + 1) if self.pairs else None,
            polarity=self.polarities[polarity],
        )

    def signs(self, outcomes: OpinionOutcomes) -> tuple[str, ...]:
        """Name what shows that nothing was learned."""
        if any(outcomes.given) or not any(outcomes.truth):
            return ()
        return ("no opinion was given to any text",)

    def preflight(
        self,
        train: Sequence[OpinionText],
        validation: Sequence[OpinionText],
        training: TextTraining,
        targets: Sequence[Sequence[float]] = (),
    ) -> TargetFindings:
        """Describe the opinions.

        Raises:
            DataError: a polarity has no opinions.
        """
        pairs = zip(train, targets, strict=True) if targets else ()
        lost = sum(
            len(set(self._plain(row.opinions))) - (len(target) - 2) // NUMBERS for row, target in pairs
        )
        return opinion_findings(train, self.polarities, lost=lost)

    def strata(self, examples: Sequence[OpinionText]) -> list[str]:
        """Return the rarest polarity of each example."""
        counts = polarity_counts(examples)
        return [
            f"polarity {min(example.labels, key=lambda label: (counts[label], label), default='')}"
            for example in examples
        ]

    def describe(self, parts: Mapping[str, Sequence[OpinionText]]) -> dict[str, Any]:
        """Count the opinions by polarity, part by part."""
        return {"labels": {name: dict(sorted(polarity_counts(part).items())) for name, part in parts.items()}}

    def texts(self, example: OpinionText) -> list[str]:
        """Return the text."""
        return [example.text]

    def parity(
        self,
        before: Sequence[Prediction],
        after: Sequence[Prediction],
        truth: Sequence[object],
        limits: Limits,
    ) -> Differences:
        """Count rows whose opinions change, and compare how many rows are wholly right."""
        words = [
            [key_of([opinion.as_json() for opinion in answer.opinions or ()]) for answer in answers]
            for answers in (before, after)
        ]
        return changed_answers(words[0], words[1], [key_of(json.loads(str(row))) for row in truth], limits)

    def shown(self, answer: Prediction) -> Shown:
        """Return the opinions in words and as parts of their text."""
        return shown_opinions(answer)

    def claims(self, answer: Prediction, label: str | None = None) -> tuple[Claim, ...]:
        """Return no claims: opinions are parts of the text themselves."""
        return ()
