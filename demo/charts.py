"""Small plots as SVG inside the page: no script, no font, no request, and a text for screen readers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 360, 150
LEFT, RIGHT, TOP, BOTTOM = 34, 8, 10, 22


def sentiment_plot(scores: Sequence[float], labels: Sequence[str], trend: str = "steady") -> str:
    """Draw the mood of each of the user's turns, from -1 at the bottom to 1 at the top."""
    if not scores:
        return '<p class="quiet">The mood of each of your messages will be drawn here.</p>'
    step = (WIDTH - LEFT - RIGHT) / max(len(scores), 4)
    points = [(LEFT + step * (number + 0.5), _height(score)) for number, score in enumerate(scores)]
    parts = [_line(level, words) for level, words in ((1, "good"), (0, ""), (-1, "bad"))]
    parts.append(f'<polyline class="mood-line" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>')
    for number, ((x, y), score, label) in enumerate(zip(points, scores, labels, strict=True), 1):
        words = f"message {number}: {escape(label)}, {score:+.2f}"
        parts.append(
            f'<circle class="{tone(score)}" cx="{x:.1f}" cy="{y:.1f}" r="{_radius(len(scores))}">'
            f"<title>{words}</title></circle>"
        )
    every = max(1, -(-len(scores) // 8))
    parts += [
        f'<text x="{x:.1f}" y="{HEIGHT - 6}" text-anchor="middle">{number}</text>'
        for number, (x, _) in enumerate(points, 1)
        if (number - 1) % every == 0
    ]
    spoken = f"Mood over {len(scores)} of your messages, the last {scores[-1]:+.2f}: {trend}"
    return _svg("mood-plot", spoken, parts)


def tone(score: float) -> str:
    """Return the CSS class with the color of a score."""
    return "good" if score > 0.15 else "bad" if score < -0.15 else "even"


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


def _svg(name: str, spoken: str, parts: Sequence[str]) -> str:
    return (
        f'<svg class="{name}" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
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
