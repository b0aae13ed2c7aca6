"""Write a first config for a file of the user's own, guessed from its columns and its first rows.

Each guess is written into the config as a comment, with what it was made from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from nlpkit.data.conversation_shapes import layout_of
from nlpkit.data.conversation_speakers import CALLED
from nlpkit.data.good_rows import hint_of
from nlpkit.data.likely_columns import NAMES, columns_as, likely, named
from nlpkit.data.records import BadRow, Record, read_records
from nlpkit.data.text_language import scripts_of
from nlpkit.errors import DataError, nearest
from nlpkit.settings.data import ConversationSource
from nlpkit.settings.training import FEW_STEPS, SMALL_BATCH, ClassifierTraining
from nlpkit.sources import resolve
from nlpkit.training.guessed_task import Guess, guess_task, listed, text_of_cell

ROWS = 50_000
"""Rows that are looked at."""
_FLAGS = frozenset({"0", "1", "true", "false"})
_CONVERSATION = ("conversation", "dialogue", "dialog", "thread", "ticket", "session", "chat")
_SPEAKER = ("speaker", "author", "role", "sender", "from")
_PLAIN = re.compile(
    r"(?!(true|false|null)$)(\.{0,2}/)?[A-Za-z_][\w./-]*( [\w./-]+)*", re.IGNORECASE | re.ASCII
)


def guess_config(
    source: str,
    *,
    text: str | None = None,
    label: str | None = None,
    format: str | None = None,
    encoding: str | None = None,
) -> str:
    """Return a config in YAML for a file: its task, columns and base are guessed, and said in comments.

    Args:
        source: a file, a folder, `hub:org/name` or a catalog name; it is written as it stands here.
        text: the column of the text, if it is not to be guessed.
        label: the column of the label or the number, if it is not to be guessed.
        format: of the file, if its name does not say it.
        encoding: of the file, if it is not UTF-8.

    Raises:
        DataError: the file can't be read, a row does not fit the encoding, all rows are bad, or no column
            looks like a label.
        SourceError: the source can't be fetched.
    """
    bad: list[BadRow] = []
    path = resolve(source, kind="data")

    def note(row: BadRow) -> None:
        bad.append(row)
        if hint := hint_of(row, encoding):  # in another encoding the other rows may be read wrongly too
            raise DataError(f"{row.where}: {row.reason}{hint}")

    rows = list(islice(read_records(path, format=format, encoding=encoding, on_bad=note), ROWS))
    if not rows:
        raise DataError(f"{bad[0].where}: {bad[0].reason}; no other row can be read either")
    columns = tuple(dict.fromkeys(name for row in rows[:100] for name in row.fields))
    for name in (text, label):
        if name is not None and name not in columns:
            raise DataError(f"{source}: no column {name!r}{nearest(name, columns)}")
    guess = _guess(source, rows, columns, text, label)
    unusable = len(bad) + _unusable(guess, rows)
    given = {"format": format, "encoding": encoding}
    guess = replace(guess, columns={**guess.columns, **{key: value for key, value in given.items() if value}})
    if unusable:
        guess = replace(
            guess,
            columns={**guess.columns, "on_bad": "skip"},
            why=(*guess.why, f"on_bad: {unusable:,} of the rows have no text or no label, and are skipped"),
        )
    return _in_yaml(source, guess, len(rows) + len(bad))


def config_name(source: str) -> str:
    """Return a name for the config and its run, made of the file's."""
    stem = Path(source.rstrip("/")).name.partition(".")[0]
    return re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-_") or "mine"


def _guess(
    source: str, rows: Sequence[Record], columns: Sequence[str], text: str | None, label: str | None
) -> Guess:
    if {"chosen", "rejected"} <= set(columns):
        raise DataError(
            f"{source}: holds pairs of replies, which tune a chat model further; "
            "hint: nlpkit config show preference"
        )
    label = label or named(NAMES["label"], columns)
    if turns := _turns(rows, columns, text, label):
        return turns
    if label is None and (dialogue := _dialogue(source, rows)):
        return dialogue
    values = columns_as([row.fields for row in rows[:1000]], [name for name in columns if name != label])
    text = text or likely("text", values)
    if text is None:
        raise DataError(f"{source}: holds no column of texts; hint: nlpkit config new FILE --text COLUMN")
    flags = [name for name in columns if name != text and _are_flags(row.fields.get(name) for row in rows)]
    if label is None and len(flags) > 1:
        why = f"task: emotions, as {listed(flags)} hold 0 or 1 each"
        guess = Guess(
            task={"kind": "emotions"}, columns={"label_columns": flags}, why=(why,), needed=("text",)
        )
    else:
        label = label or likely("label", values)
        if label in (None, text):
            raise DataError(
                f"{source}: no column looks like a label among {listed(columns)}; hint: --label COLUMN; "
                "texts without labels: nlpkit config show adapt"
            )
        guess = guess_task(source, label, [row.fields.get(label) for row in rows])
    texts = [str(row.fields[text]) for row in rows[:1000] if row.fields.get(text)]
    latin = scripts_of(texts).get("LATIN", 0)
    others = [name for name in columns if name not in (text, label, *flags)]
    reasons = [f"text: {text!r}", *guess.why]
    if others:
        reasons.append(f"not used: {listed(others)}")
    if latin < 0.9 * len(texts):
        reasons.append(
            f"base: multilingual, as {len(texts) - latin:,} of {len(texts):,} texts are not in Latin"
        )
        guess = replace(guess, base="multilingual-e5-small")
    return replace(guess, columns={"text": text, **guess.columns}, why=tuple(reasons))


