"""Start NVFlare for a federated training, and follow its rounds: the simulator, or processes with
certificates.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from nlpkit.errors import NO_TELEMETRY, NlpkitError, optional
from nlpkit.federated.rounds import Ledger, Round
from nlpkit.federated.site import FederatedConfig
from nlpkit.files import write_whole
from nlpkit.training.runs import RunInProgress

ALLOWED = ["nlpkit.federated.flare.Server", "nlpkit.federated.flare.SiteExecutor"]
"""The classes of a job that NVFlare may start: it refuses those that no list names."""

SHOWN_LINES = 5
"""Of the engine's log, when it failed."""


def run_flare(
    config: FederatedConfig, job: RunInProgress, ledger: Ledger, *, report: Callable[[Round], None]
) -> None:
    """Run the rounds that the ledger lacks through NVFlare; nothing of its workspace stays.

    Raises:
        ConfigError: NVFlare is not installed.
        NlpkitError: too few sites sent something usable, or NVFlare ended without the last round.
    """
    optional("nvflare", extra="federated")
    folder = job.run.checkpoints.absolute() / "nvflare"
    shutil.rmtree(folder, ignore_errors=True)
    args = {
        "config": str(job.run.config.absolute()),
        "ledger": str(ledger.folder.absolute()),
        "fingerprint": job.fingerprint,
        "seed": job.seed,
        "parent": os.getpid(),
        "cwd": os.getcwd(),
    }
    error = ledger.folder / "error.txt"
    error.unlink(missing_ok=True)
    written = write_job(folder / "job", list(config.sites), args)
    local = folder / "workspace" / "local" / "resources.json"  # of the simulator
    write_whole(local, json.dumps({"format_version": 2, "class_allow_list": ALLOWED}))
    log = folder / "log.txt"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            _command(config, written, folder / "workspace"), stdout=stream, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, env={**os.environ, **NO_TELEMETRY}, start_new_session=True,
        )  # fmt: skip
        try:
            _follow(process, ledger, report)
        finally:
            _end(process)
    if error.is_file():
        message = error.read_text(encoding="utf-8")
        error.unlink()
        raise NlpkitError(message)
    if len(ledger.rounds) < config.federation.rounds:
        last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-SHOWN_LINES:]
        done = f"{len(ledger.rounds)} of {config.federation.rounds}"
        raise NlpkitError(
            f"NVFlare ended after round {done}: {' | '.join(last)}; hint: {log} has all that it wrote"
        )
    shutil.rmtree(folder, ignore_errors=True)


def _command(config: FederatedConfig, written: Path, workspace: Path) -> list[str]:
    """Return what starts the engine with a job."""
    module = (
        ["nlpkit.federated.flare_processes"]
        if config.federation.engine == "processes"
        else ["nvflare.private.fed.app.simulator.simulator", "-t", str(len(config.sites))]
    )
    return [
        *(sys.executable, "-m", *module, str(written)),
        *("-w", str(workspace), "-c", ",".join(config.sites)),
    ]


def write_job(folder: Path, sites: list[str], args: Mapping[str, Any]) -> Path:
    """Write a job for NVFlare: our server and our sites, and what they are started with."""
    app = folder / "app" / "config"
    components: dict[str, Any] = {
        "format_version": 2, "components": [], "task_data_filters": [], "task_result_filters": [],
    }  # fmt: skip
    server = {"id": "rounds", "path": ALLOWED[0], "args": dict(args)}
    client = {"path": ALLOWED[1], "args": dict(args)}
    meta = {
        "name": "job", "resource_spec": {}, "min_clients": 1, "deploy_map": {"app": ["server", *sites]},
    }  # fmt: skip
    write_whole(folder / "meta.json", json.dumps(meta, indent=2))
    write_whole(app / "config_fed_server.json", json.dumps({**components, "workflows": [server]}, indent=2))
    executors = [{"tasks": ["facts", "train"], "executor": client}]
    write_whole(app / "config_fed_client.json", json.dumps({**components, "executors": executors}, indent=2))
    return folder


def _follow(process: subprocess.Popen[bytes], ledger: Ledger, report: Callable[[Round], None]) -> None:
    """Report rounds as the server writes them, until the engine ends."""
    running = True
    while running:
        running = process.poll() is None
        known = len(ledger.rounds)
        with suppress(OSError):  # an older checkpoint goes when a newer one is whole
            ledger.read()
        for this in ledger.rounds[known:]:
            report(this)
        if running:
            time.sleep(0.5)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the engine and all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(10)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
