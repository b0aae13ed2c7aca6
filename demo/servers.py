"""The OpenAI-compatible servers that a demo is connected to: their addresses, models and keys."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Lock

from nlpkit.chat.serving import load_server, read_key
from nlpkit.errors import ConfigError, DataError
from nlpkit.generation.addresses import is_address, split_address
from nlpkit.generation.completion import ChatModel
from nlpkit.generation.server_errors import REMOTE_KEY

MAX_SERVERS = 50


@dataclass(frozen=True, kw_only=True)
class Server:
    """A model of a server. Calling it returns the chat model; equal ones return the same."""

    address: str = field(repr=False)
    """May hold a password or a query, which its name leaves out."""
    model: str
    key: str = field(default="", repr=False)

    @property
    def name(self) -> str:
        """Return the name in the list of chat models, without secrets."""
        from nlpkit.generation.remote import server_name

        return server_name(self.model, self.address)

    def __call__(self) -> ChatModel:
        """Return the chat model; its server is asked at the first message."""
        from nlpkit.generation.remote import RemoteBot

        return RemoteBot(self.address, self.model, self.key or None)


class Servers:
    """The servers by name, the last connected one first.

    Those that the page connects are in a file that only its owner can read; that of the command line is not.
    """

    def __init__(self, file: Path | None, given: Sequence[Server] = ()) -> None:
        """Read the file, if it exists; without one, the page connects none.

        Raises:
            DataError: it cannot be read, or was not written by the demo.
        """
        self._file = file
        self._given = {server.name: server for server in given}
        self._lock = Lock()
        self._saved = read_servers(file) if file else {}

    @property
    def offer(self) -> dict[str, Server]:
        """Return all servers by name."""
        with self._lock:
            return {**self._given, **self._saved}

    @property
    def can_connect(self) -> bool:
        """Return whether the page may connect servers."""
        return self._file is not None

    @property
    def saved(self) -> list[str]:
        """Return the names of the servers that the page connected."""
        with self._lock:
            return list(self._saved)

    def connect(self, server: Server) -> None:
        """Add a server, or change its key.

        Raises:
            ConfigError: the page may not connect servers, or the address, the model or the key is invalid.
            DataError: there are too many, or the file cannot be written.
        """
        from nlpkit.generation.remote import authorization

        split_address(server.address)
        if not server.model.isprintable():
            raise ConfigError(
                f"the model {server.model!a:.100}: is no name; hint: type it as its server does"
            )
        authorization(server.key, server.name)
        self._change({server.name: server})

    def disconnect(self, name: str) -> None:
        """Forget a server and its key.

        Raises:
            ConfigError: the page may not change servers.
        """
        self._change({}, without=name)

    def _change(self, added: Mapping[str, Server], without: str = "") -> None:
        if self._file is None:
            raise ConfigError("this demo connects no servers; hint: nlpkit demo --connect URL")
        with self._lock:
            # Another demo may have written it meanwhile
            servers = {**added, **read_servers(self._file), **added}
            servers.pop(without, None)
            if len(servers) > MAX_SERVERS:
                raise DataError(f"more than {MAX_SERVERS} servers; hint: disconnect one first")
            text = json.dumps([asdict(server) for server in servers.values()], indent=1)
            write_private(self._file, f"{text}\n")
            self._saved = servers


def read_servers(file: Path) -> dict[str, Server]:
    """Return the servers in a file by name; none without the file.

    Raises:
        DataError: it cannot be read, or was not written by the demo.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        servers = TypeAdapter(list[Server]).validate_json(file.read_bytes())
        return {server.name: server for server in servers}
    except FileNotFoundError:
        return {}
    except (OSError, ValidationError, ValueError) as error:
        problem = error.strerror if isinstance(error, OSError) else "not a list of servers"
        raise DataError(
            f"{file}: {problem}; hint: move the file away, and connect the servers again"
        ) from None


def write_private(file: Path, text: str) -> None:
    """Write a file atomically that only its owner can read.

    Raises:
        DataError: it cannot be written.
    """
    fresh = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
        fresh.replace(file)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise DataError(
            f"{file}: cannot be written: {error.strerror}; hint: make its folder writable"
        ) from None


def named_server(address: str | None, key_file: Path | None, run: str | None) -> list[Server]:
    """Return the server of `--connect`; its key is in a file, or in the environment.

    Raises:
        ConfigError: there is a file without an address, or one of both is invalid.
        SourceError: the server is to say which model it has, and does not.
    """
    if address is None:
        if key_file is not None:
            raise ConfigError("--connect-key-file: needs a server; hint: add --connect URL")
        return []
    if key_file is not None:
        key = read_key(key_file)
    else:
        # Where RUN is an address, the key in the environment is for that one, and goes nowhere else
        key = "" if run is not None and is_address(run) else os.environ.get(REMOTE_KEY, "").strip()
    model = load_server(address, key=key).model
    return [Server(address=split_address(address)[0], model=model, key=key)]
