"""Many clients at `nlpkit serve` and the demo, with kills: `python -m tests.reliability.load --minutes 60`.

Of ten clients seven talk, one is slow, one leaves and one lies, at each of the two servers. In the first half
both are killed again and again; in the second half their memory is measured. Whatever a client saw as saved
must be in the store, and each reply must answer its own message. It writes load.json and load.md.

`--limit 1 8 64 256 --minutes 0.5` raises the clients of a server with a real model instead: load-limit.md.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import Machine
from benchmarks.results import FOLDER, save, table
from nlpkit.chat.store import Store
from tests.reliability.load_clients import KEYS, DemoClients, ServeClients, Talkers, Watched

SHOWN = {"median": 0.5, "95%": 0.95, "99%": 0.99, "longest": 1.0}
BAD = ("lost", "mixed", "failed", "lie believed", "damaged", "rating refused", "refused without")
"""Counts that must be zero."""


def lost_in(at: Watched) -> int:
    """Count what a client saw as saved and the store does not hold in its place."""
    lost = 0
    with Store.open(at.server.store, timeout=60) as store:
        if store._database.rows("PRAGMA integrity_check")[0][0] != "ok":
            at.counts["damaged stores"] += 1
        if at.name == "serve":
            kept: dict[str, list[tuple[str, str]]] = {}
            for row in store.preferences().rows:
                turns = [(turn["role"], turn["content"]) for turn in row["messages"]]
                kept[row["reason"]] = [*turns, ("assistant", row["reply"])]
            return sum(kept.get(reason) != turns for reason, turns in dict(at.saved).items())
        for chat, turns in dict(at.saved).items():
            held = iter([(message.role, message.text) for message in store.read(chat, "").messages])
            lost += sum(turn not in held for turn in list(turns))
    return lost


async def tend(servers: Sequence[Watched], begun: float, end: float, kills: int) -> None:
    """Kill the servers in the first half, look into their stores, and measure them all the time."""
    moments = [begun + (end - begun) / 2 * (number + 1) / (kills + 1) for number in range(kills)]
    while time.monotonic() < end:
        await asyncio.sleep(min(10.0, max(0.0, end - time.monotonic())))
        for at in servers:
            at.measure()
        if moments and time.monotonic() >= moments[0]:
            moments.pop(0)
            for at in servers:
                await asyncio.to_thread(at.kill)
                at.counts["lost after a kill"] += await asyncio.to_thread(lost_in, at)
                await asyncio.to_thread(at.start)
        at_work = ", ".join(f"{at.name} {at.counts['replies']:,}" for at in servers)
        print(f"{(time.monotonic() - begun) / 60:.1f} min: replies {at_work}", flush=True)


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """Return the median, two high percentiles and the maximum."""
    return {name: float(np.quantile(seconds or [0.0], share)) for name, share in SHOWN.items()}


def tried(at: Watched) -> dict[str, Any]:
    """Return what a server's clients saw, and what its process held."""
    last = [held for held in at.held if held["life"] == at.life and held["seconds"] > 60]
    return {
        "counts": dict(sorted(at.counts.items())),
        "seconds": percentiles(at.seconds),
        "first_seconds": percentiles(at.first_seconds),
        "last_life": {"begin": last[0], "end": last[-1]} if last else {},
        "most_mb": max((held["mb"] for held in at.held), default=0),
        "held": at.held[::12],
    }


def find_limit(steps: Sequence[int], seconds: float, results: Path) -> None:
    """Raise the clients of `nlpkit serve` with the built-in chat model, and write what they saw."""
    machine, measured = Machine(), []
    with tempfile.TemporaryDirectory() as name:
        at = Watched("serve", Path(name) / "serve", ())
        options = ("--classifier", "none", "--rate", "1000000", "--temperature", "0", "--max-tokens", "16")
        at.server.words = ("-m", "nlpkit", "serve", "--port", str(at.server.port), *options)
        at.start()
        try:
            for clients in steps:
                at.counts.clear()
                at.seconds, at.first_seconds = [], []
                asyncio.run(Talkers(at, clients, time.monotonic() + seconds, (0.0, 0.1)).run())
                measured.append({"clients": clients, **tried(at)} | {"held": [], "last_life": {}})
                print(measured[-1], flush=True)
        finally:
            at.server.kill()
    rows = [
        [
            f"{step['clients']:,}",
            f"{step['counts'].get('replies', 0) / seconds:.1f}",
            *(f"{step['seconds'][share]:.1f} s" for share in ("median", "95%")),
            f"{step['counts'].get('refused politely', 0):,}",
            f"{sum(count for what, count in step['counts'].items() if what.startswith(BAD)):,}",
        ]
        for step in measured
    ]
    head = ["clients", "replies a second", "median", "95%", "refused with Retry-After", "failed or lost"]
    save(
        results, "load-limit", {"seconds": seconds, "steps": measured},
        title="Clients until the server refuses", machine=machine,
        lines=[
            "`nlpkit serve` with the built-in chat model, 16 tokens a reply at most, clients without pauses.",
            "",
            *table(head, rows),
        ],
    )  # fmt: skip


