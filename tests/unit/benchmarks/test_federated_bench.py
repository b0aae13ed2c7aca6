"""The benchmark of federated training: its sites, what it does to one, and its arithmetic."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from benchmarks import federated
from benchmarks.federated import Setup, bench, dropping, poisoned, write_sites
from nlpkit.federated.weights import from_bytes, to_bytes
from nlpkit.run import Run


def test_no_text_goes_to_two_sites(tmp_path: Path) -> None:
    texts = {"tweets": [(f"tweet {number}", 1.0) for number in range(10)], "films": [("film", -1.0)]}
    files = write_sites(texts, {"a": {"tweets": 6, "films": 1}, "b": {"tweets": 4}}, tmp_path, seed=1)
    rows = {
        site: list(csv.reader(path.read_text(encoding="utf-8").splitlines()))[1:]
        for site, path in files.items()
    }
    assert {site: len(found) for site, found in rows.items()} == {"a": 7, "b": 4}
    assert len({text for found in rows.values() for text, _ in found}) == 11
    with pytest.raises(SystemExit, match="b: 5 tweets; 4 are left"):
        write_sites(texts, {"a": {"tweets": 6}, "b": {"tweets": 5}}, tmp_path, seed=1)


def test_a_poisoned_site_goes_ten_times_as_far_the_other_way() -> None:
    sent, own = (to_bytes({"head": np.array([value], dtype=np.float32)}) for value in (1.0, 1.5))
    assert from_bytes(poisoned(1, sent, own))["head"].tolist() == [-4.0]
    assert dropping(1, sent, own) == own
    with pytest.raises(OSError, match="gone"):
        dropping(2, sent, own)


def test_the_first_way_is_compared_with_alone_and_central(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = {
        "federated": {"federated": [1, 1, 1, 0], "central": [1, 1, 1, 1], "alone": [1, 0, 0, 0]},
        "matrices apart": {"federated": [1, 1, 0, 0]},
    }
    data = {"federation": {"rounds": [{
        "number": 1, "lost": 0, "seconds": 1,
        "sites": [{"site": "a", "rows": 4, "sent": 100, "received": 90}],
    }]}}  # fmt: skip
    monkeypatch.setattr(Run, "read", lambda self: type("Record", (), {"data": data}))
    monkeypatch.setattr(federated, "train_way", lambda name, files, setup, seed: Run(tmp_path / name))
    monkeypatch.setattr(
        federated,
        "right_rows",
        lambda run, alone: {
            (way, "a"): np.array(rows, dtype=bool) for way, rows in right[run.path.name].items()
        },
    )
    setup = Setup(base="", ways=list(right), seeds=[1, 2], others=1, rounds=1, folder=tmp_path, settings={})
    said: list[str] = []
    found = bench({"a": tmp_path / "a.csv"}, setup, results=tmp_path, talk=said.append)
    gains = {title: sites["a"]["gain"]["difference"] for title, sites in found.items()}
    assert gains == pytest.approx({
        "federated against alone": 0.5,
        "federated against central": -0.25,
        "matrices apart, against federated": -0.25,
    })  # fmt: skip
    assert [len(sites["a"]["by_seed"]) for sites in found.values()] == [2, 2, 1]
    assert "out and back at all sites: 190 bytes" in (tmp_path / "federated.md").read_text(encoding="utf-8")
    assert "+50.0" in said[0]
