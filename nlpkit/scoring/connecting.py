"""The way to a Ray cluster: the one at an address, the one that runs here, or one that is started for this
work.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nlpkit.errors import ConfigError, NlpkitError, optional

PATIENCE = 5.0
"""Seconds in which an address must answer."""
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
"""How HTTP/2 begins, which Ray speaks (RFC 9113, 3.4): a server of it answers with a frame of settings."""
_SETTINGS_FRAME = b"\4"


@contextmanager
def connected(address: str | None) -> Iterator[tuple[int, int]]:
    """Connect, and yield how many processor cores and GPUs the cluster has. A connection that was there
    before stays, a new one is closed.

    Args:
        address: `host:port`; None is the environment's RAY_ADDRESS, or joins the cluster that runs on this
            machine, or starts one.

    Raises:
        ConfigError: Ray is not installed, or the address is invalid.
        NlpkitError: nothing answers there, or it gives no core.
    """
    ray = _quiet_ray()
    ours = not ray.is_initialized()
    if ours:
        elsewhere = os.environ.get("RAY_ADDRESS", "")
        _connect(ray, address or (elsewhere if ":" in elsewhere else None))
    try:
        resources = ray.cluster_resources()
        cores, gpus = int(resources.get("CPU", 0)), int(resources.get("GPU", 0))
        if not cores:
            raise NlpkitError(
                f"the Ray cluster at {address or 'this machine'} has no processor core to give; "
                "hint: add nodes to it"
            )
        yield cores, gpus
    finally:
        if ours:
            ray.shutdown()


def _quiet_ray() -> Any:
    """Load Ray, set up not to write between our rows."""
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    ray = optional("ray", extra="ray")
    optional("ray.data", extra="ray")
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return ray


_SETTINGS = {
    # Why Ray ended this process, as it does when the cluster is lost, is said there and nowhere else.
    "RAY_BACKEND_LOG_LEVEL": "error",
    # What the cluster says of a lost worker would be printed to standard output, where scored rows may go.
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",
}


def _connect(ray: Any, address: str | None) -> None:
    if address is not None:
        _refuse_silent(address)
    try:
        if address is None and not _is_started():
            _start(ray)
            return
        with hushed():
            ray.init(address=address, **_OPTIONS)  # with no address Ray joins what `ray start` made here
    except ConnectionError as error:
        if address is not None:
            raise _unreachable(address, error) from error
        _start(ray)  # what `ray start` made is gone, or not open to us
    except (RuntimeError, ValueError, OSError) as error:
        raise _unreachable(address or "this machine", error) from error


_OPTIONS = {"log_to_driver": False, "logging_level": logging.ERROR, "include_dashboard": False}


def _is_started() -> bool:
    """Return whether `ray start` has made a cluster that this machine belongs to; Ray notes where it is."""
    if address := os.environ.get("RAY_ADDRESS"):
        return address != "local"
    return Path(os.environ.get("RAY_TMPDIR", "/tmp"), "ray", "ray_current_cluster").exists()  # noqa: S108


def _start(ray: Any) -> None:
    """Start a cluster on this machine, and nothing of it that asks another one.

    Its token stays in this process and its workers. Ray would write one into the home, readable by everyone.
    Without a dashboard Ray still starts the dashboard's process, which asks the cloud's metadata service even
    where usage statistics are off.
    """
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    node = optional("ray._private.node", extra="ray").Node
    start_dashboard = node.start_api_server
    node.start_api_server = lambda *_, **__: None
    try:
        with hushed():
            ray.init(address="local", **_OPTIONS)
    finally:
        node.start_api_server = start_dashboard


@contextmanager
def hushed() -> Iterator[None]:
    """Silence standard error, where Ray's C++ part writes at its start what is no error and cannot be turned
    off.
    """
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _refuse_silent(address: str) -> None:
    """Refuse an address where nothing answers, within seconds: Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if "://" in address or not host or not port.isdigit():
        raise ConfigError(
            f"--ray {address}: expected host:port, as `ray start --head` prints it, on a machine of the "
            "cluster (Ray Client, ray://, is not used); hint: run this command on a node of the cluster"
        )
    try:
        with socket.create_connection((host, int(port)), timeout=PATIENCE) as line:
            line.settimeout(PATIENCE)
            line.sendall(_GREETING)
            answer = line.recv(9)
    except (OSError, OverflowError) as error:
        raise _unreachable(address, error) from error
    if answer[3:4] != _SETTINGS_FRAME:
        raise _unreachable(address, ValueError("what answers there is not Ray"))


def _unreachable(address: str, error: Exception) -> NlpkitError:
    reason = (str(error).strip() or type(error).__name__).split("\n")[0][:300]
    return NlpkitError(
        f"no Ray cluster that this machine belongs to answers at {address}: {reason}; "
        "hint: start it with `ray start --head --port=6379`, join it from here with "
        "`ray start --address=HOST:6379`, both with the cluster's token (RAY_AUTH_MODE=token and "
        "RAY_AUTH_TOKEN), "
        "or leave the address out to use this machine alone"
    )
