"""What people liked, from files to the ids that a training learns from and the rows that two runs are compared on."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field

from nlpkit.data.preference_splits import drop_seen, hold_out
from nlpkit.data.preferences import (
    Preference,
    PreferenceSource,
    RatedReply,
    ReplyPair,
    pair_up,
    parse,
    refuse_useless,
    sample,
    take_apart,
)
from nlpkit.data.records import read_records
from nlpkit.errors import DataError
from nlpkit.prompts.build import build_prompt, encode_reply
from nlpkit.settings import Settings, _as_tuple
from nlpkit.sources import resolve
from nlpkit.tasks.dialogue import Dialogue

Method: TypeAlias = Literal["dpo", "kto"]
NAMES: dict[Method, str] = {"dpo": "pairs", "kto": "rated replies"}

FEWEST_HELD = 4
"""Held-out rows below which a comparison says nothing at all."""


class PreferenceData(Settings):
    """What is learnt from, and what is held out to compare the old run and the new one on."""

    train: Annotated[tuple[PreferenceSource, ...], BeforeValidator(_as_tuple), Field(min_length=1)]
    held_out: Annotated[
        tuple[PreferenceSource, ...] | Annotated[float, Field(gt=0, lt=1)], BeforeValidator(_as_tuple)
    ] = 0.2
    """Sources, or the share of the training rows that is held out."""
    near_duplicates: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Rows that share this much (Jaccard similarity of word pairs) stay on one side."""


@dataclass(frozen=True, kw_only=True)
class PreferenceRows:
    """What is trained on and what is held out: pairs for DPO, rated replies for KTO."""

    method: Method
    train: tuple[Preference, ...]
    held: tuple[Preference, ...]
    read: int
    """Rows of the training files."""
    dropped: int
    """Training rows dropped because they stand, nearly equal, in the held-out file."""
    sources: tuple[str, ...]

    def describe(self) -> dict[str, Any]:
        """Counts and a fingerprint of each part, for run.json."""
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
        """The facts, in the order in which they are said."""
        found = f"rows       {len(self.train):,} {NAMES[self.method]} to learn from, {len(self.held):,} held out to compare on"
        lines = [found, f"method     {self.method.upper()}; the files hold {self.read:,} rows"]
        for part, rows in (("learnt", self.train), ("held out", self.held)):
            rated = [row.liked for row in rows if isinstance(row, RatedReply)]
            if rated:
                lines.append(f"{part:<10} {sum(rated):,} liked, {len(rated) - sum(rated):,} disliked")
        lines.append(
            f"dropped    {self.dropped:,} training rows that stand, nearly equal, in the held-out ones"
        )
        if len(self.held) < 100:
            lines.append(
                f"warning    only {len(self.held)} held-out {NAMES[self.method]}: whether the new run is better is uncertain"
            )
        return lines


def load_preferences(
    data: PreferenceData, task: Dialogue, *, method: Literal["auto", "dpo", "kto"], seed: int
) -> PreferenceRows:
    """The rows that the config asks for: `auto` means DPO where all rows are pairs, else KTO.

    Raises:
        DataError: a file or a row is wrong, there is nothing to learn, or nothing can be held out.
        SourceError: a source cannot be brought here.
    """
    read = _read(data.train, task, seed)
    held_read = _read(data.held_out, task, seed) if isinstance(data.held_out, tuple) else []
    chosen: Method = (
        method
        if method != "auto"
        else "dpo"
        if all(isinstance(one, ReplyPair) for one in [*read, *held_read])
        else "kto"
    )
    names = tuple(one.source for one in data.train)
    train, held = _as(chosen, read, ", ".join(names)), []
    if isinstance(data.held_out, tuple):
        held = _as(chosen, held_read, ", ".join(one.source for one in data.held_out))
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
    """The training rows as TRL's collators take them, every id made by tasks.prompt, and how many histories lost old turns.

    Raises:
        DataError: a reply, with the last turn before it, is longer than `max_tokens`.
    """
    order = list(rows.train)
    random.Random(seed).shuffle(order)  # noqa: S311
    encoded, shortened = [], 0
    for row in order:
        replies = [row.reply] if isinstance(row, RatedReply) else [row.chosen, row.rejected]
        answers = [encode_reply(one, tokenizer) for one in replies]
        room = max_tokens - max(map(len, answers))
        if room < 1:
            raise DataError(
                f"{row.history.where}: a reply of {max_tokens - room:,} tokens; expected fewer than {max_tokens:,}"
            )
        asked = build_prompt(row.history, tokenizer, room)
        shortened += asked.dropped > 0
        if isinstance(row, RatedReply):
            encoded.append({"prompt_ids": asked.ids, "completion_ids": answers[0], "label": row.liked})
        else:
            encoded.append({"prompt_ids": asked.ids, "chosen_ids": answers[0], "rejected_ids": answers[1]})
    if rows.method == "kto":
        _add_mismatched(encoded, batch_size)
    return encoded, shortened


def _add_mismatched(encoded: list[dict[str, Any]], batch_size: int) -> None:
    """Give each prompt the reply of its neighbour in the batch, from which KTO estimates how far the model has moved."""
    for start in range(0, len(encoded), batch_size):
        batch = encoded[start : start + batch_size]
        # A last batch of one has no neighbour but the row before it
        replies = [
            one["completion_ids"] for one in (batch if len(batch) > 1 else encoded[start - 1 : start + 1])
        ]
        for place, one in enumerate(batch):
            one["KL_completion_ids"] = replies[place - 1] if len(batch) > 1 else replies[0]


def _read(sources: Sequence[PreferenceSource], task: Dialogue, seed: int) -> list[Preference]:
    found: list[Preference] = []
    for source in sources:
        records = read_records(
            resolve(source.source, kind="data"), format=source.format, encoding=source.encoding
        )
        rows = [_told(parse(record, source), task) for record in records]
        found += sample(rows, source.limit, seed=seed)
    return found


def _told(row: Preference, task: Dialogue) -> Preference:
    return replace(row, history=task.with_system(row.history))


def _as(method: Method, rows: Sequence[Preference], where: str) -> list[Any]:
    """The rows as the method learns from them."""
    pairs = [one for one in rows if isinstance(one, ReplyPair)]
    rated = [one for one in rows if isinstance(one, RatedReply)]
    if method == "kto":
        return [*rated, *take_apart(pairs)]
    made = pair_up(rated)
    if not pairs and not made:
        refuse_useless(rated, where=f"{where}: no pairs")
        found = f"{len(rated):,} rated replies, no two of which are a liked and a disliked one to the same history"
        raise DataError(f"{where}: {found}; expected pairs for DPO; cure: method: kto, which needs none")
    return [*pairs, *made]


def _hash(rows: Sequence[Preference]) -> str:
    digest = hashlib.sha256()
    for row in rows:
        replies = (row.reply, row.liked) if isinstance(row, RatedReply) else (row.chosen, row.rejected)
        turns = [(turn.role, turn.text) for turn in row.history.turns]
        digest.update(repr((row.history.system, turns, replies)).encode("utf-8", "backslashreplace"))
    return digest.hexdigest()
