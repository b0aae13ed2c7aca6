"""What pyproject.toml asks for is what the package imports, and constraints.txt pins all of it."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

import pytest

from tests.sbom import bill, canonical, locked, needed

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NOT_IMPORTED = {"accelerate", "gguf"}
"""Needed by transformers when nlpkit asks it to train, and to read a GGUF."""


REQUIRED = {canonical(one) for one in PROJECT["dependencies"]}
OPTIONAL = {canonical(one) for extra in PROJECT["optional-dependencies"].values() for one in extra} - {
    "nlpkit"
}  # extras in extras


def imported() -> set[str]:
    """The distributions that the package, its recipes and its demo import, wherever in a file."""
    homes = packages_distributions()
    found = set()
    for path in [
        one for folder in ("nlpkit", "recipes", "demo") for one in sorted((ROOT / folder).rglob("*.py"))
    ]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            modules += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            for top in (
                {module.split(".")[0] for module in modules}
                - set(sys.stdlib_module_names)
                - {"nlpkit", "demo"}
            ):
                # one import name may belong to several distributions, such as those of ruamel
                found |= {canonical(home) for home in homes.get(top, [top])[:1]}
    return found


def test_what_is_imported_is_asked_for() -> None:
    brought_by_others = {"pydantic-core"}  # pydantic pins it to its own version
    assert imported() - REQUIRED - brought_by_others == set()


def test_what_is_asked_for_is_imported() -> None:
    assert REQUIRED - imported() == NOT_IMPORTED


def test_an_extra_that_a_message_names_can_be_installed() -> None:
    """`optional("cleanlab", extra="noise")` hints at nlpkit[noise], which must bring cleanlab."""
    homes = packages_distributions()
    named = re.compile(r'optional\(\s*"([\w.]+)",\s*extra="(\w+)"')
    for path in [*(ROOT / "nlpkit").rglob("*.py"), *(ROOT / "demo").rglob("*.py")]:
        for module, extra in named.findall(path.read_text(encoding="utf-8")):
            requirements = PROJECT["optional-dependencies"].get(extra)
            assert requirements, f"{path}: nlpkit[{extra}]"
            home = canonical(homes.get(top := module.split(".")[0], [top])[0])
            assert home in {canonical(asked) for asked in requirements}, f"{path}: {module}, nlpkit[{extra}]"


def test_every_dependency_is_pinned_to_a_version_that_anyone_can_get() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    assert (REQUIRED | OPTIONAL) - {canonical(name) for name in pins} == set()
    # a local version such as +cpu is on no public index
    assert [name for name, version in pins.items() if "+" in version] == []


def test_c10_the_lock_files_hold_each_pin_once_with_its_hashes() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = sorted(
        (canonical(line), line.split("==")[1]) for line in lines if line and not line.startswith("#")
    )
    entries = [item for name in ("base", "extras", "cuda") for item in locked(name).items()]
    versions = {name: re.search(r"==([^ ;\\\n]+)", entry) for name, entry in entries}
    assert sorted((name, version and version[1]) for name, version in versions.items()) == pins
    assert len(entries) == len(pins)
    for _, entry in entries:
        requirement, *hashes = entry.replace("\\\n", "").split("--hash=sha256:")
        assert "sha256" not in requirement
        assert hashes
        assert all(re.fullmatch("[0-9a-f]{64}", digest.strip()) for digest in hashes)


@pytest.mark.parametrize(
    ("names", "extras"), [(("base",), ()), (("base", "extras"), tuple(PROJECT["optional-dependencies"]))]
)
def test_c10_the_lock_files_hold_all_that_what_is_installed_asks_for(
    names: tuple[str, ...], extras: tuple[str, ...]
) -> None:
    """pip refuses a lock that lacks a dependency of one of its packages."""
    there = {name for lock in names for name in locked(lock)} | {"nlpkit", "pip"}
    packages = needed(extras)
    for name, on in packages.items():
        assert on <= there, f"{name} asks for {on - there}"
    assert len(packages) > 80


def test_the_bill_of_materials_names_what_is_installed_with_its_hashes() -> None:
    made = bill(needed())
    parts = {part["bom-ref"]: part for part in made["components"]}
    assert made["metadata"]["component"]["name"] == "nlpkit"
    assert (
        {"torch", "transformers", "gradio"} <= parts.keys() <= locked("base").keys() | locked("cuda").keys()
    )
    assert parts["jinja2"]["purl"] == f"pkg:pypi/jinja2@{version('jinja2')}"
    files = parts["jinja2"]["externalReferences"]
    assert [file["hashes"][0]["content"] in locked("base")["jinja2"] for file in files] == [True, True]
    (torch,) = (row for row in made["dependencies"] if row["ref"] == "torch")
    assert "jinja2" in torch["dependsOn"]
    assert all(part["licenses"] for name, part in parts.items() if name in ("torch", "jinja2", "gradio"))


def test_the_wheel_carries_the_recipes_and_the_mark_of_types() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"][
        "targets"
    ]["wheel"]
    assert settings["force-include"] == {"recipes": "nlpkit/recipes_", "demo": "nlpkit/demo_"}
    assert (ROOT / "nlpkit" / "py.typed").is_file()
