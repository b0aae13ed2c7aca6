"""How commands and demo begin: load the chat model by its name, find the store, read the server's keys."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import TYPE_CHECKING

from nlpkit.errors import ConfigError, SourceError, nearest
from nlpkit.generation.addresses import is_address
from nlpkit.generation.completion import ChatModel
from nlpkit.generation.context import Policy
from nlpkit.generation.runtimes import AUTO
from nlpkit.generation.server_errors import REMOTE_KEY

if TYPE_CHECKING:
    from nlpkit.generation.remote import RemoteBot

MIN_KEY_LENGTH = 16
"""Characters that make a key hard to guess."""


def load_chat_model(
    name: str | None = None,
    *,
    model: str | None = None,
    runtime: str = AUTO,
    threads: int | None = None,
    policy: Policy = "drop_oldest",
) -> ChatModel:
    """Load the chat model of a run's folder, a `promoted.json` or an address; by default the built-in one.

    Raises:
        RunError: there is no such run, or it is not a dialogue run.
        SourceError: its base model cannot be loaded, or the server does not answer.
        ConfigError: an address with several models and none is named, a model without an address, or a
            runtime that is not installed.
    """
    if name is not None and is_address(name):
        if runtime != AUTO:
            raise ConfigError(
                f"--runtime {runtime}: a server chooses its own runtime; hint: leave out --runtime"
            )
        return load_server(name, model=model, key=os.environ.get(REMOTE_KEY))
    if model is not None:
        raise ConfigError(
            f"--model {model!r}: only a server has models to choose from; "
            "hint: name its address, or leave out --model"
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


def load_server(address: str, *, model: str | None = None, key: str | None = None) -> RemoteBot:
    """Return the chat model at an address, which may name it after `#`; of one model, it need not.

    Raises:
        SourceError: the server does not list its models.
        ConfigError: it has several and none is named, two are named, or the address or the key is invalid.
    """
    from nlpkit.generation.addresses import split_address
    from nlpkit.generation.remote import RemoteBot

    address, named = split_address(address)
    if named and model and named != model:
        raise ConfigError(f"--model {model!r}: the address names {named!r}; hint: leave out one of them")
    key = (key or "").strip() or None
    return RemoteBot(address, model or named or _only_model(address, key), key=key)


def read_key(file: Path) -> str:
    """Return the key in a file.

    Raises:
        ConfigError: it cannot be read, or holds none.
    """
    try:
        key = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{file}: cannot be read: {error}; hint: write the key into a file of its own"
        ) from None
    if not key:
        raise ConfigError(f"{file}: is empty; expected a key; hint: write the key into it")
    return key


def _only_model(address: str, key: str | None) -> str:
    """Return the name of the server's model, if it has exactly one."""
    from nlpkit.generation.addresses import public_address
    from nlpkit.generation.remote import list_models

    try:
        names = list_models(address, key)
    except SourceError as error:
        raise SourceError(f"{error}, or name the model with --model") from None
    if len(names) != 1:
        raise ConfigError(
            f"{public_address(address)}: has {len(names)} models; hint: --model NAME{nearest('', names)}"
        )
    return names[0]


def default_store() -> Path:
    """Return the path of the store: `NLPKIT_STORE`, or a file in the user's data folder."""
    if chosen := os.environ.get("NLPKIT_STORE"):
        return Path(chosen).expanduser().absolute()
    from platformdirs import user_data_path

    return user_data_path("nlpkit", appauthor=False) / "chat.sqlite"


def is_local(host: str) -> bool:
    """Return whether only this machine can reach a server on this host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def keys_in(variable: str, host: str) -> tuple[str, ...]:
    """Return the keys in an environment variable, separated by commas.

    Raises:
        ConfigError: there is none, and others can reach the host; or one is too short.
    """
    keys = tuple(key for part in os.environ.get(variable, "").split(",") if (key := part.strip()))
    if not keys and not is_local(host):
        hint = f'export {variable}="$(openssl rand -hex 24)", or use --host 127.0.0.1'
        raise ConfigError(f"--host {host}: others can reach it, and {variable} has no key; hint: {hint}")
    if any(len(key) < MIN_KEY_LENGTH for key in keys):
        problem = f"a key of fewer than {MIN_KEY_LENGTH} characters"
        raise ConfigError(f"{variable}: {problem}; expected a long random key; hint: openssl rand -hex 24")
    return keys
