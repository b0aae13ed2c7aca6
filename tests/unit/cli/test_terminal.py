"""What a command says at its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from nlpkit.cli.terminal import show_summary
from nlpkit.scoring.job import ScoreSummary


@pytest.mark.parametrize(("count", "plural"), [(1, ""), (1_200, "s")])
def test_one_is_not_in_the_plural(count: int, plural: str, capsys: pytest.CaptureFixture[str]) -> None:
    summary = ScoreSummary(
        rows=count, written=count, rejected=count, partly_read=count, abstained=count, guarded=count,
        unreadable={}, seconds=1.0, texts_per_second=5.0, resumed_from=0, output=Path("a.csv"),
        rejects=Path("b.jsonl"),
    )  # fmt: skip
    show_summary(summary, as_json=False)
    told = " ".join(capsys.readouterr().err.split())
    for words in ("row{} scored", "text{} too long", "text{} (100.0%)", "cell{} that", "row{} rejected"):
        assert f"{count:,} {words.format(plural)}" in told
