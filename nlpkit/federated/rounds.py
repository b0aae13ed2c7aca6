"""The rounds of a federated training, whatever engine brings messages to the sites and back."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import TypeAdapter

from nlpkit.errors import NlpkitError
from nlpkit.federated.aggregation import Update, aggregate, problem_of
from nlpkit.federated.settings import Federation
from nlpkit.federated.weights import Weights, from_bytes, to_bytes
from nlpkit.metrics.score import Part
from nlpkit.training.checkpoints import MARKER, mark

Reply: TypeAlias = bytes | str
"""A site's weights as safetensors, or why it sent none."""
Ask: TypeAlias = Callable[[int, bytes], Mapping[str, Reply]]
"""(round, the weights sent out) -> the replies that came in time, by site."""
LATE = "did not answer in time"


class SiteRound(Part):
    """One site in one round."""

    site: str
    rows: int
    sent: int
    """Bytes to the site."""
    received: int
    """Bytes from the site."""
    norm: float | None = None
    """How far it moved; None where it was left out."""
    scale: float | None = None
    """What its change was multiplied with: below 1 where it was clipped."""
    problem: str = ""
    """Why it was left out."""


class Round(Part):
    """What happened in one round."""

    number: int
    sites: tuple[SiteRound, ...]
    lost: float
    """The share of the products' squared norm that the cut back to the rank left out."""
    seconds: float

    @property
    def line(self) -> str:
        """The round in words."""
        used = [site for site in self.sites if not site.problem]
        events = [f"{site.site} left out, {site.problem}" for site in self.sites if site.problem]
        events += [
            f"{site.site} clipped to {site.scale:.2g} of its change"
            for site in used
            if site.scale is not None and site.scale < 1
        ]
        sent, received = (
            sum(getattr(site, way) for site in self.sites) / 1e6 for way in ("sent", "received")
        )
        head = (
            f"round {self.number}: {len(used)} of {len(self.sites)} sites, {sent:.2f} MB out, "
            f"{received:.2f} MB back"
        )
        return "; ".join([head, *events])


_ROUNDS = TypeAdapter(tuple[Round, ...])


class Ledger:
    """The state after the last whole round, as a checkpoint: weights, and what happened in each round."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        """Read the newest whole checkpoint of a folder, which is one of this training."""
        self.folder = folder
        self.fingerprint = fingerprint
        self.rounds: tuple[Round, ...] = ()
        self.weights: Weights = {}
        self.read()

    def read(self) -> None:
        """Read again: another process may have written."""
        from safetensors import safe_open

        whole = sorted(int(marker.parent.name.rpartition("-")[2]) for marker in self._markers())
        for path in map(self._path, whole[-1:]):
            with safe_open(path, framework="numpy") as opened:
                self.rounds = _ROUNDS.validate_json(opened.metadata()["rounds"])
                self.weights = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118

    def keep(self, weights: Weights, *rounds: Round) -> None:
        """Write the state before the first round, or after a further one; the marker of it comes last."""
        self.rounds, self.weights = (*self.rounds, *rounds), weights
        path, older = self._path(len(self.rounds)), list(self._markers())
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(to_bytes(weights, {"rounds": _ROUNDS.dump_json(self.rounds).decode()}))
        mark(path.parent, fingerprint=self.fingerprint)
        for marker in older:
            shutil.rmtree(marker.parent)

    def record(self) -> dict[str, Any]:
        """Return what `run.json` holds of the rounds."""
        return {"rounds": _ROUNDS.dump_python(self.rounds, mode="json")}

    def _path(self, number: int) -> Path:
        return self.folder / f"checkpoint-{number}" / "rounds.safetensors"

    def _markers(self) -> Iterator[Path]:
        return self.folder.glob(f"checkpoint-*/{MARKER}")


def recorded_rounds(data: Mapping[str, Any]) -> tuple[Round, ...]:
    """Return the rounds that a run's record holds."""
    return _ROUNDS.validate_python(data["federation"]["rounds"])


def run_rounds(
    ledger: Ledger,
    rows: Mapping[str, int],
    ask: Ask,
    federation: Federation,
    *,
    report: Callable[[Round], None],
) -> None:
    """Run the rounds that the ledger lacks.

    Args:
        ledger: holds what the first round starts from, and gets each whole round.
        rows: the training rows of each site, as the sites said before the first round.
        ask: brings weights to the sites, and their replies back.
        federation: how many rounds, and how updates become one.
        report: gets each completed round.

    Raises:
        NlpkitError: too few sites sent something usable.
    """
    for number in range(len(ledger.rounds) + 1, federation.rounds + 1):
        started = time.monotonic()
        start = ledger.weights
        sent = to_bytes(start)
        replies = ask(number, sent)
        updates: dict[str, Update] = {}
        problems: dict[str, str] = {}
        for site, count in rows.items():
            taken = _usable(replies.get(site, LATE), start)
            if isinstance(taken, str):
                problems[site] = taken
            else:
                updates[site] = Update(rows=count, weights=taken)
        if len(updates) < federation.min_sites:
            why = "; ".join(f"{site} {problem}" for site, problem in problems.items())
            raise NlpkitError(
                f"round {number}: {len(updates)} of {len(rows)} sites sent an update that can be used; "
                f"expected at least {federation.min_sites}: {why}; "
                "hint: the same command resumes with this round; federation.min_sites asks for fewer"
            )
        result = aggregate(updates, start, federation)
        ledger.keep(
            result.weights,
            Round(
                number=number,
                sites=tuple(
                    SiteRound(
                        site=site,
                        rows=count,
                        sent=len(sent),
                        received=_size(replies.get(site)),
                        norm=result.norms.get(site),
                        scale=result.scales.get(site),
                        problem=problems.get(site, ""),
                    )
                    for site, count in rows.items()
                ),
                lost=result.lost,
                seconds=round(time.monotonic() - started, 2),
            ),
        )
        report(ledger.rounds[-1])


def _size(reply: Reply | None) -> int:
    return len(reply) if isinstance(reply, bytes) else 0


def _usable(reply: Reply, start: Weights) -> Weights | str:
    """Return an update's weights, or why it is left out."""
    if isinstance(reply, str):
        return reply
    try:
        weights = from_bytes(reply)
    except ValueError as error:
        return f"sent {error}"
    problem = problem_of(weights, start)
    return f"sent what can't be used: {problem}" if problem else weights
