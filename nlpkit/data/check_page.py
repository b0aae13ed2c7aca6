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
:root{color-scheme:light dark;--page:#f5f6f8;--card:#fff;--ink:#18202b;--muted:#566173;--line:#dfe3e9;
--accent:#2457c5;--info:#2457c5;--warning:#8f5500;--error:#b3261e;
--good:#16703c;--good-soft:#e3f3e9;--warning-soft:#fbf0df;--error-soft:#fbe9e7}
@media (prefers-color-scheme:dark){:root{--page:#0e131a;--card:#161d27;--ink:#e7ebf1;--muted:#a0acbc;
--line:#2b3543;--accent:#86aeff;--info:#86aeff;--warning:#f0b35a;--error:#ff9d92;
--good:#6fd396;--good-soft:#15301f;--warning-soft:#33260f;--error-soft:#3a1d1b}
svg{filter:invert(1) hue-rotate(180deg)}}
*{box-sizing:border-box}
body{font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;color:var(--ink);
background:var(--page);margin:0;overflow-wrap:break-word}
header,main{max-width:72rem;margin:0 auto;padding:0 1.5rem}header{padding-top:2.5rem}main{padding-bottom:4rem}
h1{font-size:clamp(1.6rem,4vw,2.3rem);line-height:1.2;margin:0 0 .3rem;overflow-wrap:anywhere}
h2{font-size:1.25rem;margin:2rem 0 .8rem}h3{font-size:1rem;font-weight:400;margin:0}
.eyebrow{color:var(--accent);font-weight:650;font-size:.8rem;letter-spacing:.08em;text-transform:uppercase;
margin:0 0 .4rem}
.facts,.hint,.where,.note{color:var(--muted)}.facts,.note{font-size:.92rem}.facts{margin:0}.where{font-size:.85rem}
.verdict{display:inline-block;font-size:1.25rem;line-height:1.35;font-weight:680;margin:.9rem 0 0;
padding:.45rem .9rem;border-radius:10px;background:var(--good-soft);color:var(--good)}
.verdict.warning{background:var(--warning-soft);color:var(--warning)}
.verdict.error{background:var(--error-soft);color:var(--error)}
section,.finding{background:var(--card);border:1px solid var(--line);border-radius:14px;
padding:1.1rem 1.4rem;margin:0 0 1rem}
.contents{list-style:none;padding:0;margin:1.1rem 0}.contents a{color:var(--ink)}.contents li{margin:.35rem 0}
.contents .tag{display:inline-block;min-width:5rem}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.45rem .8rem .45rem 0;border-bottom:1px solid var(--line);vertical-align:top}
tr:last-child>td{border-bottom:0}
th{font-weight:600;color:var(--muted)}.finding{border-left:5px solid var(--info)}
.finding.warning{border-left-color:var(--warning)}
.finding.error{border-left-color:var(--error)}.finding p{margin:.2rem 0}
.tag{font-weight:600;text-transform:uppercase;font-size:.75rem;letter-spacing:.05em}
.info .tag{color:var(--info)}.warning .tag{color:var(--warning)}.error .tag{color:var(--error)}
.finding ul{margin:.5rem 0 0;padding-left:1.2rem}li{overflow-wrap:anywhere}
a:focus-visible,[tabindex]:focus-visible{outline:3px solid var(--accent);outline-offset:2px;border-radius:4px}
figure{margin:0 0 1rem}svg{width:100%;height:auto}
@media (max-width:34rem){header,main{padding-left:1rem;padding-right:1rem}
section,.finding{padding:1rem}.contents .tag{min-width:0}}
@media print{section,.finding{break-inside:avoid}}
</style></head><body>
{% macro words(finding) %}{% if rows | length > 1 %}{{ finding.part }}: {% endif %}
{{- finding.message }}{% endmacro %}
<header>
<p class="eyebrow">Data check</p>
<h1>{{ files | join(", ") or "Examples" }}</h1>
<p class="facts">{% for row in rows %}
{% if rows | length > 1 %}{{ row[0] }}: {% endif %}{{ row[1] }} {{ names[1] }}{{ "" if loop.last else " · " }}
{% endfor %}</p>
<p class="verdict {{ worst }}">{{ verdict }}</p>
{% if findings %}<ul class="contents">{% for finding in findings %}
<li class="{{ finding.severity }}"><span class="tag">{{ finding.severity }}</span>
<a href="#finding-{{ loop.index }}">{{ words(finding) }}</a></li>{% endfor %}</ul>{% endif %}
</header><main>
<h2>Rows</h2>
<section class="scroll" tabindex="0" aria-label="Rows"><table><thead><tr>
{% for name in names %}<th scope="col">{{ name }}</th>{% endfor %}
</tr></thead><tbody>
{% for row in rows %}<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>{% endfor %}
</tbody></table></section>
<h2>Findings</h2>
{% for finding in findings %}<div class="finding {{ finding.severity }}" id="finding-{{ loop.index }}">
<h3><span class="tag">{{ finding.severity }}</span> {{ words(finding) }}.</h3>
<p class="hint">{{ finding.hint }}.</p>
{% if finding.examples %}<ul>{% for example in finding.examples %}<li>{% for cell in cells(example) %}
{% if loop.last %}{{ cell }}{% else %}<span class="where">{{ cell }}</span> {% endif %}
{% endfor %}</li>{% endfor %}</ul>{% endif %}
</div>{% else %}<section>Nothing to report.</section>{% endfor %}
{% if plots %}<h2>Plots</h2><section>
{% for name, svg in plots.items() %}<figure role="img" aria-label="{{ name }}">{{ svg }}</figure>{% endfor %}
</section>{% endif %}
<p class="note">Texts count as near-equal when they share {{ "%.0f" % (100 * near_duplicates) }}% of their
word pairs. Personal data is masked.</p>
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
    worst = next((name for name in ("error", "warning") if _count(findings, name)), "")
    return template.render(
        names=names,
        files=files,
        rows=rows,
        findings=findings,
        near_duplicates=near_duplicates,
        cells=cells,
        plots={name: Markup(svg) for name, svg in plots.items()},  # noqa: S704
        worst=worst,
        verdict=verdict(findings),
    )


def verdict(findings: Sequence[Finding]) -> str:
    """Return in plain words whether a model can be trained on the data."""
    errors, cautions = _count(findings, "error"), _count(findings, "warning")
    if errors:
        return f"Not ready for training: {_counted(errors, 'error')}, {_counted(cautions, 'warning')}"
    if cautions:
        return f"Can be trained on; {_counted(cautions, 'warning')} to look at first"
    return "Ready for training: no errors, no warnings"


def _count(findings: Sequence[Finding], severity: str) -> int:
    return sum(finding.severity == severity for finding in findings)


def _counted(count: int, name: str) -> str:
    return f"{count} {name}{'' if count == 1 else 's'}"


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
