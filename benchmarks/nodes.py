"""A Ray cluster of two nodes of one core each, on this machine, for as long as a benchmark takes."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from nlpkit.errors import NlpkitError, optional

NODES = 2


@contextmanager
def cluster() -> Iterator[tuple[str, int]]:
    """The address of a cluster of its own, and the process that holds it."""
    # Nobody else may enter it. Ray gives way to other processes, which the one process beside it does not: here both are alike.
    os.environ.update(
        RAY_AUTH_MODE="token",
        RAY_AUTH_TOKEN=secrets.token_hex(32),
        RAY_USAGE_STATS_ENABLED="0",
        RAY_worker_niceness="0",
    )
    command = [sys.executable, "-m", "benchmarks.nodes"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        address = next(
            (line.split()[1] for line in process.stdout or () if line.startswith("address ")), None
        )
        if address is None:
            raise NlpkitError("the cluster did not start; cure: see what `ray start --head` says")
        yield address, process.pid
        process.communicate()


def hold_cluster() -> None:
    """Start the nodes, say where, and end them when standard input does."""
    nodes = optional("ray.cluster_utils", extra="ray").Cluster()
    for _ in range(NODES):
        nodes.add_node(num_cpus=1, include_dashboard=False, object_store_memory=256 << 20)
    print("address", nodes.address, flush=True)
    sys.stdin.read()
    nodes.shutdown()


def workers(root: int) -> list[psutil.Process]:
    """The processes of the cluster that compute."""
    return [
        one for one in psutil.Process(root).children(recursive=True) if "MapWorker" in " ".join(one.cmdline())
    ]


def cpu_seconds(root: int | None) -> float:
    """Of this process and of the cluster's, those that ended included: they count as their parents' children."""
    processes = [psutil.Process()]
    if root:
        processes += [psutil.Process(root), *psutil.Process(root).children(recursive=True)]
    return sum(sum(one.cpu_times()[:4]) for one in processes)


if __name__ == "__main__":
    hold_cluster()
