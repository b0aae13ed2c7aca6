"""Rounds with sites that fail, come late or send nonsense; resuming; sites that do not agree."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nlpkit.errors import ConfigError, DataError, NlpkitError
from nlpkit.federated.rounds import Ledger, Reply, Round, recorded_rounds, run_rounds
from nlpkit.federated.settings import Federation
from nlpkit.federated.site import Facts, refuse_disagreement
from nlpkit.federated.weights import from_bytes, to_bytes

ROWS = {"clinic": 30, "lab": 10}


def head(value: float) -> dict[str, Any]:
    return {"head.weight": np.array([value], dtype=np.float32)}


def ledger_in(folder: Path) -> Ledger:
    ledger = Ledger(folder, "mine")
    if not ledger.weights:
        ledger.keep(head(0.0))
    return ledger


def run(
    ledger: Ledger, replies: Mapping[str, Any], rows: Mapping[str, int] = ROWS, **federation: Any
) -> list[Round]:
    reported: list[Round] = []

    def ask(number: int, sent: bytes) -> dict[str, Reply]:
        start = float(from_bytes(sent)["head.weight"][0])
        return {
            site: to_bytes(head(start + reply)) if isinstance(reply, float) else reply
            for site, reply in replies.items()
        }

    run_rounds(ledger, rows, ask, Federation(rounds=2, **federation), report=reported.append)
    return reported


def test_each_round_goes_on_from_the_one_before_and_is_counted(tmp_path: Path) -> None:
    ledger = ledger_in(tmp_path)
    size = len(to_bytes(head(0.0)))
    first, second = run(ledger, {"clinic": 1.0, "lab": 2.0})
    assert float(ledger.weights["head.weight"][0]) == pytest.approx(2 * (0.75 * 1 + 0.25 * 2))
    assert [(site.sent, site.received) for site in second.sites] == [(size, size)] * 2
    assert [site.norm for site in first.sites] == pytest.approx([1, 2])
    assert first.line == "round 1: 2 of 2 sites, 0.00 MB out, 0.00 MB back"
    assert [folder.name for folder in tmp_path.iterdir()] == ["checkpoint-2"]
    assert recorded_rounds({"federation": ledger.record()}) == (first, second)


def test_a_killed_training_resumes_at_the_last_whole_round(tmp_path: Path) -> None:
    run(ledger_in(tmp_path), {"clinic": 1.0, "lab": 1.0})
    ledger = Ledger(tmp_path, "mine")
    assert len(ledger.rounds) == 2
    half = tmp_path / "checkpoint-3"  # killed before the marker
    half.mkdir()
    (half / "rounds.safetensors").write_bytes(b"half")
    assert len(Ledger(tmp_path, "mine").rounds) == 2
    asked: list[int] = []

    def ask(number: int, sent: bytes) -> dict[str, Reply]:
        asked.append(number)
        return dict.fromkeys(ROWS, sent)

    run_rounds(ledger, ROWS, ask, Federation(rounds=3), report=lambda this: None)
    assert asked == [3]
    assert float(Ledger(tmp_path, "mine").weights["head.weight"][0]) == pytest.approx(2)


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        ("failed: OSError: the disk is gone", "failed: OSError: the disk is gone"),
        (None, "did not answer in time"),
        (b"PK\x03\x04 a pickle", "sent no safetensors of float32"),
        (float("nan"), "sent what can't be used: head.weight holds nan or infinity"),
        (to_bytes({"other": np.zeros(1, dtype=np.float32)}), "2 arrays are missing or unknown, such as head"),
        (to_bytes({"head.weight": np.zeros(2, dtype=np.float32)}), "expected float32 of shape [1]"),
    ],
)
def test_what_cannot_be_used_is_left_out_of_the_round_and_told(
    tmp_path: Path, reply: Any, problem: str
) -> None:
    ledger, rows = ledger_in(tmp_path), {**ROWS, "shop": 1000}
    replies = {"clinic": 1.0, "lab": 1.0, **({} if reply is None else {"shop": reply})}
    reported = run(ledger, replies, rows)
    assert float(ledger.weights["head.weight"][0]) == pytest.approx(2)
    shop = reported[0].sites[2]
    assert problem in shop.problem
    assert (shop.norm, shop.scale) == (None, None)
    assert "2 of 3 sites" in reported[0].line
    assert f"shop left out, {shop.problem}" in reported[0].line


def test_a_poisoned_site_is_clipped_or_outvoted(tmp_path: Path) -> None:
    rows, replies = {"clinic": 10, "lab": 10, "shop": 10}, {"clinic": 1.0, "lab": 1.0, "shop": -1000.0}
    reported = run(ledger := ledger_in(tmp_path / "clip"), replies, rows, clip=3.0)
    assert float(ledger.weights["head.weight"][0]) == pytest.approx(2 * (1 + 1 - 3) / 3)
    assert "shop clipped to 0.003 of its change" in reported[0].line
    run(ledger := ledger_in(tmp_path / "median"), replies, rows, combine="median")
    assert float(ledger.weights["head.weight"][0]) == pytest.approx(2)
    run(ledger := ledger_in(tmp_path / "none"), replies, rows, clip=None)
    assert float(ledger.weights["head.weight"][0]) == pytest.approx(2 * -998 / 3)


def test_too_few_sites_end_the_training_with_the_round_before_kept(tmp_path: Path) -> None:
    ledger = ledger_in(tmp_path)
    with pytest.raises(NlpkitError, match=r"round 1: 1 of 2 sites .* at least 2: lab did not answer in time"):
        run(ledger, {"clinic": 1.0})
    assert Ledger(tmp_path, "mine").rounds == ()
    assert len(run(ledger, {"clinic": 1.0}, min_sites=1)) == 2


FACTS = Facts(rows=5, labels=("no", "yes"), task="t", base="b", settings="s")


@pytest.mark.parametrize(
    ("changed", "kind", "message"),
    [
        ({"rows": 0}, DataError, r"sites\.lab: no training rows; hint"),
        ({"labels": ("no", "maybe")}, DataError, r"sites\.lab: has the labels no, maybe; clinic has no, yes"),
        ({"base": "c"}, ConfigError, r"sites\.lab: has another base model than clinic"),
        ({"settings": "u"}, ConfigError, r"sites\.lab: has other training or LoRA settings"),
        ({"task": "u"}, ConfigError, r"sites\.lab: has another task"),
    ],
)
def test_sites_that_disagree_are_refused_by_name(
    changed: dict[str, Any], kind: type[Exception], message: str
) -> None:
    refuse_disagreement({"clinic": FACTS, "lab": FACTS.model_copy(update={"rows": 7})})
    with pytest.raises(kind, match=message):
        refuse_disagreement({"clinic": FACTS, "lab": FACTS.model_copy(update=changed)})
