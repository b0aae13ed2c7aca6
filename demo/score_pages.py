"""What the score tab shows, as HTML: a scored text, an uploaded file, a scored file."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import pairwise

from demo.charts import bars, histogram
from demo.panel import colored_words
from demo.scored_summary import ScoredFile, Strong, Truth
from demo.scoring import Upload
from demo.text_scorer import EXPLAINED
from nlpkit.data.text_checks import counted
from nlpkit.reports.sections import Mark, pieces_of
from nlpkit.tasks.answers.showing import Shown, ShownPart
from nlpkit.trust.explanation import Explanation
from nlpkit.trust.explanation_page import LEGEND, marks_of

KINDS = {"positive": "good", "negative": "bad", "neutral": "even"}
"""Tone -> the class of its color."""
SEVERAL_LABELS = "Rows that have each label; a row may have several"


def text_page(answer: Shown, *, partial: bool) -> str:
    """Return an answer as HTML."""
    parts = [f'<p class="answer"><strong>{escape(answer.headline)}</strong>{_signed(answer.score)}</p>']
    if answer.parts:
        parts.append(
            f'<p class="words" dir="auto">{marked_text(answer.text, answer.parts)}</p>'
            '<p class="quiet">A number joins what the text speaks of and what it says of it.</p>'
        )
    if answer.shares:
        shares = {name: round(100 * share, 1) for name, share in answer.shares}
        parts.append(bars(shares, spoken="Confidence", unit=" %"))
    if partial:
        parts.append('<p class="quiet">The text is too long; parts of it were not read.</p>')
    return "".join(parts)


def effects_page(explanation: Explanation | None) -> str:
    """Return a text as HTML, its words marked by what each adds to the answer; None is a text that is too
    long.
    """
    if explanation is None:
        return (
            f'<p class="quiet">What each word adds is shown for texts of up to {EXPLAINED} words; '
            "<code>nlpkit explain</code> shows it for longer ones.</p>"
        )
    marks = marks_of(explanation)
    pieces = pieces_of(explanation.text, marks)
    words = "".join(_effect(piece.text, piece.mark) if piece.mark else escape(piece.text) for piece in pieces)
    about = "the number" if explanation.about == "value" else f"\u201c{explanation.about}\u201d"
    legend = LEGEND if marks else "No single word changes it."
    notes = "".join(f" {note[:1].upper()}{note[1:]}." for note in explanation.notes())
    return (
        f'<h3>What {escape(about)} rests on</h3><p class="words" dir="auto">{words}</p>'
        f'<p class="quiet">{escape(legend + notes)}</p>'
    )


def _effect(text: str, mark: Mark) -> str:
    style = f' style="--effect:{mark.strength}%"' if mark.strength else ""
    return f'<mark class="{mark.kind} part"{style}>{escape(text)}<small> {escape(mark.weight)}</small></mark>'


def marked_text(text: str, parts: Sequence[ShownPart]) -> str:
    """Return a text in HTML with its parts colored by tone; what is said of a part stands behind it."""
    edges = sorted({0, len(text), *(edge for part in parts for edge in (part.start, part.end))})
    pieces = []
    for start, end in pairwise(edges):
        here = [part for part in parts if part.start <= start and end <= part.end]
        names = ", ".join(dict.fromkeys(part.name for part in here if part.end == end))
        tones = {part.tone for part in here}
        kind = KINDS[tones.pop() if len(tones) == 1 else "neutral"]
        name = f"<small> {escape(names)}</small>" if names else ""
        piece = escape(text[start:end])
        pieces.append(f'<mark class="{kind} part">{piece}{name}</mark>' if here else piece)
    return "".join(pieces)


def upload_page(file: str, upload: Upload) -> str:
    """Return an uploaded file as HTML: its columns, and the first texts."""
    columns = escape(", ".join(upload.columns)[:300])
    texts = "".join(f"<li>{escape(text[:120])}</li>" for text in upload.sample)
    about = f"<p><strong>{escape(file)}</strong>, columns: {columns}</p>"
    return f"{about}<p class='quiet'>The first texts:</p><ul>{texts}</ul>" if texts else about


def file_page(scored: ScoredFile) -> str:
    """Return a scored file as HTML: counts, accuracy where the truth is known, plots, the strongest rows."""
    summary = scored.summary
    words = f"{counted(summary.rows)} scored in {summary.seconds:.1f} s"
    if summary.rejected:
        words += f", {summary.rejected:,} left out because they cannot be read"
    parts = [f'<p class="answer">{words}.</p>']
    if scored.labels:
        counts = {
            f"{name} ({count / summary.rows:.0%})": float(count) for name, count in scored.labels.items()
        }
        parts.append(bars(counts, spoken=SEVERAL_LABELS if scored.are_several else "Rows by label"))
    if scored.truth:
        parts.append(_truth_page(scored.truth))
    if any(scored.bins):
        parts.append(histogram(scored.bins, -1.0, 1.0, spoken="Rows by score"))
    parts += [_strong_page(end, rows) for end, rows in scored.strongest.items()]
    return "".join(parts)


def _truth_page(truth: Truth) -> str:
    from scipy.stats import binomtest

    interval = binomtest(truth.right, truth.rows).proportion_ci(method="wilson")
    words = (
        f"{truth.right / truth.rows:.1%} of {counted(truth.rows)} as in the column {truth.column} "
        f"(95% interval {interval.low:.1%} to {interval.high:.1%})"
    )
    names = sorted({name for pair in truth.counts for name in pair})
    rows = [[name, *(f"{truth.counts.get((name, predicted), 0):,}" for predicted in names)] for name in names]
    caption = "Rows by true label, and across by prediction"
    return f'<p class="answer">{escape(words)}.</p>{_table(caption, ["", *names], rows)}'


def _strong_page(end: str, rows: list[Strong]) -> str:
    shown = [
        (colored_words(row.words, row.text) if row.words else escape(row.text[:400]), escape(row.answer), row)
        for row in rows
    ]
    cells = [[text, answer, f"{row.strength:.3f}"] for text, answer, row in shown]
    return _table(f"{end}, with the words that drove it", ["text", "answer", "strength"], cells, escaped=True)


def _table(caption: str, head: list[str], rows: list[list[str]], *, escaped: bool = False) -> str:
    columns = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{cell if escaped else escape(cell)}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(caption)}">'
        f'<table class="rows"><caption>{escape(caption)}</caption>'
        f"<thead><tr>{columns}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _signed(score: float | None) -> str:
    return "" if score is None else f' <span class="quiet">score {score:+.3f} on a scale from -1 to 1</span>'
