"""Which bots a demo has: the one that was asked for, the plain base, and the dialogue runs below a folder."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from nlpkit.chat.serving import bot_of
from nlpkit.errors import RunError
from nlpkit.inference.answer import Bot
from nlpkit.inference.context import Policy
from nlpkit.run import Run

Loader = Callable[[], Bot]
"""Brings a bot into memory."""

PLAIN = "the default bot"
DEEPEST = 2
"""Folders below the one that was named: runs/NAME, runs/NAME/seed-1."""


def bots_of(run: str | None, folder: Path, *, model: str | None = None, policy: Policy = "drop_oldest") -> dict[str, Loader]:
    """Loaders by name; that of the run, promoted run or address that was asked for comes first."""
    found: dict[str, Loader] = {}
    if run is not None:
        found[_name(run, model)] = partial(bot_of, run, model=model, policy=policy)
    found[PLAIN] = partial(bot_of, policy=policy)
    for path in dialogue_runs(folder):
        found.setdefault(path.relative_to(folder).as_posix(), partial(bot_of, str(path), policy=policy))
    return found


def dialogue_runs(folder: Path) -> list[Path]:
    """The whole runs below a folder that hold a conversation, by name."""
    markers = [one for depth in range(1, DEEPEST + 1) for one in sorted(folder.glob("*/" * depth + "run.json"))]
    return [one.parent for one in markers if _holds_a_conversation(Run(one.parent))]


def _holds_a_conversation(run: Run) -> bool:
    try:
        return run.read().task.get("kind") == "dialogue"
    except RunError:
        return False


def _name(run: str, model: str | None) -> str:
    if run.startswith(("http://", "https://")):
        from nlpkit.inference.remote import public

        return f"{model} at {public(run)}" if model else public(run)
    path = Path(run)
    return path.parent.name if path.suffix == ".json" else path.name or run
