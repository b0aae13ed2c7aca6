from __future__ import annotations

import ast
from pathlib import Path

import pytest
from typer.testing import CliRunner

import nlpkit
from nlpkit.cli.app import app
from nlpkit.errors import ConfigError
from nlpkit.generation.chatbot import Chatbot
from nlpkit.generation.runtimes import EXPORTS, RUNTIMES, TABLE, ChatRuntime
from nlpkit.models.runtimes import RuntimeRow, find_runtime


def test_every_row_is_a_runtime_or_an_export_and_opens_what_it_writes() -> None:
    assert len({row.name for row in TABLE}) == len(TABLE)
    assert {*RUNTIMES, *EXPORTS} == {row.name for row in TABLE}
    for row in TABLE:
        assert row.help
        assert bool(row.write) == bool(row.open)
        assert bool(row.package) == bool(row.extra)
    assert min(row.min_agreement for row in EXPORTS.values()) > 0.5
    assert max(row.max_difference for row in EXPORTS.values()) < 1


@pytest.mark.parametrize("command", ["chat", "serve"])
def test_the_choices_of_the_command_line_are_the_table(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--runtime", "nonsense"])
    assert result.exit_code == 2
    for name in RUNTIMES:
        assert name in result.output


def test_a_runtime_that_is_not_in_the_table_is_refused_by_name(tmp_path: Path, tiny_chat_base: Path) -> None:
    with pytest.raises(ConfigError, match="'onyx' is no runtime here; did you mean 'onnx'"):
        Chatbot.default(str(tiny_chat_base), runtime="onyx")


def test_a_row_tells_whether_its_package_is_installed_and_what_installs_it() -> None:
    missing = ChatRuntime(name="new", help="a new one", package="no_such_package", extra="new")
    assert not missing.is_installed
    with pytest.raises(ConfigError, match=r"pip install 'nlpkit\[new\]'"):
        missing.library()
    plain = RuntimeRow(name="plain", help="without a package")
    assert plain.is_installed
    with pytest.raises(ValueError, match="needs no package"):
        plain.library()
    assert find_runtime("new", {"new": missing}) is missing


def test_no_other_module_lists_the_runtimes_of_chat_models() -> None:
    root = Path(nlpkit.__file__).parent
    listing = []
    for path in [*root.rglob("*.py"), *(root.parent / "demo").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            strings = (
                {one.value for one in ast.walk(node) if isinstance(one, ast.Constant)}
                if isinstance(node, ast.Subscript)
                else set()
            )
            if set(RUNTIMES) <= strings:
                listing.append(path.name)
    assert listing == []
