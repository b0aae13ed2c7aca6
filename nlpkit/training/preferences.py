"""Preference data: read, split into training and held-out rows, and encoded for training."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field

from nlpkit.data.examples import Turn
from nlpkit.data.preference_rows import PreferenceSource, parse
from nlpkit.data.preference_splits import drop_seen, hold_out
from nlpkit.data.preferences import (
    FEWEST,
    FEWEST_HELD,
    Preference,
    RatedReply,
    ReplyPair,
    pair_up,
    refuse_useless,
    sample,
    take_apart,
)
from nlpkit.data.records import read_records
from nlpkit.errors import DataError
from nlpkit.prompts.build import build_prompt, encode_reply
from nlpkit.settings import Settings
from nlpkit.settings.data import as_sources
from nlpkit.sources import resolve
from nlpkit.tasks.answers.reply import with_history
from nlpkit.tasks.dialogue import Dialogue

Method: TypeAlias = Literal["dpo", "kto"]
NAMES: dict[Method, str] = {"dpo": "pairs", "kto": "rated replies"}


class PreferenceData(Settings):
    """The rows to learn from, and the held-out rows that the old run and the new one are compared on."""

    train: Annotated[tuple[PreferenceSource, ...], BeforeValidator(as_sources), Field(min_length=1)]
    held_out: Annotated[
        tuple[PreferenceSource, ...] | Annotated[float, Field(gt=0, lt=1)], BeforeValidator(as_sources)
    ] = 0.2
    """Sources, or the share of the training rows that is held out."""
    near_duplicates: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Rows that share this much (Jaccard similarity of word pairs) stay on one side."""


@dataclass(frozen=True, kw_only=True)
class PreferenceRows:
    """The training rows and the held-out ones: pairs for DPO, rated replies for KTO."""

    method: Method
    train: tuple[Preference, ...]
    held: tuple[Preference, ...]
    read: int
    """Rows of the training files."""
    dropped: int
    """Training rows dropped because they stand, nearly equal, in the held-out file."""
    sources: tuple[str, ...]

    @property
    def texts(self) -> list[str]:
        """All replies that are trained on, liked or not, as evaluations look for them."""
        return [
            with_history([*row.history.turns, Turn(role="assistant", text=reply)])
            for row in self.train
            for reply in _replies(row)
        ]

    def describe(self) -> dict[str, Any]:
        """Return counts and a fingerprint of each part, for run.json."""
        parts = {"train": self.train, "held_out": self.held}
        return {
            "sources": list(self.sources),
            "rows": {name: len(rows) for name, rows in parts.items()},
            "liked": {
                name: sum(isinstance(row, RatedReply) and row.liked for row in rows)
                for name, rows in parts.items()
            },
            "near_duplicates_dropped": self.dropped,
            "sha256": {name: _hash(rows) for name, rows in parts.items()},
        }

    def lines(self) -> list[str]:
        """Return the lines that describe the rows, for the preflight."""
        lines = [
            f"rows       {len(self.train):,} {NAMES[self.method]} to learn from,"
            f" {len(self.held):,} held out to compare on",
            f"needed     at least {FEWEST} to learn from and {FEWEST_HELD} to compare on",
            f"method     {self.method.upper()}; the files hold {self.read:,} rows",
        ]
        for part, rows in (("learned", self.train), ("held out", self.held)):
            rated = [row.liked for row in rows if isinstance(row, RatedReply)]
            if rated:
                lines.append(f"{part:<10} {sum(rated):,} liked, {len(rated) - sum(rated):,} disliked")
        lines.append(
            f"dropped    {self.dropped:,} training rows that stand, nearly equal, in the held-out ones"
        )
        if len(self.held) < 100:
            lines.append(
                f"warning    only {len(self.held)} held-out {NAMES[self.method]}:"
                " whether the new run is better is uncertain"
            )
        return lines


