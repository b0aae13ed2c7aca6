"""Run commands in an empty home and without a network, and tell whom they ask.

`python -m tests.offline COMMANDS` is the program that runs there: the commands one after the other in one
process. One that serves is visited, and then ended with Ctrl-C.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PORT = 8793
"""Where commands serve."""

_ADDRESS = re.compile(r'inet_(?:addr\(|pton\(AF_INET6, )"(?:::ffff:)?([^"]+)"')
_ROUTE = "8.8.8.8"
"""Ray connects a UDP socket to it and sends nothing, to learn its own address where there is a network."""


@dataclass(frozen=True, kw_only=True)
class Offline:
    """What commands printed, whom they asked outside of this machine, and what they wrote in the home."""

    out: str
    asked: frozenset[str]
    files: frozenset[str]


@cache
def is_separable() -> bool:
    """Whether a process may have a network of its own here."""
    words = ["unshare", "-rn", "true"]
    return (
        bool(shutil.which("unshare"))
        and not subprocess.run(words, capture_output=True, check=False).returncode
    )


def run_offline(home: Path, *commands: Sequence[str]) -> Offline:
    """Run commands of nlpkit in an empty home.

    They have no network where the system allows that. Look-ups and connections of their process are noted,
    and those of all its children where strace is installed.
    """
    home.mkdir()
    trace, calls = home.with_suffix(".trace"), "trace=connect,sendto,sendmsg,sendmmsg"
    trace.touch()
    strace = ["strace", "-f", "-qq", "--seccomp-bpf", "-e", calls, "-o", str(trace)]
    kept = {name: os.environ[name] for name in ("PATH", "NLPKIT_CACHE") if name in os.environ}
    done = subprocess.run(
        [
            *(strace if shutil.which("strace") else ()),
            *(["unshare", "-rn"] if is_separable() else ()),
            *(sys.executable, "-m", "tests.offline", json.dumps(commands)),
        ],
        env={**kept, "HOME": str(home), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    asked = {match[1] for match in _ADDRESS.finditer(trace.read_text(errors="replace"))}
    asked.update(
        line.removeprefix("asked: ") for line in done.stdout.splitlines() if line.startswith("asked: ")
    )
    files = (path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file())
    return Offline(out=done.stdout, asked=frozenset(asked - _own_addresses()), files=frozenset(files))


def _own_addresses() -> set[str]:
    import psutil

    own = {line.address for lines in psutil.net_if_addrs().values() for line in lines}
    return own | {"0.0.0.0", "::", "::1", "127.0.0.1"} | (set() if is_separable() else {_ROUTE})  # noqa: S104


def _bring_up_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line, suppress(OSError):
        fcntl.ioctl(line, 0x8914, struct.pack("16sh22x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP


_seen: set[str] = {"None", "", "localhost"}


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    """Print whom this process looks up or connects to, each once."""
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0]
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    name = host.decode() if isinstance(host, bytes) else str(host)
    if name not in _seen:
        _seen.add(name)
        print("asked:", name, flush=True)


def _visit(kind: str) -> None:
    """Use what is served, print what it answers, and end it."""
    import httpx2

    with httpx2.Client(base_url=f"http://127.0.0.1:{PORT}", timeout=60, trust_env=False) as client:
        while True:
            with suppress(httpx2.TransportError):
                client.get("/").raise_for_status() if kind == "demo" else client.get("/health")
                break
            time.sleep(0.3)
        print("reply:", json.dumps(_reply(client, kind)), flush=True)
    os.kill(os.getpid(), signal.SIGINT)


def _reply(client: Any, kind: str) -> Any:
    if kind == "serve":
        asked = {"model": "toy", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 4}
        answer = client.post("/v1/chat/completions", json=asked).raise_for_status().json()
        score = client.post("/v1/score", json={"texts": ["lovely food"]}).raise_for_status().json()
        return [answer["choices"][0]["message"]["role"], score["results"][0]["label"]]
    sampling = ("", 0.7, 0.9, 0, 1.1, 4, "")
    asked = {"data": ["hello", "", *sampling]}
    event = client.post("/gradio_api/call/chat", json=asked).raise_for_status().json()["event_id"]
    name, _, data = (
        client.get(f"/gradio_api/call/chat/{event}").text.split("event: ")[-1].partition("\ndata: ")
    )
    return [name, "reply" in json.loads(data)[0]]


def _run(commands: Sequence[Sequence[str]]) -> None:
    from nlpkit.cli.app import main

    for words in commands:
        if words[0] in ("serve", "demo"):
            threading.Thread(target=_visit, args=(words[0],), daemon=True).start()
            words = [*words, "--port", str(PORT)]
        sys.argv = ["nlpkit", *words]
        try:
            main()
        except SystemExit as end:
            if end.code not in (0, None, 130):
                raise


if __name__ == "__main__":
    _bring_up_loopback()
    sys.addaudithook(_watch)
    _run(json.loads(sys.argv[1]))
    print("module:", "onnxruntime" in sys.modules)
