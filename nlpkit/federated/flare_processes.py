"""Run a job on NVFlare's server and sites as processes of their own, over loopback with mutual TLS.

    python -m nlpkit.federated.flare_processes JOB -w WORKSPACE -c clinic,lab

A certificate authority, and a certificate with a key for the server, each site and the one who submits the
job, are made for this run alone, and go with its workspace.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nlpkit.errors import optional
from nlpkit.federated.flare_job import ALLOWED
from nlpkit.files import write_whole

SERVER, ADMIN, ORG = "localhost", "admin@nlpkit.local", "nlpkit"
LOGS = ("site_log_streamer", "log_receiver")
"""NVFlare's parts that send a site's log to the server."""

LOGIN_S = 300.0
"""Seconds within which the server has started, and then within which the sites have connected."""


def main() -> int:
    """Provision, start the processes, submit the job and wait for its end."""
    parser = argparse.ArgumentParser()
    parser.add_argument("job")
    parser.add_argument("-w", "--workspace", type=Path, required=True)
    parser.add_argument("-c", "--clients", required=True)
    given = parser.parse_args()
    sites = given.clients.split(",")
    kits = provision(given.workspace, sites)
    processes = [_start(kits, SERVER, "server")]
    api: Any = optional("nvflare.fuel.flare_api.flare_api", extra="federated")
    try:
        session = api.new_secure_session(ADMIN, str(kits / ADMIN), timeout=LOGIN_S)
        try:
            # Only now: a site that finds no server gives up
            processes += [_start(kits, site, "client") for site in sites]
            if absent := _absent(session, sites):
                print(f"sites that did not connect: {', '.join(absent)}", file=sys.stderr)
                return 1
            number = session.submit_job(str(given.job))
            session.monitor_job(number, poll_interval=1.0)
            status = str(session.get_job_meta(number).get("status"))
        finally:
            session.close()
    finally:
        for process in processes:
            process.terminate()
    print(f"the job ended: {status}", file=sys.stderr)
    return 0 if status.endswith("COMPLETED") else 1


def _absent(session: Any, sites: Sequence[str]) -> list[str]:
    """Wait until all sites have connected to the server; return those that have not in time."""
    ends = time.monotonic() + LOGIN_S
    absent = set(sites)
    while absent and time.monotonic() < ends:
        absent -= {client.name for client in session.get_system_info().client_info}
        time.sleep(0.5)
    return sorted(absent)


def provision(workspace: Path, sites: Sequence[str]) -> Path:
    """Make certificates and start-up kits; return the folder that holds one a participant."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    project = {
        "api_version": 3,
        "name": "federation",
        "participants": [
            {"name": SERVER, "type": "server", "org": ORG, "fed_learn_port": port},
            *({"name": site, "type": "client", "org": ORG} for site in sites),
            {"name": ADMIN, "type": "admin", "org": ORG, "role": "project_admin"},
        ],
        "builders": [
            {
                "path": "nvflare.lighter.impl.workspace.WorkspaceBuilder",
                "args": {"template_file": ["master_template.yml"]},
            },
            {
                "path": "nvflare.lighter.impl.static_file.StaticFileBuilder",
                "args": {"config_folder": "config"},
            },
            {"path": "nvflare.lighter.impl.cert.CertBuilder"},
            {"path": "nvflare.lighter.impl.signature.SignatureBuilder"},
        ],
    }
    written = workspace / "project.yml"
    write_whole(written, json.dumps(project, indent=2))  # JSON is YAML
    subprocess.run(
        [
            sys.executable,
            "-m",
            "nvflare.lighter.provision",
            "-p",
            str(written),
            "-w",
            str(workspace),
            "--force",
        ],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    kits = workspace / "federation" / "prod_00"
    for name in (SERVER, *sites):
        _set_resources(kits / name, workspace)
    return kits


def _set_resources(kit: Path, workspace: Path) -> None:
    """Let a kit start our classes alone, send no logs to the server, which could quote a text, and keep what
    it stores inside the workspace.
    """
    local = kit / "local"
    text = (local / "resources.json.default").read_text(encoding="utf-8")
    resources = json.loads(text.replace("/tmp/nvflare", str(workspace / "stored")))  # noqa: S108
    resources["components"] = [part for part in resources["components"] if part["id"] not in LOGS]
    own = {"class_allow_list": ALLOWED, "allow_log_streaming": False}
    write_whole(local / "resources.json", json.dumps({**resources, **own}, indent=2))


def _start(kits: Path, name: str, kind: str) -> subprocess.Popen[bytes]:
    settings = ["secure_train=true", f"org={ORG}", "config_folder=config"]
    if kind == "client":
        settings.append(f"uid={name}")
    return subprocess.Popen(
        [
            *(sys.executable, "-u", "-m", f"nvflare.private.fed.app.{kind}.{kind}_train"),
            *("-m", str(kits / name), "-s", f"fed_{kind}.json", "--set", *settings),
        ],
        stdin=subprocess.DEVNULL,
    )


if __name__ == "__main__":
    sys.exit(main())
