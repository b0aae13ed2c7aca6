"""Which bots a demo has: the one that was asked for, the plain base, and the dialogue runs below a folder, the promoted one first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nlpkit.chat.serving import load_chat_model
from nlpkit.errors import RunError
from nlpkit.generation.chatbot import Runtime
from nlpkit.generation.completion import ChatModel
from nlpkit.generation.context import Policy
from nlpkit.generation.promoted import FILE, promoted_run
from nlpkit.run import Run

PLAIN = "the default bot"
PROMOTED = "promoted"
DEEPEST = 2
"""Folders below the one that was named: runs/NAME, runs/NAME/seed-1."""


@dataclass(frozen=True, kw_only=True)
class Loader:
    """Brings a bot into memory. Two that are equal bring the same one."""

    run: str | None = None
    model: str | None = None
    policy: Policy = "drop_oldest"
    runtime: Runtime = "torch"

    def __call__(self) -> ChatModel:
        """The bot."""
        return load_chat_model(self.run, model=self.model, policy=self.policy, runtime=self.runtime)


def find_chat_models(
    run: str | None,
    folder: Path,
    *,
    model: str | None = None,
    policy: Policy = "drop_oldest",
    runtime: Runtime = "torch",
) -> dict[str, Loader]:
    """Loaders by name, as the folder is now; that of the run, promoted run or address that was asked for comes first."""
    found: dict[str, Loader] = {}
    if run is not None:
        found[_name(run, model)] = Loader(run=_meant(run), model=model, policy=policy, runtime=runtime)
    found[PLAIN] = Loader(policy=policy, runtime=runtime)
    if promoted := _promoted(folder / FILE):
        found.setdefault(PROMOTED, Loader(run=promoted, policy=policy, runtime=runtime))
    for path in dialogue_runs(folder):
        found.setdefault(
            path.relative_to(folder).as_posix(), Loader(run=str(path), policy=policy, runtime=runtime)
        )
    return found


def dialogue_runs(folder: Path) -> list[Path]:
    """The whole runs below a folder that hold a conversation, by name."""
    markers = [
        one for depth in range(1, DEEPEST + 1) for one in sorted(folder.glob("*/" * depth + "run.json"))
    ]
    return [one.parent for one in markers if _holds_a_conversation(Run(one.parent))]


def _holds_a_conversation(run: Run) -> bool:
    try:
        return run.read().task.get("kind") == "dialogue"
    except RunError:
        return False


def _promoted(file: Path) -> str | None:
    """The run that a file names now, so that its loader is another one when another run is promoted."""
    try:
        return str(promoted_run(file).path)
    except RunError:
        return None


def _meant(run: str) -> str:
    path = Path(run)
    file = path / FILE if path.is_dir() and not Run(path).is_completed else path
    return (_promoted(file) if file.name == FILE else None) or run


def _name(run: str, model: str | None) -> str:
    if run.startswith(("http://", "https://")):
        from nlpkit.generation.remote import public_address

        return f"{model} at {public_address(run)}" if model else public_address(run)
    path = Path(run)
    return PROMOTED if path.name == FILE or _meant(run) != run else path.name or run
