"""Check labeled rows before training, wherever they lie, with lengths in the tokens of any base."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from nlpkit.data.check_findings import GRAVEST_FIRST, Excerpt, Finding, Severity, shown
from nlpkit.data.check_report import CheckReport
from nlpkit.data.checks import Tokens
from nlpkit.data.checks import check as check_examples
from nlpkit.data.examples import LabeledText, LabelSetText, TextExample
from nlpkit.data.personal import Detector, scanner
from nlpkit.data.records import BadRow, Record, read_records, text_of
from nlpkit.data.rows import LeftOut
from nlpkit.data.text_checks import counted
from nlpkit.data.text_language import added, scripts_of, unreadable_line
from nlpkit.errors import DataError
from nlpkit.evaluation.annotator_check import agreement_finding
from nlpkit.evaluation.label_doubt import BASE, doubted_labels, doubts_csv, doubts_finding
from nlpkit.files import write_whole
from nlpkit.models.bases import find_base
from nlpkit.models.emoji_names import with_emoji_names
from nlpkit.models.pretrained import load_tokenizer, window_of
from nlpkit.settings.data import LabelSetSource, LabelSource
from nlpkit.sources import resolve
from nlpkit.tasks.annotators import annotated_labels
from nlpkit.tasks.encoding import is_unreadable, token_ids
from nlpkit.tasks.label_names import label_list

Sources = str | Path | Iterable[str | Path]

_SHOWN_ROWS = 10


def check(
    data: Sources | Mapping[str, Sequence[TextExample]],
    *,
    text: str = "text",
    label: str = "label",
    annotators: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
    test: Sources | None = None,
    base: str | None = None,
    format: str | None = None,
    encoding: str | None = None,
    on_error: Literal["stop", "skip"] = "stop",
    tokens: Tokens | None = None,
    window: int | None = None,
    near_duplicates: float = 0.8,
    pii: Detector = "patterns",
    doubts: str | Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> CheckReport:
    """Check labeled rows before training: counts, lengths, and findings with the gravest first.

        nlpkit.check("reviews.csv", label="stars", test="held-out.csv", base="minilm-l6")

    Args:
        data: a file, a folder, `hub:org/name` or a catalog name, or several; or examples, by part.
        text: the column that holds the text.
        label: the column that holds the label.
        annotators: the columns that hold each person's answer, or one that holds a list of them.
        labels: what the files call a label -> what it is to be read as, like `labels` of a config.
        test: held-out rows, to find overlap with.
        base: a base whose tokens lengths are counted in; else they are counted in words.
        format: of the files, where their names do not say it.
        encoding: of the files, where it is not UTF-8.
        on_error: whether rows that can't be read are an error, or are to be skipped: a warning.
        tokens: how many tokens each text has; for examples, instead of `base`.
        window: how many tokens the model reads; only used with `tokens`.
        near_duplicates: texts that share this much (Jaccard similarity of word pairs) count as near-equal.
        pii: `presidio` finds more kinds of numbers and needs the extra `pii`.
        doubts: write the rows whose label is likely wrong to this CSV, judged on the features of `base`,
            by default minilm-l6; needs the extra `noise`.
        progress: gets how many texts of how many the base has read for `doubts`.

    Returns:
        The report. A row that can't be read, and an empty text, are findings.

    Raises:
        ConfigError: `pii` asks for presidio, or `doubts` for cleanlab, which is not installed.
        DataError: there is no such file or column, or labels that can't be doubted.
        SourceError: the data or the base can't be fetched.
    """
    bad: dict[str, list[BadRow]] = {}
    passed: dict[str, list[LeftOut]] = {}
    files: list[str] = []

    def read(part: str, sources: Sources) -> list[TextExample]:
        listed = [sources] if isinstance(sources, (str, Path)) else list(sources)
        files.extend(Path(source).name for source in listed)
        columns, rows = (text, label), bad.setdefault(part, [])
        left_out = passed.setdefault(part, [])
        return [
            example
            for source in listed
            for example in _examples(
                source,
                columns,
                labels or {},
                annotators=annotators,
                format=format,
                encoding=encoding,
                bad=rows,
                left_out=left_out,
            )
        ]

    parts = dict(data) if isinstance(data, Mapping) else {"data": read("data", data)}
    if test is not None:
        parts["test"] = read("test", test)
    counter = None if base is None else _Counter(base)
    if counter:
        tokens, window = counter, counter.window
    report = check_examples(parts, tokens=tokens, window=window, near_duplicates=near_duplicates, pii=pii)
    severity: Severity = "error" if on_error == "stop" else "warning"
    unreadable = tuple(_unreadable(part, rows, severity) for part, rows in bad.items() if rows)
    left_out = tuple(left_out_finding(part, row) for part, rows in passed.items() for row in rows)
    unknown = counter.findings(", ".join(parts)) if counter else ()
    wrong = _doubted(parts, Path(doubts), base=base or BASE, pii=pii, progress=progress) if doubts else ()
    agreed = tuple(filter(None, (agreement_finding(part, rows) for part, rows in parts.items())))
    findings = sorted(
        (*unreadable, *unknown, *report.findings, *wrong, *agreed, *left_out),
        key=lambda finding: GRAVEST_FIRST.index(finding.severity),
    )
    return report.model_copy(update={"findings": tuple(findings), "files": tuple(files)})


def _doubted(
    parts: Mapping[str, Sequence[TextExample]],
    path: Path,
    *,
    base: str,
    pii: Detector,
    progress: Callable[[int, int], None],
) -> tuple[Finding, ...]:
    """Write the rows of the first part whose label is likely wrong, and return the finding."""
    name, examples = next(iter(parts.items()))
    doubts = doubted_labels(examples, base=base, progress=progress)
    write_whole(path, doubts_csv(doubts))
    finding = doubts_finding(name, doubts, path, scanner(pii))
    return (finding,) if finding else ()


class _Counter:
    """Counts a base's tokens, and takes note of the texts that it can't read."""

    def __init__(self, base: str) -> None:
        folder, _ = find_base(base)
        self.base = base
        self.tokenizer = with_emoji_names(load_tokenizer(folder))
        self.window = window_of(folder, self.tokenizer)
        self.texts = 0
        self.unreadable: dict[str, int] = {}

    def __call__(self, texts: Sequence[str]) -> list[int]:
        encoded, unknown = token_ids(self.tokenizer, texts), self.tokenizer.unk_token_id
        self.texts += len(texts)
        self.unreadable = added(
            self.unreadable,
            scripts_of(
                text
                for text, ids in zip(texts, encoded, strict=True)
                if unknown is not None and is_unreadable(ids.count(unknown), len(ids))
            ),
        )
        return [len(ids) for ids in encoded]

    def findings(self, part: str) -> tuple[Finding, ...]:
        if not self.unreadable:
            return ()
        return (
            Finding(
                kind="unknown to the base",
                severity="warning",
                part=part,
                rows=sum(self.unreadable.values()),
                message=unreadable_line(self.unreadable, self.texts),
                hint=f"{self.base} does not know their language: try --base multilingual-e5-small",
            ),
        )


def _examples(
    source: str | Path,
    columns: tuple[str, str],
    labels: Mapping[str, str],
    *,
    annotators: Sequence[str],
    format: str | None,
    encoding: str | None,
    bad: list[BadRow],
    left_out: list[LeftOut],
) -> list[TextExample]:
    path = resolve(str(source), kind="data")
    examples = []
    roles = dict(zip(columns, ("text", "label"), strict=True)) | dict.fromkeys(annotators, "annotators")
    records = read_records(
        path,
        format=format,
        encoding=encoding,
        columns=roles,
        on_bad=bad.append,
        on_left_out=left_out.append,
    )
    for record in records:
        try:
            examples.append(_example(record, *columns, labels, annotators))
        except DataError as error:
            bad.append(BadRow(file=record.file, row=record.row, reason=str(error), raw=""))
    return examples


def _example(
    record: Record, text: str, label: str, labels: Mapping[str, str], annotators: Sequence[str]
) -> TextExample:
    value = record.fields.get(label)
    if isinstance(value, list) or (isinstance(value, str) and value.startswith("[")):
        names = label_list(record, LabelSetSource(source=record.file, label=label))
        known = tuple(dict.fromkeys(labels.get(name, name) for name in names))
        return LabelSetText(text=text_of(record, text, empty="allow"), labels=known, where=record.where)
    name = "" if value is None else str(value).strip()
    text_label = labels.get(name, name) or None
    if text_label is None and not annotators:
        raise DataError(f"{record.where}: column {label!r} holds no label")  # as training does
    people = LabelSource(source=record.file, annotators=tuple(annotators), labels=dict(labels))
    return LabeledText(
        text=text_of(record, text, empty="allow"),
        label=text_label,
        where=record.where,
        annotations=annotated_labels(record, people, ()) if annotators else (),
    )


def left_out_finding(part: str, row: LeftOut) -> Finding:
    """Return what a reader passed over as a finding."""
    return Finding(
        kind="left out",
        severity="info",
        part=part,
        rows=sum(row.counts.values()),
        message=f"left out of {row.file}, because they are no rows: {row.words}",
        hint="See docs/data.md for what each format leaves out",
    )


def _unreadable(part: str, rows: Sequence[BadRow], severity: Severity) -> Finding:
    examples = tuple(
        Excerpt(part=part, where=row.where, text="", note=shown(row.reason.removeprefix(f"{row.where}: ")))
        for row in rows[:_SHOWN_ROWS]
    )
    return Finding(
        kind="unreadable",
        severity=severity,
        part=part,
        rows=len(rows),
        message=f"{counted(len(rows))} can't be read",
        hint="Correct these rows, or leave them out of the training with `on_bad: skip` below the source",
        examples=examples,
    )
