"""The benchmark of explanations: how its numbers are joined."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.explain import collect, drawn, summary


def row(text: str, ours: float, random: float, *, kept: int | None, error: float) -> dict[str, Any]:
    scores = {
        "scores": {"comprehensiveness": ours, "sufficiency": ours, "deletion": ours},
        "random": {"comprehensiveness": random, "sufficiency": random, "deletion": random},
    }
    return {
        "text": text,
        "gradients": {
            **scores, "words": 4, "kept": kept, "changed": kept, "completeness_error": error,
            "processor_seconds": 1.0,
        },
    }  # fmt: skip


def test_a_method_is_compared_with_random_orders_text_by_text() -> None:
    rows = [row("a", 0.6, 0.2, kept=1, error=0.001), row("b", 0.4, 0.5, kept=None, error=0.02)]
    found = summary(rows, "gradients")
    assert found["comprehensiveness"]["mean"] == pytest.approx(0.5)
    assert found["comprehensiveness"]["random"] == pytest.approx(0.35)
    assert found["comprehensiveness"]["difference"] == pytest.approx([-0.1, 0.4])
    assert found["comprehensiveness"]["better"] == found["deletion"]["better"] == 0.5
    assert found["kept"] == {"texts": 1, "median": 1.0}
    assert found["completeness_error"] == {"median": pytest.approx(0.0105), "most": 0.02, "within": 0.5}


def test_what_is_measured_is_not_measured_again(tmp_path: Path) -> None:
    work = tmp_path / "work.jsonl"
    work.write_text('{"text": "a"}\n', encoding="utf-8")
    assert collect(["a"], work, {}, print) == [{"text": "a"}]
    texts = tmp_path / "texts.csv"
    texts.write_text("\n".join(["text", *(f"text {number % 5}" for number in range(20))]), encoding="utf-8")
    assert sorted(drawn(texts, 9, seed=1)) == [f"text {number}" for number in range(5)]