def _turns(
    rows: Sequence[Record], columns: Sequence[str], text: str | None, label: str | None
) -> Guess | None:
    """Return the guess for a file with a row a turn; None for any other."""
    conversation, speaker = named(_CONVERSATION, columns), named(_SPEAKER, columns)
    text = text or named(NAMES["text"], [name for name in columns if name not in (conversation, label)])
    if conversation is None or speaker is None or text is None:
        return None
    ids = {str(row.fields.get(conversation)) for row in rows}
    if len(ids) == len(rows):
        return None
    keys = {"conversation": conversation, "speaker": speaker, "text": text}
    why = f"a row a turn: {conversation!r} tells {len(ids):,} conversations apart, {speaker!r} who speaks"
    if label:
        task = f"task: turn_emotions, the label in {label!r} of each turn, read with the turns before it"
        return Guess(
            task={"kind": "turn_emotions"}, columns={**keys, "label": label}, why=(why, task), needed=()
        )
    return _chat(keys, {row.fields.get(speaker) for row in rows}, why)


def _dialogue(source: str, rows: Sequence[Record]) -> Guess | None:
    """Return the guess for rows that hold a conversation each; None where they do not."""
    try:
        layout, _ = layout_of(iter(rows[:1]), ConversationSource(source=source))
        lines = layout.script(rows[:1]).lines
    except DataError:
        return None
    return _chat({}, {line.speaker for line in lines}, f"conversations, in the shape {layout.shape}")


def _chat(keys: Mapping[str, object], speakers: Iterable[object], why: str) -> Guess:
    roles = {CALLED.get(str(speaker).casefold()) for speaker in speakers}
    bot: dict[str, object] = {} if "assistant" in roles else {"bot": "second"}
    learned = "the second to speak; or name one with `bot:`" if bot else "the assistant"
    return Guess(
        recipe="dialogue",
        task={},
        columns={**keys, **bot},
        why=(why, f"the chat model learns the replies of {learned}"),
        base="smollm2-135m",
        needed=(),
    )


def _unusable(guess: Guess, rows: Sequence[Record]) -> int:
    """Count the rows in which a column that is needed is empty."""
    names = [str(guess.columns[key]) for key in guess.needed if key in guess.columns]
    return sum(any(not text_of_cell(row.fields.get(name)) for name in names) for row in rows)


def _are_flags(cells: Iterable[object]) -> bool:
    return {text_of_cell(cell).casefold() for cell in cells} <= _FLAGS


def _in_yaml(source: str, guess: Guess, rows: int) -> str:
    name = config_name(source)
    counted = f"the first {rows:,} rows" if rows >= ROWS else f"the {rows:,} rows"
    comments = [
        f"Guessed from {counted} of {source}; change what is wrong. All keys: docs/training.md",
        *(f"- {reason}" for reason in guess.why),
    ]
    lines = [f"# {' '.join(comment.split())}" for comment in comments]
    lines += [f"recipe: {guess.recipe}", f"name: {_value(name)}"]
    if guess.task:
        lines += ["task:", *(f"  {key}: {_value(value)}" for key, value in guess.task.items())]
    lines += ["data:", "  train:", f"    - source: {_value(source)}"]
    lines += [f"      {key}: {_value(value)}" for key, value in guess.columns.items()]
    lines += [
        "  validation: 0.1                           # chooses the best checkpoint",
        "  test: 0.1                                 # held out to report on",
        "base:",
        f"  source: {guess.base}",
    ]
    usual = ClassifierTraining()
    if guess.recipe == "sentiment" and 0.8 * rows * usual.epochs / usual.batch_size < FEW_STEPS:
        settings = f"training: {{batch_size: {SMALL_BATCH}, epochs: 5}}"
        lines += [f"{settings}        # few rows: more steps than the defaults take"]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    """Return a value in YAML, on one line; text in quotation marks where YAML needs them."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_value(key)}: {_value(held)}" for key, held in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, str) and _PLAIN.fullmatch(value):
        return value
    return json.dumps(value, ensure_ascii=False)
