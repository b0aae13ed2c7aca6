"""A classifier that gives no label, a set of labels, or an interval, where it is not certain."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from nlpkit.classifiers.classifier import Classifier, default_run
from nlpkit.data.examples import TextInput
from nlpkit.errors import ConfigError
from nlpkit.run import Run
from nlpkit.tasks.answers.family import ColumnType
from nlpkit.tasks.prediction import ABSTAINED, ENDS, SET, Prediction
from nlpkit.trust.answer_columns import refuse_other_answers
from nlpkit.trust.calibration_rows import CalibrationRows, calibration_rows, value_rows
from nlpkit.trust.group_promises import group_promises_for_file, sets_by_group
from nlpkit.trust.prediction_sets import Interval, interval, least_probabilities
from nlpkit.trust.promise import PROMISED, promise_for_file


@dataclass(frozen=True, kw_only=True)
class Caution:
    """What an answer must reach."""

    threshold: float | None = None
    """A label or an opinion that is less probable is not given; None: each is."""
    least: Mapping[str, float] | None = None
    """The least probability with which each label is in the prediction set; None: there are no sets."""
    interval: Interval | None = None
    """Where the number that people give may lie; None: there are no intervals."""
    by: str | None = None
    """The column with groups; None: all texts are one."""
    groups: Mapping[str, Caution] = field(default_factory=dict)
    """Group -> what its answers must reach. For the other groups the rest of this holds."""

    def of(self, group: str) -> Caution:
        """Return what the answers to a group must reach."""
        return self.groups.get(group, self)

    @property
    def identity(self) -> str:
        """Changes with whatever may change an answer."""
        if self.interval is not None:
            return f" intervals {self.interval.ratio:.6f} {self.interval.least:.6f}"
        words = "" if self.threshold is None else f" from {self.threshold:.6f}"
        if self.least is not None:
            words += f" sets {' '.join(f'{p:.6f}' for p in self.least.values())}"
        if self.by is not None:
            words += f" by {self.by!r}"
        return words + "".join(f", {group!r}{of.identity}" for group, of in sorted(self.groups.items()))


def caution_for(
    run: str | None,
    classifier: Classifier,
    *,
    file: str,
    max_error: float | None,
    sets: float | None,
    held_out: str | None,
    talk: Callable[[str], None],
    by: str | None = None,
    text: str = "text",
    format: str | None = None,
    encoding: str | None = None,
    skips_bad_rows: bool = False,
    **fields: Any,
) -> Caution:
    """Return what an answer must reach so that promises hold for a file, and tell what they are.

    Args:
        run: of the classifier; None: the built-in one.
        classifier: that of the run.
        file: what is scored.
        max_error: the share of wrong labels among those given; None: each text gets one.
        sets: the share of the texts of each label whose set must hold it, or of all texts whose interval must
            hold their number; None: neither.
        held_out: labeled rows that it was not trained on; default: those of its training.
        talk: gets the promises in words.
        by: the column with groups, in each of which the promises must hold; None: in the whole file.
        text: the column that holds the text.
        format: of the file, as the name shows by default.
        encoding: of a text file that is not UTF-8.
        skips_bad_rows: whether rows without a text are left out.
        fields: settings of the source `held_out`, such as `label`.

    Raises:
        ConfigError: the classifier gives no labels, for sets not one a text and no number; the file can't
            be read twice; or intervals are asked for by group.
        DataError: a file or a row is wrong, or a promise cannot be kept.
    """
    opened = default_run() if run is None else Run.open(run)
    if sets is not None and max_error is None and "value" in classifier.columns:
        if by is not None:
            raise ConfigError("--by: intervals of numbers have no groups; hint: leave out --by")
        numbers = value_rows(opened, classifier, held_out, **fields)
        talk(
            f"intervals that hold the number people give in at least {sets:.1%} of the texts, as far as "
            f"these look like the {len(numbers):,} labeled rows ({numbers.source})"
        )
        return Caution(interval=interval(numbers, sets))
    if sets is not None:
        refuse_other_answers(classifier, "--sets")
    else:
        refuse_other_answers(classifier, "--max-error", PROMISED)
    reading: dict[str, Any] = {
        "text": text, "format": format, "encoding": encoding, "skips_bad_rows": skips_bad_rows
    }  # fmt: skip
    if by is not None:
        rows = calibration_rows(opened, classifier, held_out, by=by, **fields)
        return _by_group(classifier, rows, file, by, max_error, sets, talk, reading)
    rows = calibration_rows(opened, classifier, held_out, **fields)
    least, threshold = None, None
    if sets is not None:
        least = dict(zip(rows.labels, least_probabilities(rows, sets).tolist(), strict=True))
        talk(
            f"sets that hold the true label of at least {sets:.1%} of the texts of each label, as far as "
            f"these look like the {len(rows):,} labeled rows ({rows.source})"
        )
    if max_error is not None:
        promise = promise_for_file(classifier, rows, file, max_error=max_error, **reading)
        threshold = promise.threshold
        talk(promise.in_words())
    return Caution(threshold=threshold, least=least)


def _by_group(
    classifier: Classifier,
    rows: CalibrationRows,
    file: str,
    by: str,
    max_error: float | None,
    sets: float | None,
    talk: Callable[[str], None],
    reading: Mapping[str, Any],
) -> Caution:
    """Return what the answers to each group must reach. Groups without a promise get no label, and a set of
    all labels.
    """
    least: dict[str, Any] = {}
    thresholds: dict[str, float] = {}
    if sets is not None:
        least, refused = sets_by_group(rows, sets)
        talk(
            f"sets that hold the true label of at least {sets:.1%} of the texts of each label, in "
            f"{', '.join(least)} alike, as far as these look like the labeled rows of their group "
            f"({rows.source}); all labels for other texts"
        )
        for group, reason in refused.items():
            talk(f"all labels for {group}: {reason}")
    if max_error is not None:
        promised = group_promises_for_file(classifier, rows, file, by=by, max_error=max_error, **reading)
        thresholds = {group: made.threshold for group, made in promised.promises.items()}
        for line in promised.in_words():
            talk(line)

    def of(group: str) -> Caution:
        in_set = least.get(group, [0.0] * len(rows.labels))
        return Caution(
            threshold=None if max_error is None else thresholds.get(group, math.inf),
            least=None if sets is None else dict(zip(rows.labels, map(float, in_set), strict=True)),
        )

    groups = {group: of(group) for group in sorted(least.keys() | thresholds.keys())}
    return replace(of(""), by=by, groups=groups)


class Cautious:
    """A classifier with a caution."""

    def __init__(self, classifier: Classifier, caution: Caution) -> None:
        self.classifier = classifier
        self.caution = caution

    @property
    def columns(self) -> Mapping[str, ColumnType]:
        """The columns that a scored file gains."""
        columns = dict(self.classifier.columns)
        if self.caution.interval is not None:
            return {"value": columns.pop("value"), **dict.fromkeys(ENDS, "float"), **columns}
        if self.caution.least is None:
            return columns
        return {"label": columns.pop("label"), SET: "string", **columns}

    @property
    def fingerprint(self) -> str:
        """Changes with whatever may change an answer, but for the budget."""
        return self.classifier.fingerprint + self.caution.identity

    @property
    def budget(self) -> int:
        """Max tokens per batch."""
        return self.classifier.budget

    @budget.setter
    def budget(self, budget: int) -> None:
        self.classifier.budget = budget

    def tune(self, texts: Sequence[str | TextInput]) -> int:
        """Choose, use and return the budget that is fastest for such texts."""
        return self.classifier.tune([_text(given) for given in texts])

    def predict(self, texts: Sequence[str | TextInput]) -> list[Prediction]:
        """Return one prediction for each text. A text is computed once, whatever groups it is in."""
        distinct = list(dict.fromkeys(map(_text, texts)))
        answers = dict(zip(distinct, self.classifier.predict(distinct), strict=True))
        return [self._cautious(answers[_text(given)], self.caution.of(_group(given))) for given in texts]

    def _cautious(self, answer: Prediction, caution: Caution) -> Prediction:
        if caution.interval is not None:
            ends = caution.interval.around(float(answer.value or 0.0), answer.spread)
            return replace(answer, ends=ends)
        chances, threshold, least = answer.probabilities, caution.threshold, caution.least
        if answer.opinions is not None:
            likely = [each for each in answer.opinions if threshold is None or each.likely >= threshold]
            return replace(answer, opinions=tuple(likely))
        if answer.labels is not None:
            kept = [name for name in answer.labels if threshold is None or chances[name] >= threshold]
            return replace(answer, labels=tuple(kept))
        label = str(answer.label)
        if least is not None:
            inside = [name for name in chances if name == label or chances[name] >= least[name]]
            answer = replace(answer, prediction_set=tuple(sorted(inside, key=lambda name: -chances[name])))
        if threshold is not None and chances[label] < threshold:
            answer = replace(answer, label=ABSTAINED)
        return answer


def _text(given: str | TextInput) -> str:
    return given if isinstance(given, str) else given.text


def _group(given: str | TextInput) -> str:
    return "" if isinstance(given, str) else given.group
