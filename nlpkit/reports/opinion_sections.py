"""Sections and summary of a report on opinions by aspect.

To add a section, write a function and name it in `OPINION_SECTIONS`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from nlpkit.data.examples import Opinion, Span
from nlpkit.metrics.opinions import (
    TERM_F1,
    TRIPLET_F1,
    OpinionOutcomes,
    pair,
)
from nlpkit.reports.constant_answers import no_opinion
from nlpkit.reports.label_sections import Rows
from nlpkit.reports.label_tables import LONGEST, WORST, each_label_table, few_texts
from nlpkit.reports.sections import Column, Example, Mark, Section, Table, Tag, Texts
from nlpkit.reports.usage import OPINION_USAGE, FamilyReport
from nlpkit.reports.wording import compared, in_interval

if TYPE_CHECKING:
    from nlpkit.metrics.score import Score
    from nlpkit.reports.parts import Baseline

MISSED, INVENTED, POLARITY, BORDER = "missed", "invented", "wrong polarity", "wrong border"

KINDS = {
    POLARITY: "the spans are right, the polarity is not.",
    BORDER: "every span shares characters with a true one, but one begins or ends elsewhere.",
    INVENTED: "no true opinion has such spans.",
    MISSED: "no answer has such spans.",
}
"""Kinds of mistakes, in the order in which they are looked for."""


def opinion_summary(scores: dict[str, Score], baselines: tuple[Baseline, ...] = ()) -> tuple[str, ...]:
    """Return the answer in plain words: how good, and compared with what."""
    sentences = []
    score = scores.get(TRIPLET_F1.name, scores.get(TERM_F1.name))
    if score is not None and score.value is not None:
        sentences.append(
            f"{score.title} is {score.shown(score.value)} on {score.count:,} texts{in_interval(score)}: only "
            "what is right to the character counts."
        )
    rate = scores.get("polarity_accuracy")
    if rate is not None and rate.value is not None:
        sentences.append(f"Where the spans are right, {rate.shown(rate.value)} of the polarities are too.")
    return (*sentences, *compared(scores, baselines))


def opinion_limits(outcomes: OpinionOutcomes) -> tuple[str, ...]:
    """Return a warning for each polarity that too few opinions have."""
    counts = Counter(opinion.polarity for row in outcomes.truth for opinion in row)
    return few_texts([(polarity, counts[polarity]) for polarity in outcomes.polarities])


def each_polarity(outcomes: OpinionOutcomes, rows: Rows) -> Section:
    """Return precision, recall and F1 of the opinions of each polarity."""
    cells = []
    for polarity in outcomes.polarities:
        true, given, right = 0, 0, 0
        for truth, answers in zip(outcomes.truth, outcomes.given, strict=True):
            wanted = {opinion for opinion in truth if opinion.polarity == polarity}
            answered = {opinion for opinion in answers if opinion.polarity == polarity}
            true, given, right = true + len(wanted), given + len(answered), right + len(wanted & answered)
        cells.append(
            (
                polarity,
                right / given if given else None,
                right / true if true else None,
                2 * right / (true + given) if true else None,
                true,
            )
        )
    table = each_label_table(cells)
    return table.model_copy(update={"title": "How well does it find each polarity?"})


def mistakes_of(
    true: tuple[Opinion, ...], given: tuple[Opinion, ...]
) -> list[tuple[str, Opinion | None, Opinion | None]]:
    """Return the mistakes of a text, each with the true opinion and the answer that it concerns."""
    left = [opinion for opinion in true if opinion not in given]
    wrong = [opinion for opinion in given if opinion not in true]
    mistakes: list[tuple[str, Opinion | None, Opinion | None]] = []
    for kind, belongs in ((POLARITY, _same_spans), (BORDER, _touch)):
        for answer in list(wrong):
            match = next((opinion for opinion in left if belongs(opinion, answer)), None)
            if match is not None:
                mistakes.append((kind, match, answer))
                left.remove(match)
                wrong.remove(answer)
    mistakes += [(INVENTED, None, answer) for answer in wrong]
    return mistakes + [(MISSED, opinion, None) for opinion in left]


def _same_spans(first: Opinion, second: Opinion) -> bool:
    return pair(first) == pair(second)


def _touch(first: Opinion, second: Opinion) -> bool:
    return _overlap(first.aspect, second.aspect) and (
        first.opinion is None or second.opinion is None or _overlap(first.opinion, second.opinion)
    )


def _overlap(first: Span, second: Span) -> bool:
    return first.start < second.end and second.start < first.end


def commonest_mistakes(outcomes: OpinionOutcomes, rows: Rows) -> Section | None:
    """Return how often each kind of mistake occurs, with its commonest example."""
    counts: Counter[str] = Counter()
    words: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    for number, (true, given) in enumerate(zip(outcomes.truth, outcomes.given, strict=True)):
        for kind, wanted, answer in mistakes_of(true, given):
            counts[kind] += 1
            if rows.texts:
                words[kind][_in_words(rows.texts[number], kind, wanted, answer)] += 1
    if not counts:
        return None
    total = sum(counts.values())
    return Table(
        id="mistakes-by-kind",
        title="Which mistakes are the commonest?",
        nav="Kinds of mistakes",
        note=" ".join(f"{kind.capitalize()}: {meaning}" for kind, meaning in KINDS.items()),
        columns=(
            Column(name="Mistake"),
            Column(name="Times", number=True),
            Column(name="Share", number=True),
            Column(name="Most often"),
        ),
        rows=tuple(
            (
                kind,
                count,
                f"{count / total:.0%}",
                "; ".join(shown for shown, _ in words[kind].most_common(2)),
            )
            for kind, count in counts.most_common()
        ),
    )


def _in_words(text: str, kind: str, wanted: Opinion | None, answer: Opinion | None) -> str:
    held = answer if wanted is None else wanted
    if held is None:
        return ""
    spans = [held.aspect, *([held.opinion] if held.opinion else [])]
    shown = ": ".join(text[span.start : span.end].lower()[:40] for span in spans)
    if kind == POLARITY and answer is not None:
        return f"{shown} ({held.polarity}, given {answer.polarity})"
    return f"{shown} ({held.polarity})"


def texts_with_mistakes(outcomes: OpinionOutcomes, rows: Rows) -> Section | None:
    """Return the texts with the most mistakes, their true spans and the given ones highlighted."""
    if not rows.texts:
        return None
    mistakes = [mistakes_of(true, given) for true, given in zip(outcomes.truth, outcomes.given, strict=True)]
    order = sorted(
        (number for number, each in enumerate(mistakes) if each), key=lambda number: -len(mistakes[number])
    )
    examples = tuple(
        Example(
            text=rows.texts[number][:LONGEST],
            marks=tuple(
                mark
                for opinion in dict.fromkeys((*outcomes.truth[number], *outcomes.given[number]))
                for mark in _marks(opinion, outcomes.truth[number], outcomes.given[number])
                if mark.end <= LONGEST
            ),
            tags=tuple(
                Tag(text=f"{kind}: {_in_words(rows.texts[number], kind, true, answer)}", good=False)
                for kind, true, answer in mistakes[number]
            ),
            where=rows.where[number] if rows.where else "",
        )
        for number in order[:WORST]
    )
    if not examples:
        return None
    wrong = sum(map(bool, mistakes))
    return Texts(
        id="mistakes",
        title="Where is it wrong?",
        nav="Mistakes",
        note=f"{wrong:,} of {len(outcomes):,} texts have a mistake. Underlined: what is true and was found; "
        "with a dashed line: what is true and was missed; crossed: what was given and is not true.",
        examples=examples,
    )


def _marks(opinion: Opinion, true: tuple[Opinion, ...], given: tuple[Opinion, ...]) -> list[Mark]:
    spans = [(opinion.aspect, "aspect"), *([(opinion.opinion, "opinion")] if opinion.opinion else [])]
    marks = []
    for span, role in spans:
        is_true, is_given = (
            any(span in (each.aspect, each.opinion) for each in opinions) for opinions in (true, given)
        )
        kind = "found" if is_true and is_given else "missed" if is_true else "invented"
        marks.append(Mark(start=span.start, end=span.end, name=f"{role}, {opinion.polarity}", kind=kind))
    return marks


OPINION_SECTIONS: tuple[Callable[[OpinionOutcomes, Rows], Section | None], ...] = (
    each_polarity,
    commonest_mistakes,
    texts_with_mistakes,
)
"""In the order in which they are shown."""

TRIPLET_REPORT = FamilyReport(
    sections=OPINION_SECTIONS,
    summary=opinion_summary,
    headline=TRIPLET_F1.name,
    usage=OPINION_USAGE,
    constant=no_opinion,
    limits=opinion_limits,
)
TERM_REPORT = replace(TRIPLET_REPORT, headline=TERM_F1.name)