def load_preferences(
    data: PreferenceData, task: Dialogue, *, method: Literal["auto", "dpo", "kto"], seed: int
) -> PreferenceRows:
    """Load the config's rows and hold some out; `auto` means DPO if all rows are pairs, else KTO.

    Raises:
        DataError: a file or a row is wrong, there is nothing to learn, or nothing can be held out.
        SourceError: a source can't be fetched.
    """
    read = _read(data.train, task, seed)
    held_read = _read(data.held_out, task, seed) if isinstance(data.held_out, tuple) else []
    chosen: Method = (
        method
        if method != "auto"
        else "dpo"
        if all(isinstance(row, ReplyPair) for row in [*read, *held_read])
        else "kto"
    )
    names = tuple(source.source for source in data.train)
    train, held = _as(chosen, read, ", ".join(names)), []
    if isinstance(data.held_out, tuple):
        held = _as(chosen, held_read, ", ".join(source.source for source in data.held_out))
        kept = drop_seen(train, held, near_duplicates=data.near_duplicates)
        dropped, train = len(train) - len(kept), kept
    else:
        refuse_useless(train, where=", ".join(names))
        train, held = hold_out(train, share=data.held_out, seed=seed, near_duplicates=data.near_duplicates)
        dropped = 0
    refuse_useless(train, where=f"{', '.join(names)}: {NAMES[chosen]} to learn from")
    refuse_useless(held, where="held-out rows", fewest=FEWEST_HELD)
    return PreferenceRows(
        method=chosen, train=tuple(train), held=tuple(held), read=len(read), dropped=dropped, sources=names
    )


def encode_preferences(
    rows: PreferenceRows, tokenizer: Any, max_tokens: int, *, batch_size: int, seed: int
) -> tuple[list[dict[str, Any]], int]:
    """Encode the training rows for TRL's collators; return them, and how many histories lost old turns.

    All ids come from nlpkit.prompts, so that texts can't inject special tokens.

    Raises:
        DataError: a reply, with the last turn before it, is longer than `max_tokens`.
    """
    order = list(rows.train)
    random.Random(seed).shuffle(order)  # noqa: S311
    encoded, shortened = [], 0
    for row in order:
        answers = [encode_reply(reply, tokenizer) for reply in _replies(row)]
        available = max_tokens - max(map(len, answers))
        if available < 1:
            raise DataError(
                f"{row.history.where}: a reply of {max_tokens - available:,} tokens;"
                f" expected fewer than {max_tokens:,}"
            )
        prompt = build_prompt(row.history, tokenizer, available)
        shortened += prompt.dropped > 0
        if isinstance(row, RatedReply):
            encoded.append({"prompt_ids": prompt.ids, "completion_ids": answers[0], "label": row.liked})
        else:
            encoded.append({"prompt_ids": prompt.ids, "chosen_ids": answers[0], "rejected_ids": answers[1]})
    if rows.method == "kto":
        _add_mismatched(encoded, batch_size)
    return encoded, shortened


def _replies(row: Preference) -> list[str]:
    return [row.reply] if isinstance(row, RatedReply) else [row.chosen, row.rejected]


def _add_mismatched(encoded: list[dict[str, Any]], batch_size: int) -> None:
    """Add to each prompt another row's reply from its batch, from which KTO estimates the KL divergence."""
    for start in range(0, len(encoded), batch_size):
        batch = encoded[start : start + batch_size]
        # A last batch of one takes the reply of the row before it
        replies = [
            row["completion_ids"] for row in (batch if len(batch) > 1 else encoded[start - 1 : start + 1])
        ]
        for index, row in enumerate(batch):
            row["KL_completion_ids"] = replies[index - 1] if len(batch) > 1 else replies[0]


def _read(sources: Sequence[PreferenceSource], task: Dialogue, seed: int) -> list[Preference]:
    preferences: list[Preference] = []
    for source in sources:
        records = read_records(
            resolve(source.source, kind="data"), format=source.format, encoding=source.encoding
        )
        rows = [_with_system(parse(record, source), task) for record in records]
        preferences += sample(rows, source.limit, seed=seed)
    return preferences


def _with_system(row: Preference, task: Dialogue) -> Preference:
    return replace(row, history=task.with_system(row.history))


def _as(method: Method, rows: Sequence[Preference], where: str) -> list[Any]:
    """Return the rows in the form that the method learns from: pairs for DPO, rated replies for KTO."""
    pairs = [row for row in rows if isinstance(row, ReplyPair)]
    rated = [row for row in rows if isinstance(row, RatedReply)]
    if method == "kto":
        return [*rated, *take_apart(pairs)]
    made = pair_up(rated)
    if not pairs and not made:
        refuse_useless(rated, where=f"{where}: no pairs")
        raise DataError(
            f"{where}: {len(rated):,} rated replies,"
            " no two of which are a liked and a disliked one to the same history;"
            " expected pairs for DPO; hint: training.method: kto, which needs none"
        )
    return [*pairs, *made]


def _hash(rows: Sequence[Preference]) -> str:
    digest = hashlib.sha256()
    for row in rows:
        replies = (row.reply, row.liked) if isinstance(row, RatedReply) else (row.chosen, row.rejected)
        turns = [(turn.role, turn.text) for turn in row.history.turns]
        digest.update(repr((row.history.system, turns, replies)).encode("utf-8", "backslashreplace"))
    return digest.hexdigest()