def main() -> int:
    """Run the load, write what it showed; end with 1 where something was lost, mixed up or believed."""
    parser = argparse.ArgumentParser(description="Many clients at the servers, with kills.")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--clients", type=int, default=200, help="of each server; default: 200")
    parser.add_argument("--kills", type=int, default=6, help="of each server; default: 6")
    parser.add_argument("--limit", type=int, nargs="+", metavar="CLIENTS", help="raise the clients instead")
    parser.add_argument("--results", type=Path, default=FOLDER)
    given = parser.parse_args()
    if given.limit:
        find_limit(given.limit, 60 * given.minutes, given.results)
        return 0
    machine = Machine()
    servers = under_load(given.minutes, given.clients, given.kills)
    results = {at.name: tried(at) for at in servers}
    settings = {"minutes": given.minutes, "clients": given.clients}
    page = save(
        given.results, "load", settings | {"servers": results}, machine=machine,
        title=f"{given.clients} clients for {given.minutes:g} minutes",
        lines=lines(results, given.minutes, given.clients),
    )  # fmt: skip
    print(page)
    return int(any(map(failures, servers)))


def under_load(minutes: float, clients: int, kills: int) -> list[Watched]:
    """Start both servers, let their clients live, and look into their stores."""
    os.environ["NLPKIT_KEY"] = ",".join(KEYS.values())
    with tempfile.TemporaryDirectory() as name:
        words = ("-m", "tests.reliability.load_servers")
        servers = [Watched(kind, Path(name) / kind, (*words, kind)) for kind in ("serve", "demo")]
        try:
            for at in servers:
                at.start()
            asyncio.run(everyone(servers, minutes * 60, clients, kills))
            for at in servers:
                at.counts["lost at the end"] += lost_in(at)
        finally:
            for at in servers:
                if at.server.process:
                    at.server.kill()
    return servers


def failures(at: Watched) -> dict[str, int]:
    """Return the counts that are not zero and must be."""
    return {what: count for what, count in at.counts.items() if count and what.startswith(BAD)}


async def everyone(servers: Sequence[Watched], seconds: float, clients: int, kills: int) -> None:
    """Let the clients live until the end, and tend the servers meanwhile."""
    begun = time.monotonic()
    end = begun + seconds
    kinds: dict[str, Any] = {"serve": (ServeClients, (4.0, 10.0)), "demo": (DemoClients, (10.0, 30.0))}
    groups = [kinds[at.name][0](at, clients, end, kinds[at.name][1]) for at in servers]
    await asyncio.gather(tend(servers, begun, end, kills), *(group.run() for group in groups))


def lines(results: dict[str, dict[str, Any]], minutes: float, clients: int) -> list[str]:
    """Return the tables of the page."""
    kinds = sorted({what for found in results.values() for what in found["counts"]})
    counts = [[what, *(f"{found['counts'].get(what, 0):,}" for found in results.values())] for what in kinds]
    times = [
        [f"{title}, {share}", *(f"{found[key][share]:.2f} s" for found in results.values())]
        for key, title in (("first_seconds", "to the first word"), ("seconds", "to the end of a reply"))
        for share in SHOWN
    ]
    held = [
        [f"{what} of the server, a minute after the last kill and at the end"]
        + [
            " and ".join(f"{found['last_life'][when][key]:,.0f}" for when in ("begin", "end"))
            if found["last_life"]
            else "–"
            for found in results.values()
        ]
        for key, what in (("mb", "MB"), ("threads", "threads"), ("files", "open files"))
    ]
    return [
        f"{clients} clients of `nlpkit serve` and as many of the demo for {minutes:g} minutes. Of ten, seven "
        "talk, one is slow, one leaves in the middle of a reply, and one lies. Only the model is replaced, "
        "by one that says back what it heard at 100 words a second.",
        "",
        *table(["count", *results], counts),
        "",
        *table(["seconds and memory", *results], times + held),
    ]


if __name__ == "__main__":
    sys.exit(main())
