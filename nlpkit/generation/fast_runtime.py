"""`--runtime auto` of a chat model: the fast runtime where its export is there, else torch while it is made.

The export is made by another process, `export_child`, so that replies go on meanwhile.
"""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Protocol

from nlpkit.errors import NlpkitError, RunError
from nlpkit.generation.export_chat import cached_export, export_folder
from nlpkit.generation.runtimes import AUTO, FAST, RUNTIMES
from nlpkit.models.pretrained import pick_device
from nlpkit.models.runtimes import find_runtime
from nlpkit.sources import cache_folder

if TYPE_CHECKING:
    from nlpkit.generation.capacity import Capacity
    from nlpkit.generation.decoder import Decoder
    from nlpkit.generation.language_model import LanguageModel

CHILD = "nlpkit.generation.export_child"
"""The module that makes an export."""
LARGEST = 4 << 30
"""Bytes of a base's weights up to which an export is made without being asked for."""
FREE = 3
"""Times the bytes of the weights that must be free where the export is made."""


def choose_runtime(runtime: str, name: str, identity: Mapping[str, str]) -> str:
    """Return the runtime to open now: for AUTO the fast one where its export is there, else torch."""
    if runtime != AUTO:
        return runtime
    row = RUNTIMES[FAST]
    if not row.is_installed or pick_device().type != "cpu":
        return "torch"
    return FAST if export_folder(name, identity, row).is_dir() else "torch"


def is_worth_exporting(weights: int) -> bool:
    """Return whether a base of so many bytes is exported without being asked for."""
    if not RUNTIMES[FAST].is_installed or pick_device().type != "cpu" or weights > LARGEST:
        return False
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    return shutil.disk_usage(folder).free > FREE * weights


@dataclass(frozen=True, kw_only=True, slots=True)
class Weights:
    """What the replies come from, loaded or exported when it is needed."""

    identity: Mapping[str, str]
    load: Callable[[], LanguageModel]
    threads: int | None
    source: Mapping[str, Any]
    """How another process names it."""

    def open_export(self, name: str, window: int, runtime: str) -> tuple[Decoder, Capacity]:
        """Return the decoder of a cached export, made now if there is none, and its usual capacity."""
        row = find_runtime(runtime, RUNTIMES)
        if row.open is None:
            raise ValueError(f"the runtime {runtime} opens no export")
        folder = cached_export(name, self.identity, row, self.load)
        return row.open(row, folder, window, self.threads), row.capacity


def _close(pipe: IO[str] | None) -> None:
    with contextlib.suppress(OSError):
        if pipe:
            pipe.close()


class Changing(Protocol):
    """A chat model that can change its runtime."""

    @property
    def name(self) -> str: ...
    @property
    def window(self) -> int: ...
    def change(self, runtime: str, decoder: Decoder, capacity: Capacity) -> None:
        """Reply in another runtime from now on."""


class Export:
    """The export of a chat model that another process makes; once it is there, the model replies by it."""

    def __init__(self, bot: Changing, weights: Weights, capacity: Capacity | None) -> None:
        """Start it. It is given up where the chat model is closed or no longer used."""
        self.failure: str = ""
        """Why there is none; empty while it is being made and once it is there."""
        self._weights, self._capacity = weights, capacity
        self._process = subprocess.Popen(
            [sys.executable, "-m", CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,  # a Ctrl-C that stops a reply is not for it
        )
        # It ends when its stdin does, also where this process is killed
        self.stop: weakref.finalize[[IO[str] | None], Changing] = weakref.finalize(
            bot, _close, self._process.stdin
        )
        self._thread = threading.Thread(target=self._wait, args=(weakref.ref(bot),), daemon=True)
        self._thread.start()

    def __str__(self) -> str:
        if self.failure:
            return f"no {FAST}: {self.failure}"
        return f"{FAST} replies once its export is made" if self._thread.is_alive() else ""

    def join(self) -> None:
        """Wait until it is there, or given up."""
        self._thread.join()

    def _wait(self, owner: weakref.ref[Changing]) -> None:
        model = {**self._weights.source, "threads": self._weights.threads}
        stdin, stderr = self._process.stdin, self._process.stderr
        if stdin is None or stderr is None:
            raise ValueError("the process has no pipes")
        with contextlib.suppress(OSError, ValueError):  # it has ended, or was stopped
            stdin.write(json.dumps(model) + "\n")
            stdin.flush()
        with stderr:
            written = stderr.read()
        self._process.wait()
        stopped = not self.stop.alive
        self.stop()
        bot = owner()
        if bot is None or stopped:  # closed, or no longer used
            return
        try:
            if self._process.returncode:
                raise RunError((written.strip().splitlines() or ["its process was ended"])[-1])
            decoder, usual = self._weights.open_export(bot.name, bot.window, FAST)
            bot.change(FAST, decoder, self._capacity or usual)
        except NlpkitError as error:
            self.failure = str(error)
            logging.getLogger("nlpkit").warning("%s goes on in torch: %s", bot.name, error)
