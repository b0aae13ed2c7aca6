"""What a command says at its end."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from nlpkit.cli.terminal import as_options, bar, bytes_bar, show_summary, skippable
from nlpkit.errors import DataError
from nlpkit.scoring.job import ScoreSummary


@pytest.mark.parametrize(("count", "plural"), [(1, ""), (1_200, "s")])
def test_one_is_not_in_the_plural(count: int, plural: str, capsys: pytest.CaptureFixture[str]) -> None:
    summary = ScoreSummary(
        rows=count, written=count, rejected=count, partly_read=count, abstained=count, guarded=count,
        unreadable={}, seconds=1.0, texts_per_second=5.0, resumed_from=0, output=Path("a.csv"),
        rejects=Path("b.jsonl"),
    )  # fmt: skip
    show_summary(summary, as_json=False)
    printed = " ".join(capsys.readouterr().err.split())
    for words in ("row{} scored", "text{} too long", "text{} (100.0%)", "cell{} that", "row{} rejected"):
        assert f"{count:,} {words.format(plural)}" in printed


def test_a_mapping_of_labels_becomes_an_option_that_can_be_typed() -> None:
    message = 'a.csv, row 1: ...; hint: put `labels: {"It\'s good": "good"}` below the source in the config'
    with pytest.raises(DataError) as raised, as_options(labels=True):
        raise DataError(message)
    assert shlex.split(str(raised.value).partition("hint: ")[2]) == ["--labels", '{"It\'s good": "good"}']
    with pytest.raises(DataError, match="below the source in the config"), as_options():
        raise DataError(message)


def test_the_way_past_bad_rows_is_named_for_texts_alone() -> None:
    for message, is_about_text in (
        ("a.csv, row 2, column 'text': the text is empty", True),
        ("a.csv, row 4: column 'p_negative' holds ''; expected a number", False),
    ):
        with pytest.raises(DataError) as raised, skippable("stop", "nlpkit score", about="column 'text': "):
            raise DataError(message)
        assert str(raised.value).endswith("or go past bad rows with nlpkit score") == is_about_text


@pytest.mark.parametrize("kind", [bar, bytes_bar])
def test_a_notebook_that_asks_for_colors_gets_no_bar(
    kind: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with kind("reading") as show:
        show(1, 2, *([""] if kind is bar else []))
    assert capsys.readouterr().err.strip() == ""
