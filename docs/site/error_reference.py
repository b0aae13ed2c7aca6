"""The catalog of errors, read from the source: `pages()`. Nothing is imported or run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("nlpkit", "recipes", "demo")
BASE = "NlpkitError"
HINT = re.compile(r"[;,.]?\s*\bhint:\s*")
EXIT_CODES = {"ConfigError": 2, "DataError": 3, "RunError": 4}
"""All others end a command with 1."""


@dataclass(frozen=True, kw_only=True)
class Message:
    """What an error says, with braces where a value goes."""

    text: str
    hint: str
    """Empty where the message alone says what to do."""
    error: str
    exit_code: int
    file: str
    """Relative to the repository."""
    line: int


def collect() -> list[Message]:
    """Return the messages of all errors that a user can fix, in the order of the source."""
    trees = {
        path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
    }
    parents = _parents(trees.values())
    return [message for file, tree in trees.items() for message in _messages(tree, file, parents)]


def pages() -> dict[str, str]:
    """Return the Markdown of the catalog: a page for each package that raises errors."""
    areas: dict[str, list[Message]] = {}
    for message in collect():
        areas.setdefault(_area(message.file), []).append(message)
    return {area: _page(area, messages) for area, messages in sorted(areas.items())}


def _area(file: str) -> str:
    top, *rest = file.split("/")
    return rest[0].removesuffix(".py") if top == "nlpkit" else top


def _page(area: str, messages: list[Message]) -> str:
    parts = [
        f"# Errors of `{area}`\n",
        "A value that differs each time is shown in braces. An error ends the command with its exit code.\n",
    ]
    seen: set[tuple[str, str]] = set()
    for message in messages:
        if (message.text, message.hint) in seen:
            continue
        seen.add((message.text, message.hint))
        parts.append(f"## {_code(message.text)}\n")
        if message.hint:
            parts.append(f"Hint: {_code(message.hint)}\n")
        parts.append(f"`{message.error}`, exit code {message.exit_code}, `{message.file}`\n")
    return "\n".join(parts)


def _code(text: str) -> str:
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def _parents(trees: object) -> dict[str, str]:
    """Return the errors that a user can fix, each with the class that it derives from."""
    bases: dict[str, str] = {}
    for tree in trees:  # type: ignore[attr-defined]
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and node.bases and isinstance(node.bases[0], ast.Name):
                bases[node.name] = node.bases[0].id

    def derives(name: str) -> bool:
        return name == BASE or (name in bases and derives(bases[name]))

    return {name: base for name, base in bases.items() if derives(name)}


def _exit_code(name: str, parents: dict[str, str]) -> int:
    while name != BASE:
        if name in EXIT_CODES:
            return EXIT_CODES[name]
        name = parents[name]
    return 1


def _messages(tree: ast.Module, file: str, parents: dict[str, str]) -> Iterator[Message]:
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args):
            continue
        if node.func.id not in {BASE, *parents} or not (template := _template(node.args[0])):
            continue
        text, _, hint = HINT.sub("\0", " ".join(template.split()), count=1).partition("\0")
        code = _exit_code(node.func.id, parents)
        yield Message(text=text, hint=hint, error=node.func.id, exit_code=code, file=file, line=node.lineno)


def _template(node: ast.expr) -> str:
    """Return a message with braces for its values; empty where no words of it stand in the code."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(_template(value) for value in values)
        case ast.FormattedValue(value=value):
            return _placeholder(value)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            first, second = _template(left), _template(right)
            return (first or "{...}") + (second or "{...}") if first or second else ""
        case ast.IfExp(body=body):
            return _template(body)
        case _:
            return ""


def _placeholder(value: ast.expr) -> str:
    match value:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return f"{{{name.strip('_').lower()}}}"
        case ast.Call(func=ast.Name(id="nearest")):
            return "; did you mean {the nearest name}?"
        case ast.Call(func=ast.Name(id="len")):
            return "{count}"
        case _:
            return "{...}"
