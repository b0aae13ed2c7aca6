"""The command that serves the demo: its folder is next to the package in a checkout, inside it in a wheel."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

import typer


def demo_folder() -> Path:
    """Return the folder of the demo that ships with the package."""
    package = Path(__file__).parents[1]
    inside = package / "demo_"
    return inside if inside.is_dir() else package.parent / "demo"


def demo(context: typer.Context) -> None:
    """Serve a chat, a scorer and the reports of runs to a browser."""
    program = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)
    program.command(epilog="Examples: nlpkit demo   |   nlpkit demo runs/bot --port 8080")(
        demo_module("app").run
    )
    typer.main.get_command(program)(args=context.args, prog_name="nlpkit demo")


def demo_module(name: str) -> Any:
    """Return a module of the demo; no other package called `demo` is taken."""
    folder = demo_folder()
    if list(getattr(sys.modules.get("demo"), "__path__", ())) != [str(folder)]:
        spec = importlib.util.spec_from_file_location(
            "demo", folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        if spec is None or spec.loader is None:
            raise ImportError(f"{folder}: the demo's package cannot be loaded")
        sys.modules["demo"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["demo"])
    return importlib.import_module(f"demo.{name}")


def register(app: typer.Typer) -> None:
    """Add the command to the program; the demo parses its own options, and shows its own help."""
    settings = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
    app.command(context_settings=settings, add_help_option=False)(demo)
