"""Checks of data before training: each finding says what is wrong, in how many rows, and what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from nlpkit.data.check_findings import GRAVEST_FIRST, Finding, Lengths, PartCounts, Severity, shown
from nlpkit.data.check_report import CheckReport
from nlpkit.data.examples import TextExample
from nlpkit.data.identity_checks import identity_findings
from nlpkit.data.label_spellings import spellings
from nlpkit.data.personal import Detector, scanner
from nlpkit.data.text_checks import counted, sheet
from nlpkit.errors import DataError

Tokens = Callable[[Sequence[str]], list[int]]
"""Texts -> how many tokens each has."""

_BINS = 24
_RARE = 10  # fewer rows of a label than this are too few to learn or to measure
_UNEVEN = 0.1  # the rarest label's share of the commonest one's


def check(
    splits: Mapping[str, Sequence[TextExample]],
    *,
    tokens: Tokens | None,
    window: int | None,
    near_duplicates: float = 0.8,
    pii: Detector = "patterns",
    noun: str = "row",
) -> CheckReport:
    """Check data before training: counts, lengths, and findings with the gravest first.

    Args:
        splits: The examples by part, what is trained on first.
        tokens: How many tokens each text has; without it lengths are counted in words.
        window: How many tokens the model can read; only used where `tokens` is given.
        near_duplicates: Texts that share this much (Jaccard similarity of word pairs) count as near-equal.
        pii: `presidio` finds more kinds of numbers and needs the extra `pii`.
        noun: What each example is called.

    Raises:
        ConfigError: `pii` asks for presidio, which is not installed.
        DataError: no part was given.
    """
    if not splits:
        raise DataError("data check: no parts were given; expected at least training rows")
    window = window if tokens else None
    scan = scanner(pii)
    counts = {name: _lengths([example.text for example in part], tokens) for name, part in splits.items()}
    edges = _edges([length for part in counts.values() for length in part])
    parts = {
        name: PartCounts(
            rows=len(part),
            labels=_labels(part),
            values=_values(part),
            lengths=_summary(counts[name], edges, window),
        )
        for name, part in splits.items()
    }
    findings = [
        *_no_rows(parts),
        *_one_answer(parts),
        *_spelled_twice(splits),
        *_unseen_labels(parts),
        *_rare_labels(parts),
        *_over_window(parts, window),
        *identity_findings(splits),
    ]
    findings += sheet(splits, near_duplicates=near_duplicates, scan=scan, noun=noun).findings()
    return CheckReport(
        parts=parts,
        findings=tuple(sorted(findings, key=lambda finding: GRAVEST_FIRST.index(finding.severity))),
        unit="tokens" if tokens else "words",
        window=window,
        near_duplicates=near_duplicates,
        edges=edges,
    )


def _lengths(texts: list[str], tokens: Tokens | None) -> list[int]:
    if not texts:
        return []
    return tokens(texts) if tokens else [len(text.split()) for text in texts]


def _labels(part: Sequence[TextExample]) -> dict[str, int]:
    return dict(Counter(shown(label, 60) for example in part for label in example.labels))


def _values(part: Sequence[TextExample]) -> dict[str, float] | None:
    values = [number for example in part for number in example.numbers]
    return {"min": min(values), "mean": sum(values) / len(values), "max": max(values)} if values else None


def _edges(lengths: list[int]) -> tuple[int, ...]:
    """Return bins of one whole width up to the 99th percentile, so that one long text does not flatten the
    rest.
    """
    reach = sorted(lengths)[int(0.99 * (len(lengths) - 1))] if lengths else 0
    step = reach // _BINS + 1
    return tuple(range(0, reach + step + 1, step))


def _summary(lengths: list[int], edges: tuple[int, ...], window: int | None) -> Lengths | None:
    if not lengths:
        return None
    import numpy as np

    cut = np.clip(lengths, edges[0], edges[-1] - 1)
    marks = dict(
        zip(("p5", "p50", "p95", "p99", "max"), np.percentile(lengths, [5, 50, 95, 99, 100]), strict=True)
    )
    return Lengths(
        mean=sum(lengths) / len(lengths),
        percentiles={name: float(value) for name, value in marks.items()},
        over_window=sum(length > window for length in lengths) / len(lengths) if window else None,
        histogram=tuple(int(count) for count in np.histogram(cut, bins=edges)[0]),
    )


def _no_rows(parts: Mapping[str, PartCounts]) -> Iterator[Finding]:
    for name, part in parts.items():
        if not part.rows:
            hint = "Name a file with rows, or leave the part out"
            yield Finding(
                kind="no rows", severity="error", part=name, rows=0, message="there are no rows", hint=hint
            )


def _one_answer(parts: Mapping[str, PartCounts]) -> Iterator[Finding]:
    for name, part in list(parts.items())[:1]:
        same = part.values is not None and part.values["min"] == part.values["max"]
        if len(part.labels) == 1 or (same and not part.labels):
            only = (
                repr(next(iter(part.labels)))
                if part.labels
                else f"{part.values['min']:g}"
                if part.values
                else ""
            )
            message = f"every row says {only}: there is nothing to tell apart"
            hint = "Add rows of another label, or look at how the config maps labels"
            yield Finding(
                kind="one label", severity="error", part=name, rows=part.rows, message=message, hint=hint
            )


def _spelled_twice(splits: Mapping[str, Sequence[TextExample]]) -> Iterator[Finding]:
    counts = Counter(label for part in splits.values() for example in part for label in example.labels)
    if spelled := spellings(counts):
        yield Finding(
            kind="label spelling",
            severity="error",
            part=", ".join(splits),
            rows=sum(counts[label] for label in spelled.mapping),
            message=spelled.message,
            hint=f"For training, {spelled.hint}; for this check, add {spelled.option}",
        )


def _unseen_labels(parts: Mapping[str, PartCounts]) -> Iterator[Finding]:
    (first, trained), *rest = parts.items()
    for name, part in rest:
        unseen = {
            label: count
            for label, count in part.labels.items()
            if trained.labels and label not in trained.labels
        }
        if unseen:
            message = f"labels that never occur in {first}: {', '.join(map(repr, unseen))}"
            hint = "Look at the spelling, and at how the config maps labels"
            yield Finding(
                kind="unseen label",
                severity="error",
                part=name,
                rows=sum(unseen.values()),
                message=message,
                hint=hint,
            )


def _rare_labels(parts: Mapping[str, PartCounts]) -> Iterator[Finding]:
    for name, part in list(parts.items())[:1]:
        enough = max(_RARE, _UNEVEN * max(part.labels.values(), default=0))
        rare = {label: count for label, count in part.labels.items() if count < enough}
        if rare and len(part.labels) > 1:
            message = (
                f"rare labels: {', '.join(f'{label!r} ({counted(count)})' for label, count in rare.items())}"
            )
            hint = "Add rows of them, join them with another label, or set training.class_weights: balanced"
            yield Finding(
                kind="rare label",
                severity="warning",
                part=name,
                rows=sum(rare.values()),
                message=message,
                hint=hint,
            )


def _over_window(parts: Mapping[str, PartCounts], window: int | None) -> Iterator[Finding]:
    for name, part in parts.items():
        share = part.lengths.over_window if part.lengths else None
        if not share:
            continue
        count = round(share * part.rows)
        severity: Severity = "warning" if share > _UNEVEN else "info"
        message = (
            f"{counted(count)} ({share:.2%}): longer than the {window} tokens that the model reads at once"
        )
        hint = (
            "Scoring reads them in windows; training cuts them, so see that their beginnings tell the label"
        )
        yield Finding(
            kind="over window", severity=severity, part=name, rows=count, message=message, hint=hint
        )
