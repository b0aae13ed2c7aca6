"""The reference of every command, made from the Typer app: `page()`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import typer.main

from nlpkit.cli.app import app


def commands() -> Iterator[tuple[str, Any]]:
    """Yield (words, command) of all that is not hidden, such as `sources fetch`."""
    yield from _commands(typer.main.get_command(app), "")


def _commands(group: Any, before: str) -> Iterator[tuple[str, Any]]:
    for name, command in sorted(group.commands.items()):
        if command.hidden:
            continue
        yield f"{before}{name}", command
        if hasattr(command, "commands"):
            yield from _commands(command, f"{before}{name} ")


def page() -> str:
    """Return the Markdown of all commands, each below a heading of its own."""
    return "\n".join(["## Commands\n", *(_section(words, command) for words, command in commands())])


def _section(words: str, command: Any) -> str:
    parts = [f"### `nlpkit {words}`\n", f"{_plain(command.help)}\n"]
    if command.epilog:
        parts.append(f"{_example(_plain(command.epilog))}\n")
    shown = [parameter for parameter in command.params if not getattr(parameter, "hidden", False)]
    rows = [_row(parameter) for parameter in shown if parameter.name != "help"]
    if rows:
        parts.append("\n".join(["| argument or option | meaning | default |", "|---|---|---|", *rows]) + "\n")
    return "\n".join(parts)


def _row(parameter: Any) -> str:
    names = ", ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])
    if parameter.param_type_name == "argument":
        names = f"`{parameter.metavar or parameter.name.upper()}`"
    choices = [f"`{choice}`" for choice in _choices(parameter.type_descriptor.annotation)]
    allowed = f" One of {', '.join(choices)}." if choices else ""
    return f"| {names} | {_cell(_plain(parameter.help or '') + allowed)} | {_cell(_default(parameter))} |"


def _choices(annotation: Any) -> list[object]:
    """Return the values of a `Literal`, which may be optional."""
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    return [choice for part in get_args(annotation) for choice in _choices(part)]


def _default(parameter: Any) -> str:
    shown = parameter.show_default
    if isinstance(shown, str):
        return shown
    default = parameter.default
    if default is True and parameter.secondary_opts:
        return f"`{parameter.opts[0]}`"
    if callable(default) or default in (None, False, (), []) or "Sentinel" in type(default).__name__:
        return ""
    return f"`{default}`" if default != "" else ""


def _example(epilog: str) -> str:
    """Return the examples below the help as code."""
    before, colon, example = epilog.partition(": ")
    return f"{before}: `{example}`" if colon else epilog


def _plain(text: str | None) -> str:
    """Return help without rich's markup, its lines joined."""
    return " ".join(re.sub(r"\[/?(?:bold|dim|italic|cyan|green|yellow)[^]]*\]", "", text or "").split())


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
