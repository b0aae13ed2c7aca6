"""What the commands and the demo begin with: which bot a name means, where conversations are kept, and who may ask a server."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import TYPE_CHECKING

from nlpkit.errors import ConfigError, SourceError, nearest
from nlpkit.generation.completion import ChatModel
from nlpkit.generation.context import Policy

if TYPE_CHECKING:
    from nlpkit.generation.chatbot import Runtime

REMOTE_KEY = "NLPKIT_REMOTE_KEY"
"""The environment variable with the key of the server that a bot's address names."""

SHORTEST_KEY = 16
"""Characters of a key that people far away cannot guess."""


def bot_of(
    name: str | None = None,
    *,
    model: str | None = None,
    runtime: Runtime = "torch",
    threads: int | None = None,
    policy: Policy = "drop_oldest",
) -> ChatModel:
    """The bot that a name means: a run's folder, a `promoted.json`, a server's address, or the catalogue's own where none is named.

    Raises:
        RunError: there is no such run, or no dialogue run.
        SourceError: its base cannot be brought here, or the server does not answer.
        ConfigError: an address that has several models and none is named, a model without an address, or a runtime that is not installed.
    """
    if name is not None and name.startswith(("http://", "https://")):
        if runtime != "torch":
            raise ConfigError(
                f"--runtime {runtime}: the server at an address computes as it likes; cure: leave it out"
            )
        return _remote(name, model)
    if model is not None:
        raise ConfigError(
            f"--model {model!r}: only a server's address has models to choose from; cure: name one, or leave it out"
        )
    from nlpkit.generation.chatbot import Chatbot
    from nlpkit.generation.promoted import FILE, promoted_run

    if name is None:
        return Chatbot.default(runtime=runtime, threads=threads, policy=policy)
    path = Path(name)
    if path.is_dir() and not (path / "run.json").is_file() and (path / FILE).is_file():
        path = path / FILE
    return Chatbot.load(
        promoted_run(path) if path.name == FILE else path, runtime=runtime, threads=threads, policy=policy
    )


def _remote(address: str, model: str | None) -> ChatModel:
    from nlpkit.generation.remote import RemoteBot

    key = os.environ.get(REMOTE_KEY) or None
    return RemoteBot(address, model or _only_model(address, key), key=key)


def _only_model(address: str, key: str | None) -> str:
    """The model that a server has, where it has one."""
    from nlpkit.generation.remote import list_models, public_address

    try:
        names = list_models(address, key)
    except SourceError as error:
        raise SourceError(
            f"{error}; cure: see whether it runs and takes the key, or name a model with --model"
        ) from None
    if len(names) != 1:
        raise ConfigError(
            f"{public_address(address)}: has {len(names)} models; cure: --model NAME{nearest('', names)}"
        )
    return names[0]


def default_store() -> Path:
    """Where conversations are kept: `NLPKIT_STORE`, else in the user's own data folder."""
    if chosen := os.environ.get("NLPKIT_STORE"):
        return Path(chosen).expanduser().absolute()
    from platformdirs import user_data_path

    return user_data_path("nlpkit", appauthor=False) / "chat.sqlite"


def is_local(host: str) -> bool:
    """Whether only this machine can reach a server that listens there."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def keys_in(variable: str, host: str) -> tuple[str, ...]:
    """The keys that an environment variable holds, a comma between two.

    Raises:
        ConfigError: there is none, and others can reach the host; or one is so short that it can be guessed.
    """
    keys = tuple(one for part in os.environ.get(variable, "").split(",") if (one := part.strip()))
    if not keys and not is_local(host):
        cure = f'cure: export {variable}="$(openssl rand -hex 24)", or listen on 127.0.0.1'
        raise ConfigError(f"--host {host}: others can reach it, and there is no key in {variable}; {cure}")
    if any(len(one) < SHORTEST_KEY for one in keys):
        found = f"{variable}: a key of fewer than {SHORTEST_KEY} characters"
        raise ConfigError(f"{found}; expected a long random one, such as openssl rand -hex 24 makes")
    return keys
