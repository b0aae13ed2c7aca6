"""What ships with the package: recipes and configs, and what each is for, read without loading them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


def recipes_folder() -> Path:
    """Return the folder of the shipped recipes and their configs."""
    inside = Path(__file__).parent.parent / "recipes_"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "recipes"


@dataclass(frozen=True, kw_only=True)
class ShippedConfig:
    """A config that ships with the package: `nlpkit train NAME` runs it."""

    name: str
    recipe: str
    summary: str
    """What it trains, from the comment at its top."""
    path: Path


def shipped_configs() -> list[ShippedConfig]:
    """Return the shipped configs, by name."""
    return [_config(path) for path in sorted((recipes_folder() / "configs").glob("*.yaml"))]


def shipped_recipes() -> dict[str, str]:
    """Return the shipped recipes by name, each with the first line of its docstring."""
    return {
        path.stem: path.read_text(encoding="utf-8").partition("\n")[0].strip('" ')
        for path in sorted(recipes_folder().glob("[a-z]*.py"))
    }


def _config(path: Path) -> ShippedConfig:
    """Read the head of a config: comments with the command, indented where it goes on, then the summary."""
    lines = path.read_text(encoding="utf-8").splitlines()
    comments = [line[2:] for line in lines if line.startswith("# ")]
    prose = " ".join(line for line in comments if not line.startswith(("nlpkit ", " ")))
    recipe = next((line.partition(":")[2].strip() for line in lines if line.startswith("recipe:")), "")
    return ShippedConfig(
        name=path.stem, recipe=recipe, summary=prose.partition(". ")[0].strip("."), path=path
    )
