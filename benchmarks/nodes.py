"""A local Ray cluster of two nodes of one core each, for the time of a benchmark."""

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
    """Start a cluster, and yield its address and the process that holds it."""
    # A token keeps others out. Ray lowers the priority of its workers; without that, they compare fairly with
    # the single process.
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
            raise NlpkitError("the cluster did not start; hint: run `ray start --head` to see the reason")
        yield address, process.pid
        process.communicate()


def hold_cluster() -> None:
    """Start the nodes, print the address, and stop them when standard input ends."""
    nodes = optional("ray.cluster_utils", extra="ray").Cluster()
    for _ in range(NODES):
        nodes.add_node(num_cpus=1, include_dashboard=False, object_store_memory=256 << 20)
    print("address", nodes.address, flush=True)
    sys.stdin.read()
    nodes.shutdown()


def workers(root: int) -> list[psutil.Process]:
    """Return the processes of the cluster that compute."""
    return [
        process
        for process in psutil.Process(root).children(recursive=True)
        if "MapWorker" in " ".join(process.cmdline())
    ]


def cpu_seconds(root: int | None) -> float:
    """Return the CPU seconds of this process and of the cluster, with its processes that ended."""
    processes = [psutil.Process()]
    if root:
        processes += [psutil.Process(root), *psutil.Process(root).children(recursive=True)]
    return sum(sum(process.cpu_times()[:4]) for process in processes)


if __name__ == "__main__":
    hold_cluster()
