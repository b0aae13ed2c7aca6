"""The examples of the documents that need only the built-in classifier run, and print what is shown."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nlpkit.cli.app import app
from tests.tutorials import agrees
from tests.unit.test_docs import ROOT, blocks

pytestmark = pytest.mark.integration

PAGES = ("README.md", "docs/index.md", "docs/first-steps.md")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder with the shipped data, as a reader of the page has it."""
    shutil.copytree(ROOT / "recipes" / "data", tmp_path / "recipes" / "data")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(command: str) -> str:
    done = CliRunner().invoke(app, shlex.split(command, comments=True)[1:])
    assert done.exit_code == 0, f"{command}: {done.output}"
    return done.stdout


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_the_first_minute_run(page: str, folder: Path) -> None:
    ready = [
        line
        for block in blocks(page, "sh")
        for line in block.splitlines()
        if re.match(r"nlpkit (predict|score|analyze) (\"|recipes/data/sample.csv)", line)
    ]
    assert ready
    for line in ready:
        run(line)


@pytest.mark.parametrize("page", PAGES[:2])
def test_the_output_below_a_command_is_its_output(page: str, folder: Path) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    pairs = re.findall(r"(?ms)^```sh\n(nlpkit predict [^\n]*)\n```\n\n```text\n(.*?)^```$", text)
    assert pairs
    for command, shown in pairs:
        printed = run(command)
        assert agrees(printed, shown), printed


@pytest.mark.parametrize("page", ["docs/first-steps.md", "docs/migrate.md"])
def test_the_python_of_a_page_runs(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    examples = blocks(page, "python")
    assert examples
    for example in examples:
        exec(compile(example, page, "exec"), {})  # noqa: S102
    printed = capsys.readouterr().out
    if page == "docs/first-steps.md":
        assert printed == "positive\nnegative\n"
    else:  # first VADER, then nlpkit, on a negation
        assert printed.splitlines()[0] == "negative"
        assert printed.splitlines()[1].startswith("negative -0.")
