"""What the demo refuses to begin with, and that the guide's commands are ones that it takes."""

from __future__ import annotations

import re
import shlex
import socket
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from demo.app import run
from demo.gradio_limits import free_port

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "demo.md").read_text(encoding="utf-8")


def program() -> typer.Typer:
    made = typer.Typer(add_completion=False)
    made.command()(run)
    return made


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--host", "0.0.0.0"], "hint: --login FILE, or --anyone"),  # noqa: S104
        (["--mcp", "--login", "users"], "its tools have no login"),
        (["--add-user", "ann"], "hint: add --login FILE"),
        (["--login", "no-such-file"], "no-such-file"),
    ],
)
def test_what_would_let_others_in_is_refused(
    words: list[str], what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(program(), words)
    assert done.exit_code == 2
    assert what in done.stderr


@pytest.mark.parametrize("content", [b"not a database, but long enough to be looked at" * 50, b""])
def test_a_store_that_is_none_is_refused_by_name(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "chat.sqlite"
    file.write_bytes(content)
    file.chmod(0o400)
    done = CliRunner().invoke(
        program(), ["--store", str(file / "inside" if not content else file), "--runs", str(tmp_path)]
    )
    assert done.exit_code == 3
    assert "chat.sqlite" in done.stderr
    assert file.read_bytes() == content


def test_i7_port_0_is_a_port_that_is_free() -> None:
    for host, family in (("127.0.0.1", socket.AF_INET), ("localhost", socket.AF_INET)):
        with socket.create_server((host, free_port(host)), family=family) as listener:
            assert listener.getsockname()[1] > 0


def test_the_commands_of_the_guide_are_taken() -> None:
    command = typer.main.get_command(program())
    blocks = "".join(re.findall(r"^```sh\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE))
    lines = [shlex.split(line, comments=True) for line in blocks.splitlines() if "nlpkit demo" in line]
    assert len(lines) >= 3
    for words in lines:
        command.make_context("app", words[words.index("demo") + 1 :])


def test_the_table_of_options_is_that_of_the_program() -> None:
    table = GUIDE.partition("## Options")[2].partition("\n## ")[0]
    listed = set(
        re.findall(
            r"`(--[a-z-]+)",
            "".join(line.split("|")[1] for line in table.splitlines() if line.startswith("| `")),
        )
    )
    there = {
        name for one in typer.main.get_command(program()).params for name in one.opts if name.startswith("--")
    }
    assert listed == there
