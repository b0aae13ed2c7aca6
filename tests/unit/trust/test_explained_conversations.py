"""Explanations of conversations in files, as a page, and by the command."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from unittest.mock import patch

import pytest
from typer.testing import CliRunner, Result

import nlpkit
from nlpkit.cli.app import app
from nlpkit.trust.explanation_page import to_page
from nlpkit.trust.reply_explainer import ReplyExplainer
from nlpkit.trust.served_replies import ServedReplies
from tests.chat_templates import conversation
from tests.conftest import write_chats
from tests.speakers import Summing

WORTH = {"s": 1.0, "a": 3.0, "b": -0.5, "c": 2.0}
EVIL = "<script>alert(1)</script>"


def row(*said: str, id: str = "1") -> dict[str, object]:
    system, *rest = said
    sides = ("user", "assistant") * len(rest)
    messages = [{"role": "system", "content": system}]
    messages += [{"role": side, "content": text} for side, text in zip(sides, rest, strict=False)]
    return {"id": id, "messages": messages}


@pytest.fixture
def chats(tmp_path: Path) -> Path:
    return write_chats(
        tmp_path / "chats.jsonl", [row("s", "a", "b", "c", "r"), row("s", "a", "b", "c", id="2")]
    )


def invoke(*arguments: object, model: Summing | None = None) -> Result:
    """Explain with the name of the built-in chat model, in whose place the model answers."""
    with patch.object(ServedReplies, "load", lambda run: model or Summing(WORTH)):
        return CliRunner().invoke(app, ["explain", "default-bot", *map(str, arguments)])


def error_of(*arguments: object, model: Summing | None = None) -> str:
    result = invoke(*arguments, model=model)
    assert isinstance(result.exception, nlpkit.NlpkitError), result.output
    return str(result.exception)


def test_the_terminal_shows_a_bar_for_each_turn(chats: Path) -> None:
    result = invoke(chats)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0] == "r"
    assert (
        "\u22124.5 nats (\u22121.12 a token) with all turns, \u221210.0 nats (\u22122.50 a token)" in lines[1]
    )
    assert lines[2].split() == ["+3.00", "\u2588" * 12, "1", "user:", "a", "(+0.75", "a", "token)"]
    assert lines[4].split()[-5:] == ["system:", "s", "(+0.25", "a", "token)"]
    assert "faithfulness in nats per token (in brackets: random orders of the turns)" in lines[6]
    assert lines[7] == "done"
    assert "the run gave this reply now" in result.output


def test_a_text_is_a_message_that_the_run_replies_to() -> None:
    (shown,) = [json.loads(line) for line in invoke("a", "--json").stdout.splitlines()]
    assert (shown["reply"], shown["generated"], shown["log_likelihood"]) == ("done", True, -7)
    assert shown["turns"] == [
        {"number": 1, "role": "user", "text": "a", "weight": 3.0, "weight_per_token": 0.75}
    ]
    assert "text 1 of 1: its last message is empty" in error_of(" ")


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
def test_a_file_gains_the_explanations(chats: Path, tmp_path: Path, ending: str) -> None:
    output = tmp_path / f"explained.{ending}"
    assert invoke(chats, "-o", output).exit_code == 0
    with output.open(encoding="utf-8", newline="") as stream:
        if ending == "csv":
            rows = [
                {"conversation": row[0], "messages": json.loads(row[1]), "explanations": json.loads(row[2])}
                for row in list(csv.reader(stream))[1:]
            ]
        else:
            rows = [json.loads(line) for line in stream]
    assert [row["conversation"] for row in rows] == ["1", "2"]
    assert [len(row["messages"]) for row in rows] == [5, 4]
    assert rows[0]["messages"][0] == {"role": "system", "content": "s"}
    (explained,) = rows[0]["explanations"]
    assert [turn["weight"] for turn in explained["turns"]] == [1, 3, -0.5, 2]
    assert explained["faithfulness"]["scores"].keys() == {"comprehensiveness", "sufficiency", "deletion"}


def test_bad_conversations_stop_it_or_are_skipped_and_reported(chats: Path, tmp_path: Path) -> None:
    with chats.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(row("s", "alone")) + "\n")
    assert "row 3" in error_of(chats)
    assert "--on-error skip" in error_of(chats)
    result = invoke(chats, "--on-error", "skip", "--json", model=Summing(WORTH, says=""))
    assert result.exit_code == 5
    assert len(result.stdout.splitlines()) == 1  # in the second one the run replies nothing
    assert "2 rows skipped; the first: " in result.stderr


def test_options_of_the_other_kind_of_run_are_refused(chats: Path) -> None:
    assert "--bot: is for a file of conversations" in error_of("hello there", "--bot", "agent")
    assert "--label joy" in error_of(chats, "--label", "joy")
    assert "--image: a chat model reads no pictures" in error_of(chats, "--image", "picture")
    assert "--method gradients" in error_of(chats, "--method", "gradients")
    reversed_ = invoke(chats, "--bot", "first", "--json")
    assert reversed_.exit_code == 0, reversed_.output
    assert json.loads(reversed_.stdout.splitlines()[1])["reply"] == "c"


def test_the_page_marks_turns_and_runs_nothing(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    chats = write_chats(tmp_path / "chats.jsonl", [row(EVIL, "a", EVIL, "c", f"{EVIL} or not")])
    assert invoke(chats, "--html", page).exit_code == 0
    html = page.read_text(encoding="utf-8")
    assert "<script" not in html
    assert html.count("&lt;script&gt;alert(1)") >= 5
    assert "+3.00" in html
    assert "All turns" in html
    assert "makes the reply likelier" in html
    explanation = ReplyExplainer(Summing(WORTH)).explain(conversation("a", "r"))
    assert to_page([explanation], run="<b>", source="").count("<b>") == 0
