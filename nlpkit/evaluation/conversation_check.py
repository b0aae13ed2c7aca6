"""Check conversations before training, wherever they lie, with rows and tokens as a training has them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from nlpkit.data.check_findings import GRAVEST_FIRST, DialogueCounts, Excerpt, Finding, Severity, shown
from nlpkit.data.check_report import CheckReport
from nlpkit.data.checks import check as check_examples
from nlpkit.data.conversation_shapes import layout_of
from nlpkit.data.conversations import Reading, conversations_of
from nlpkit.data.examples import Conversation, LabeledText
from nlpkit.data.personal import Detector
from nlpkit.data.records import BadRow, read_records
from nlpkit.data.rows import LeftOut
from nlpkit.data.text_checks import counted
from nlpkit.errors import DataError
from nlpkit.evaluation.data_check import left_out_finding
from nlpkit.models.bases import find_base
from nlpkit.models.pretrained import load_tokenizer
from nlpkit.prompts.rendering import DEFAULT_TEMPLATE
from nlpkit.settings.data import ConversationSource
from nlpkit.settings.training import LanguageBase
from nlpkit.sources import resolve
from nlpkit.tasks.answers.reply import count_replies
from nlpkit.tasks.dialogue_rows import encode_part
from nlpkit.tasks.encoding import token_ids


def holds_conversations(source: str, *, label: str, format: str | None, encoding: str | None) -> bool:
    """Return whether the first row of a file or a folder is of a conversation, and has no such label."""
    try:
        path = resolve(source, kind="data")
        if not (path.is_file() or path.is_dir()):
            return False  # a pipe can be read only once
        first = next(read_records(path, format=format, encoding=encoding), None)
        if first is None or label in first.fields:
            return False
        layout_of(iter([first]), ConversationSource(source=source))
    except DataError:  # whoever reads the labels will say so
        return False
    return True


def check_conversations(
    source: ConversationSource,
    *,
    test: str | None = None,
    base: str | None = None,
    on_error: Literal["stop", "skip"] = "stop",
    near_duplicates: float = 0.8,
    pii: Detector = "patterns",
) -> CheckReport:
    """Check conversations before training: counts, lengths, and findings with the gravest first.

    Args:
        source: where they lie, and whom the model learns to be; `on_bad` and `limit` mean nothing here.
        test: held-out conversations, read as `source` is, to find overlap with.
        base: a chat base whose tokens lengths are counted in; else they are counted in words.
        on_error: whether conversations that can't be used are an error, or are to be skipped: a warning.
        near_duplicates: conversations that share this much (Jaccard similarity of word pairs) count as
            near-equal.
        pii: `presidio` finds more kinds of numbers and needs the extra `pii`.

    Raises:
        ConfigError: `pii` asks for presidio, which is not installed.
        DataError: there is no such file or column, or no conversation can be used.
        SourceError: the data or the base can't be fetched.
    """
    names = {"data": source.source, **({} if test is None else {"test": test})}
    tokenizer = None if base is None else _chat_tokenizer(base)
    severity: Severity = "error" if on_error == "stop" else "warning"
    counts: dict[str, DialogueCounts] = {}
    texts: dict[str, list[LabeledText]] = {}
    findings: list[Finding] = []
    for part, name in names.items():
        reading, passed = _read(source.model_copy(update={"source": name, "on_bad": "skip"}))
        distinct = list({conversation.where: conversation for conversation in reading.conversations}.values())
        texts[part] = [LabeledText(text=_text(talk), label=None, where=talk.where) for talk in distinct]
        counts[part] = DialogueCounts(
            turns=sum(len(talk.turns) for talk in distinct),
            replies=count_replies(reading.conversations),
            speakers=dict(reading.speakers),
        )
        findings += _about_reading(part, reading, severity)
        findings += [left_out_finding(part, row) for row in passed]
        if tokenizer is not None:
            findings += _about_rows(part, reading.conversations, tokenizer)
    report = check_examples(
        texts,
        tokens=None if tokenizer is None else lambda each: [len(ids) for ids in token_ids(tokenizer, each)],
        window=None,
        near_duplicates=near_duplicates,
        pii=pii,
        noun="conversation",
    )
    files = tuple(Path(name).name for name in names.values())
    parts = {name: part.model_copy(update={"dialogue": counts[name]}) for name, part in report.parts.items()}
    gravest = sorted((*findings, *report.findings), key=lambda each: GRAVEST_FIRST.index(each.severity))
    return report.model_copy(update={"parts": parts, "findings": tuple(gravest), "files": files})


def _read(source: ConversationSource) -> tuple[Reading, list[LeftOut]]:
    bad: list[BadRow] = []
    passed: list[LeftOut] = []
    records = read_records(
        resolve(source.source, kind="data"),
        format=source.format,
        encoding=source.encoding,
        on_bad=bad.append,
        on_left_out=passed.append,
    )
    return conversations_of(records, source, bad=bad), passed


def _text(conversation: Conversation) -> str:
    return "\n".join(turn.text for turn in conversation.turns)


def _chat_tokenizer(base: str) -> Any:
    folder, _ = find_base(base)
    tokenizer = load_tokenizer(folder)
    if not tokenizer.chat_template:
        tokenizer.chat_template = DEFAULT_TEMPLATE
    return tokenizer


def _about_reading(part: str, reading: Reading, severity: Severity) -> Iterator[Finding]:
    if reading.left_out:
        examples = tuple(Excerpt(part=part, where="", text=shown(reason)) for reason in reading.skipped)
        yield Finding(
            kind="unusable",
            severity=severity,
            part=part,
            rows=reading.left_out,
            message=f"{counted(reading.left_out, 'conversation')} can't be used",
            hint="Correct them, or leave them out of the training with `on_bad: skip` below the source",
            examples=examples,
        )
    if reading.unused:
        yield Finding(
            kind="unused columns",
            severity="info",
            part=part,
            rows=0,
            message=f"columns that are not used: {', '.join(map(shown, reading.unused))}",
            hint="Name a column with --text, --speaker, --conversation or --system where it is needed",
        )


def _about_rows(part: str, conversations: Sequence[Conversation], tokenizer: Any) -> Iterator[Finding]:
    window = LanguageBase().max_tokens or tokenizer.model_max_length
    encoded = encode_part(conversations, tokenizer, window)
    if encoded.left_out:
        yield Finding(
            kind="over window",
            severity="warning",
            part=part,
            rows=encoded.left_out,
            message=f"{encoded.left_out:,} replies don't fit {window} tokens with the turn they answer",
            hint="Training leaves them out; a larger base.max_tokens learns them",
        )
    if encoded.injected:
        yield Finding(
            kind="control tokens",
            severity="info",
            part=part,
            rows=encoded.injected,
            message=f"{encoded.injected:,} of the texts spell a control token of the model",
            hint="The model reads them as plain characters: there is nothing to do",
        )
