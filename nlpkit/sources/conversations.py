"""Conversations: chitchat between two people, and lines of films with their answers."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nlpkit.sources.columns import write


def chitchat(raw: list[Path], folder: Path) -> None:
    """Make one file with a row a conversation: `id`, `prompt`, `start`, `ratings` and `messages`.

    A message has `sender`, `text` and `timestamp`. `sender` stands for the same person in every conversation,
    so that a split can keep people apart.
    """
    import pyarrow as pa

    rows = list(_two_sided(json.loads(raw[0].read_text(encoding="utf-8"))))
    message = pa.struct({"sender": pa.string(), "text": pa.string(), "timestamp": pa.string()})
    # The ratings were typed by hand, some as numbers and some as text: their JSON is kept as it was written
    write(
        folder / "chitchat.parquet",
        {
            "id": (pa.string(), [key for key, _, _ in rows]),
            "prompt": (pa.string(), [about.get("prompt") for _, about, _ in rows]),
            "start": (pa.string(), [about.get("start") for _, about, _ in rows]),
            "ratings": (pa.string(), [_json(about.get("ratings")) for _, about, _ in rows]),
            "messages": (pa.list_(message), [messages for _, _, messages in rows]),
        },
    )


def _json(value: object) -> str | None:
    return None if value is None else json.dumps(value, sort_keys=True)


def _two_sided(
    conversations: Mapping[str, dict[str, Any]],
) -> Iterator[tuple[str, dict[str, Any], list[dict[str, str]]]]:
    """Yield id, description and messages of each conversation in which two people wrote something."""
    for key, about in conversations.items():
        messages = [
            {"sender": line["sender"], "text": line["text"].strip(), "timestamp": line["timestamp"]}
            for group in about["messages"]
            for line in group
            if line["text"].strip()
        ]
        if len({message["sender"] for message in messages}) == 2:
            yield key, about, messages


def movie_dialog(raw: list[Path], folder: Path) -> None:
    """Make one file with `statement` and `reply`."""
    import pyarrow as pa

    with raw[0].open(encoding="utf-8", newline="") as file:
        pairs = [
            (row["statement"].strip(), row["reply"].strip()) for row in csv.DictReader(file, strict=True)
        ]
    pairs = [pair for pair in pairs if all(pair)]
    write(
        folder / "movie-dialog.parquet",
        {
            "statement": (pa.string(), [pair[0] for pair in pairs]),
            "reply": (pa.string(), [pair[1] for pair in pairs]),
        },
    )
