"""The page and the plots of a check."""

from __future__ import annotations

import io
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from nlpkit.data.check_findings import Finding, PartCounts, cells

Table: TypeAlias = tuple[tuple[str, ...], list[tuple[str, ...]]]
"""Column names, and rows of cells."""

_COLORS = ("#3b6fb6", "#e08a3c", "#4f9d69", "#8a63a8")
_MOST_LABELS = 20

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Data check{{ files and ": " }}{{ files | join(", ") }}</title><style>
:root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--ink:#1d2530;--muted:#515c69;--line:#dfe3e8;
--info:#2b5792;--warning:#8f5500;--error:#b3261e}
@media (prefers-color-scheme:dark){:root{--page:#12161c;--card:#1b212a;--ink:#e6eaf0;--muted:#a4afbd;
--line:#323b47;--info:#8ab4f0;--warning:#f0b35a;--error:#ff8f85}
svg{filter:invert(1) hue-rotate(180deg)}}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--page);margin:0}
main{max-width:64rem;margin:0 auto;padding:2rem 1rem 4rem}
h1{font-size:1.7rem;margin:0 0 .3rem}h2{font-size:1.2rem;margin:2.2rem 0 .8rem}
section,.finding{background:var(--card);border:1px solid var(--line);border-radius:8px;
padding:1rem 1.2rem;margin:0 0 .8rem}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.35rem .8rem .35rem 0;border-bottom:1px solid var(--line);vertical-align:top}
th{font-weight:600;color:var(--muted)}.finding{border-left:5px solid var(--info)}
.finding.warning{border-left-color:var(--warning)}
.finding.error{border-left-color:var(--error)}.finding p{margin:.2rem 0}
.tag{font-weight:600;text-transform:uppercase;font-size:.75rem;letter-spacing:.05em}
.info .tag{color:var(--info)}.warning .tag{color:var(--warning)}.error .tag{color:var(--error)}
.hint,.where{color:var(--muted)}.where{font-size:.85rem}
ul{margin:.5rem 0 0;padding-left:1.2rem}li{overflow-wrap:anywhere}
figure{margin:0 0 1rem}svg{width:100%;height:auto}
</style></head><body><main>
<h1>Data check</h1>
{% if files %}<p><b>{{ files | join(", ") }}</b></p>{% endif %}
<p>{{ errors }} error{{ "" if errors == 1 else "s" }},
{{ warnings }} warning{{ "" if warnings == 1 else "s" }}.
Texts count as near-equal when they share {{ "%.0f" % (100 * near_duplicates) }}% of their word pairs.
Personal data is masked.</p>
<h2>Findings</h2>
{% for finding in findings %}<div class="finding {{ finding.severity }}">
<p><span class="tag">{{ finding.severity }}</span> {{ finding.part }}: {{ finding.message }}.</p>
<p class="hint">{{ finding.hint }}.</p>
{% if finding.examples %}<ul>{% for example in finding.examples %}<li>{% for cell in cells(example) %}
{% if loop.last %}{{ cell }}{% else %}<span class="where">{{ cell }}</span> {% endif %}
{% endfor %}</li>{% endfor %}</ul>{% endif %}
</div>{% else %}<section>Nothing to report.</section>{% endfor %}
<h2>Rows</h2>
<section class="scroll"><table><thead><tr>
{% for name in names %}<th scope="col">{{ name }}</th>{% endfor %}
</tr></thead><tbody>
{% for row in rows %}<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>{% endfor %}
</tbody></table></section>
{% if plots %}<h2>Plots</h2><section>
{% for name, svg in plots.items() %}<figure role="img" aria-label="{{ name }}">{{ svg }}</figure>{% endfor %}
</section>{% endif %}
</main></body></html>
"""


def page(
    counts: Table,
    *,
    files: Sequence[str],
    plots: dict[str, str],
    findings: Sequence[Finding],
    near_duplicates: float,
) -> str:
    """Return a check as one page: everything inline, no script, every text escaped."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    names, rows = counts
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(_PAGE)
    severities = [finding.severity for finding in findings]
    return template.render(
        names=names,
        files=files,
        rows=rows,
        findings=findings,
        near_duplicates=near_duplicates,
        cells=cells,
        plots={name: Markup(svg) for name, svg in plots.items()},  # noqa: S704
        errors=severities.count("error"),
        warnings=severities.count("warning"),
    )


def plots(
    parts: Mapping[str, PartCounts], *, edges: Sequence[int], unit: str, window: int | None
) -> dict[str, str]:
    """Draw the balance of labels and the spread of lengths, as inline SVGs by title; without data, none."""
    drawn = {
        "Label balance": _label_balance(parts),
        "Text lengths": _text_lengths(parts, edges, unit, window),
    }
    return {name: svg for name, svg in drawn.items() if svg}


def _label_balance(counts: Mapping[str, PartCounts]) -> str:
    totals: Counter[str] = Counter()
    for part in counts.values():
        totals.update(part.labels)
    labels = [label for label, _ in totals.most_common(_MOST_LABELS)]
    parts = [(name, part) for name, part in counts.items() if part.labels]
    if not labels:
        return ""
    figure, axes = _canvas(1.2 + 0.22 * len(labels) * (1 + len(parts)))
    height = 0.8 / len(parts)
    for index, (name, part) in enumerate(parts):
        # Shares, not counts: a test part of a tenth can then be compared with the training part.
        shares = [100 * part.labels.get(label, 0) / part.rows for label in labels]
        axes.barh(
            [row + height * index for row in range(len(labels))],
            shares,
            height,
            label=name,
            color=_COLORS[index % 4],
        )
    middle = [row + height * (len(parts) - 1) / 2 for row in range(len(labels))]
    # A label such as "$x$" is a name, not a formula.
    axes.set_yticks(
        middle, [label if len(label) <= 30 else label[:27] + "..." for label in labels], parse_math=False
    )
    axes.invert_yaxis()
    axes.set_xlabel("% of the part's rows")
    return _svg(figure, axes, "Label balance")


def _text_lengths(
    counts: Mapping[str, PartCounts], edges: Sequence[int], unit: str, window: int | None
) -> str:
    parts = [(name, part.lengths) for name, part in counts.items() if part.lengths]
    if not parts:
        return ""
    figure, axes = _canvas(3.2)
    for index, (name, lengths) in enumerate(parts):
        shares = [100 * count / sum(lengths.histogram) for count in lengths.histogram]
        axes.stairs(shares, edges, label=name, color=_COLORS[index % 4], linewidth=1.8)
    if window and window < edges[-1]:
        axes.axvline(window, color="#b3261e", linestyle="--", label=f"window ({window})")
    axes.set_xlabel(f"{unit} in a text (the last step holds all longer ones too)")
    axes.set_ylabel("% of the part's rows")
    return _svg(figure, axes, "Text lengths")


def _canvas(height: float) -> tuple[Any, Any]:
    """Make a figure without pyplot, which would keep every figure of a long-lived process."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _svg(figure: Any, axes: Any, title: str) -> str:
    """Return the figure as an svg element, the same bytes for the same report."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    axes.set_title(title, loc="left", fontweight="bold")
    axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=4)
    written = io.StringIO()
    with rc_context({"svg.hashsalt": title, "svg.fonttype": "none"}), warnings.catch_warnings():
        # The reader's browser has the letters that matplotlib's own font lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        FigureCanvasSVG(figure).print_svg(written, metadata={"Date": None})
    text = written.getvalue()
    return text[text.index("<svg") :]
