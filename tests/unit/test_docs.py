"""The documents are right: commands parse, configs are valid, links resolve, tables are complete."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import typer.main
from click.exceptions import ClickException
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

import nlpkit
from nlpkit import errors
from nlpkit.cli.app import app
from nlpkit.config import read_config, validate
from nlpkit.data.codebook import Codebook
from nlpkit.tasks.task import TEXT_TASKS
from nlpkit.training.recipes import load_recipe
from tests.fakes import FakeBot, FakeClassifier

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
GUIDES = [path.relative_to(ROOT).as_posix() for path in DOCUMENTS]


def blocks(document: str, language: str) -> list[str]:
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def commands(document: str) -> Iterator[list[str]]:
    """Return the words of each `nlpkit ...` in the shell blocks, up to a pipe or `>`."""
    for block in blocks(document, "sh"):
        for line in block.splitlines():
            for piece in re.split(r"\s\|\s|\s>\s", line):
                words = shlex.split(piece, comments=True)
                if "nlpkit" in words:
                    yield words[words.index("nlpkit") + 1 :]


@pytest.mark.parametrize("document", GUIDES)
def test_every_command_is_one_that_the_program_takes(document: str) -> None:
    group: Any = typer.main.get_command(app)
    for words in commands(document):
        if words == ["--help"]:
            continue
        command = group.commands[words[0]]
        try:
            command.make_context(words[0], words[1:], resilient_parsing=False)
        except ClickException as error:
            pytest.fail(f"{document}: nlpkit {shlex.join(words)}: {error.format_message()}")


def test_the_documents_hold_commands_for_every_verb() -> None:
    shown = {words[0] for document in GUIDES for words in commands(document)}
    assert {"train", "score", "predict", "check", "evaluate", "sources"} <= shown


@pytest.mark.parametrize("document", GUIDES)
def test_every_config_is_valid(document: str, tmp_path: Path) -> None:
    for block in blocks(document, "yaml"):
        path = tmp_path / "config.yaml"
        path.write_text(block, encoding="utf-8")
        tree, lines = read_config(path)
        if "recipe" not in tree:  # the labels of a task in words
            validate(tree, Codebook, where=path, lines=lines)
            continue
        if str(tree["recipe"]).endswith(".py"):  # a recipe of the user's own, shown in the same document
            own = next(code for code in blocks(document, "python") if "class Config" in code)
            (tmp_path / tree["recipe"]).write_text(own, encoding="utf-8")
        recipe = load_recipe(tree["recipe"], folder=tmp_path)
        validate(tree, recipe.Config, where=path, lines=lines)


@pytest.mark.parametrize("document", GUIDES)
def test_every_python_example_imports_what_is_there(document: str) -> None:
    for block in blocks(document, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom):
                module = __import__(str(node.module), fromlist=["_"])
                assert all(hasattr(module, one.name) for one in node.names), ast.unparse(node)
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "nlpkit":
                assert node.attr in nlpkit.__all__, ast.unparse(node)


@pytest.mark.parametrize("document", ["docs/chat-store.md", "docs/serving.md"])
def test_the_examples_of_the_chat_run(
    document: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(nlpkit.Chatbot, "default", lambda: FakeBot())
    monkeypatch.setattr(nlpkit.Classifier, "load", lambda run: FakeClassifier())
    examples = blocks(document, "python")
    assert examples
    for block in examples:
        exec(compile(block, document, "exec"), {})  # noqa: S102
        said = "I lost my keys." if "Session" in block else "Tell me of the sea."
        assert f"1: {said}" in capsys.readouterr().out  # what the fake bot says back


@pytest.mark.parametrize("document", GUIDES)
def test_every_link_leads_to_a_file(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)", text):
        assert target.startswith("https://") or (ROOT / document).parent.joinpath(target).exists(), (
            f"{document}: {target}"
        )


def test_every_page_stands_in_the_navigation_of_the_site() -> None:
    navigation = (ROOT / "docs" / "site" / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    docs = ROOT / "docs"
    pages = sorted(path.relative_to(docs).as_posix() for path in docs.rglob("*.md"))
    assert sorted(re.findall(r"[\w/-]+\.md", navigation)) == pages


def keys_of(model: type[BaseModel], before: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted key, default) of everything that a config may hold."""
    for name, field in model.model_fields.items():
        key = f"{before}{name}"
        inner = field.annotation
        if key == "task" and not isinstance(inner, type):
            for kind in TEXT_TASKS.values():
                yield from (
                    (found, default) for found, default in keys_of(kind, "task.") if found != "task.kind"
                )
            yield "task.kind", "polarity"
        elif isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from keys_of(inner, f"{key}.")
        else:
            yield key, field.default
            if key == "data.train":
                yield from keys_of(get_args(inner)[0], "data.train.0.")


def written(default: Any) -> str:
    """A default as the table writes it, in YAML's words."""
    if default is PydanticUndefined or default in (None, ""):
        return ""
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{list(default)}`" if isinstance(default, tuple) else f"`{default}`"


@pytest.mark.parametrize(("recipe", "document"), [("sentiment", "training.md"), ("dialogue", "dialogue.md")])
def test_the_table_of_keys_is_that_of_the_models(recipe: str, document: str) -> None:
    text = (ROOT / "docs" / document).read_text(encoding="utf-8").partition("## All keys")[2]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("| `")
    ]
    assert {key: default for key, default, _ in rows} == {
        f"`{key}`": written(default) for key, default in keys_of(load_recipe(recipe).Config)
    }
    assert all(meaning for _, _, meaning in rows)


def test_the_table_of_exit_codes_is_that_of_the_errors() -> None:
    page = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8").partition("## Exit codes")[2]
    listed = {
        int(code) for row in re.findall(r"^\| ([\d, ]+) \|", page, re.MULTILINE) for code in row.split(",")
    }
    raised = {
        one.exit_code
        for one in vars(errors).values()
        if isinstance(one, type) and issubclass(one, errors.NlpkitError)
    }
    assert listed == raised | {0, 5, 6, 130, 143}


def test_the_readme_is_short_and_begins_with_what_it_does() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) < 120
    first_screen = "\n".join(lines[:36])
    assert "pip install" in first_screen
    assert "```python" in first_screen
    assert "positive    score" in first_screen  # the output under the command


@pytest.mark.parametrize("document", GUIDES)
def test_no_document_uses_long_dashes(document: str) -> None:
    assert "\u2014" not in (ROOT / document).read_text(encoding="utf-8")
