"""The chat models of a demo: the requested one, the built-in one, and the dialogue runs in a folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from demo.servers import Server
from nlpkit.chat.serving import load_chat_model
from nlpkit.errors import RunError
from nlpkit.generation.addresses import is_address, public_address, split_address
from nlpkit.generation.completion import ChatModel
from nlpkit.generation.context import Policy
from nlpkit.generation.promoted import FILE, promoted_run
from nlpkit.generation.remote import server_name
from nlpkit.generation.runtimes import AUTO
from nlpkit.generation.sampling import MAX_NEW_TOKENS
from nlpkit.run import BUILT_IN_CHAT_MODEL, PACKAGE, Run
from nlpkit.tasks.task import task_from

BUILT_IN = "built-in model"
PROMOTED = "promoted"
MAX_DEPTH = 2
"""Levels of folders that are searched: runs/NAME, runs/NAME/seed-1."""


@dataclass(frozen=True, kw_only=True)
class Loader:
    """Loads a chat model. Equal loaders load the same one."""

    run: str | None = None
    model: str | None = None
    policy: Policy = "drop_oldest"
    runtime: str = AUTO

    def __call__(self) -> ChatModel:
        """Load the chat model."""
        return load_chat_model(self.run, model=self.model, policy=self.policy, runtime=self.runtime)

    @property
    def longest_reply(self) -> int:
        """Return how many tokens a reply can have whatever came before, without loading the chat model."""
        from nlpkit.generation.chatbot import WINDOW
        from nlpkit.generation.language_model import reply_budget

        window = WINDOW
        if self.run is not None:
            if is_address(self.run):
                return MAX_NEW_TOKENS  # its server knows
            try:
                window = Run(Path(self.run)).read().max_tokens
            except RunError:
                return MAX_NEW_TOKENS  # it cannot be loaded either
        return max(1, reply_budget(window, MAX_NEW_TOKENS))

    @property
    def base(self) -> str:
        """Return the source of the base model, without loading it; empty if it is not known."""
        run = str(PACKAGE / BUILT_IN_CHAT_MODEL) if self.run is None else self.run
        try:
            return "" if is_address(run) else Run(Path(run)).read().base.source
        except RunError:
            return ""


def find_chat_models(
    run: str | None,
    folder: Path,
    *,
    model: str | None = None,
    policy: Policy = "drop_oldest",
    runtime: str = AUTO,
    servers: Mapping[str, Server] = MappingProxyType({}),
) -> dict[str, Loader | Server]:
    """Return the loaders by name for the folder as it is now; that of `run` comes first, then the servers."""
    loaders: dict[str, Loader | Server] = {}
    if run is not None:
        loaders[_name(run, model)] = Loader(run=_resolve(run), model=model, policy=policy, runtime=runtime)
    loaders |= servers
    loaders[BUILT_IN] = Loader(policy=policy, runtime=runtime)
    if promoted := _promoted(folder / FILE):
        loaders.setdefault(PROMOTED, Loader(run=promoted, policy=policy, runtime=runtime))
    for path in dialogue_runs(folder):
        loaders.setdefault(
            path.relative_to(folder).as_posix(), Loader(run=str(path), policy=policy, runtime=runtime)
        )
    return loaders


def dialogue_runs(folder: Path) -> list[Path]:
    """Return the completed dialogue runs in a folder, by name."""
    records = [
        path for depth in range(1, MAX_DEPTH + 1) for path in sorted(folder.glob("*/" * depth + "run.json"))
    ]
    return [path.parent for path in records if _is_dialogue(Run(path.parent))]


def _is_dialogue(run: Run) -> bool:
    try:
        return task_from(run.read().task).family.served_by == "chat model"
    except RunError:
        return False


def _promoted(file: Path) -> str | None:
    """Return the run that a file names now, so that its loader changes when another run is promoted."""
    try:
        return str(promoted_run(file).path)
    except RunError:
        return None


def _resolve(run: str) -> str:
    path = Path(run)
    file = path / FILE if path.is_dir() and not Run(path).is_completed else path
    return (_promoted(file) if file.name == FILE else None) or run


def _name(run: str, model: str | None) -> str:
    if is_address(run):
        address, named = split_address(run)
        model = model or named
        return server_name(model, address) if model else public_address(address)
    path = Path(run)
    return PROMOTED if path.name == FILE or _resolve(run) != run else path.name or run
