"""Small plots as SVG inside the page: no script, no font, no request, and a text for screen readers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from nlpkit.chat.sentiment import Sentiment, SentimentTrend, name_score

WIDTH, HEIGHT = 360, 150
LEFT, RIGHT, TOP, BOTTOM = 34, 8, 10, 22


def sentiment_plot(trend: SentimentTrend, turns: Sequence[int] = ()) -> str:
    """Draw the mood of the user's messages, from -1 at the bottom to 1 at the top.

    Each point links to its message, whose number among the user's messages is in `turns`, counted from 0. A
    point that is not sure is hollow.
    """
    sentiments = trend.sentiments
    if not sentiments:
        return '<p class="quiet">The mood of each of your messages will be drawn here.</p>'
    step = (WIDTH - LEFT - RIGHT) / max(len(sentiments), 4)
    points = [
        (LEFT + step * (number + 0.5), _height(sentiment.score))
        for number, sentiment in enumerate(sentiments)
    ]
    parts = [_line(level, words) for level, words in ((1, "good"), (0, ""), (-1, "bad"))]
    parts.append(f'<polyline class="mood-line" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>')
    numbers = [turn + 1 for turn in turns or range(len(sentiments))]
    for number, (x, y), sentiment in zip(numbers, points, sentiments, strict=True):
        words = escape(
            f"message {number}: {sentiment.score:+.2f}{sentiment.certainty or f' ({sentiment.label})'}"
        )
        parts.append(
            f'<a href="#chatbot" data-turn="{number - 1}" aria-label="{words}">'
            f'<circle class="{tone(sentiment)}" cx="{x:.1f}" cy="{y:.1f}" r="{_radius(len(sentiments))}">'
            f"<title>{words}</title></circle></a>"
        )
    every = max(1, -(-len(sentiments) // 8))
    parts += [
        f'<text x="{x:.1f}" y="{HEIGHT - 6}" text-anchor="middle">{number}</text>'
        for index, (number, (x, _)) in enumerate(zip(numbers, points, strict=True))
        if index % every == 0
    ]
    spoken = f"Mood of {len(sentiments)} of your messages. {' '.join(trend.sentences)}"
    return _svg("mood-plot", spoken, parts, role="group")


def tone(sentiment: Sentiment) -> str:
    """Return the CSS class with the color of a sentiment; one that is not sure has none."""
    colors = {"unhappy": "bad", "happy": "good"}
    if not sentiment.is_sure:
        return "unsure"
    return colors.get(name_score(sentiment.score).removeprefix("very "), "even")


def bars(counts: Mapping[str, float], *, spoken: str, unit: str = "") -> str:
    """Draw one bar for each name with its number; the longest bar has the full width."""
    largest = max(counts.values(), default=0) or 1
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        f'<td class="bar"><span style="width:{100 * count / largest:.1f}%"></span></td>'
        f'<td class="number">{_number(count)}{unit}</td></tr>'
        for name, count in counts.items()
    )
    return f'<table class="bars"><caption>{escape(spoken)}</caption><tbody>{rows}</tbody></table>'


def histogram(counts: Sequence[int], low: float, high: float, *, spoken: str) -> str:
    """Draw columns of equal width between two ends."""
    largest = max(counts, default=0) or 1
    step = (WIDTH - LEFT - RIGHT) / max(len(counts), 1)
    floor = HEIGHT - BOTTOM
    parts = [f'<line class="grid" x1="{LEFT}" y1="{floor}" x2="{WIDTH - RIGHT}" y2="{floor}"/>']
    for number, count in enumerate(counts):
        tall = (floor - TOP) * count / largest
        left, right = (low + (high - low) * edge / len(counts) for edge in (number, number + 1))
        ends = f"{left:.2f} to {right:.2f}"
        parts.append(
            f'<rect class="column" x="{LEFT + step * number + 1:.1f}" y="{floor - tall:.1f}" '
            f'width="{step - 2:.1f}" height="{tall:.1f}">'
            f"<title>{ends}: {count:,}</title></rect>"
        )
    for at, words in (
        (LEFT, f"{low:g}"),
        ((LEFT + WIDTH - RIGHT) / 2, f"{(low + high) / 2:g}"),
        (WIDTH - RIGHT, f"{high:g}"),
    ):
        parts.append(f'<text x="{at}" y="{HEIGHT - 6}" text-anchor="middle">{words}</text>')
    parts.append(f'<text x="{LEFT - 4}" y="{TOP + 8}" text-anchor="end">{largest:,}</text>')
    plot = _svg("histogram", spoken, parts)
    return f'<figure class="plot"><figcaption>{escape(spoken)}</figcaption>{plot}</figure>'


def _svg(name: str, spoken: str, parts: Sequence[str], *, role: str = "img") -> str:
    return (
        f'<svg class="{name}" viewBox="0 0 {WIDTH} {HEIGHT}" role="{role}" '
        f'aria-label="{escape(spoken, quote=True)}" '
        f'preserveAspectRatio="xMidYMid meet">{"".join(parts)}</svg>'
    )


def _height(score: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - max(-1.0, min(1.0, score))) / 2


def _line(score: float, words: str) -> str:
    y = _height(score)
    label = f'<text x="{LEFT - 4}" y="{y + 4:.1f}" text-anchor="end">{words}</text>' if words else ""
    return f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>{label}'


def _radius(count: int) -> float:
    return 5.0 if count <= 20 else 3.5 if count <= 60 else 2.0


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"
