"""Which module may import which, and which libraries may be imported where and when, read from the source."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

LAYERS: tuple[tuple[str, ...], ...] = (
    ("nlpkit.errors",),
    (
        "nlpkit.files",
        "nlpkit.model_files",
        "nlpkit.run_record",
        "nlpkit.config",
        "nlpkit.settings",
        "nlpkit.data.examples",
    ),
    ("nlpkit.run", "nlpkit.data.records", "nlpkit.metrics"),
    ("nlpkit.sources", "nlpkit.data", "nlpkit.prompts"),
    ("nlpkit.reports",),
    ("nlpkit.tasks",),
    ("nlpkit.models",),
    ("nlpkit.generation",),
    ("nlpkit.classifiers",),
    ("nlpkit.trust",),
    ("nlpkit.training", "nlpkit.evaluation", "nlpkit.scoring", "nlpkit.chat"),
    (
        "nlpkit.analysis",
        "nlpkit.doctor",
        "nlpkit.federated",
        "nlpkit.labeling",
        "nlpkit.search",
        "nlpkit.watching",
    ),
    ("nlpkit.cli",),
    ("nlpkit.__main__", "recipes", "demo", "benchmarks"),
)
"""A module imports only from lines above its own; the longest name that fits a module is its line."""


def layer_table() -> str:
    """Return the layers as the Markdown table of CONTRIBUTING.md."""
    rows = []
    for number, names in enumerate(LAYERS):
        short = ", ".join(f"`{name.removeprefix('nlpkit.')}`" for name in names)
        rows.append(f"| {number} | {short} |")
    return "\n".join(["| line | modules and packages |", "|---|---|", *rows])


NEVER_AT_IMPORT = frozenset(
    {
        *(
            "torch",
            "transformers",
            "peft",
            "datasets",
            "evaluate",
            "accelerate",
            "gradio",
            "ray",
            "trl",
            "onnxruntime",
            "openvino",
        ),
        *("fastapi", "uvicorn", "prometheus_client"),
        *(
            "sklearn",
            "scipy",
            "matplotlib",
            "pyarrow",
            "pandas",
            "huggingface_hub",
            "tokenizers",
            "safetensors",
            "jinja2",
            "datasketch",
            "optuna",
        ),
    }
)
"""Libraries that cost seconds: only functions import them."""

HEAVY_BY_NATURE = frozenset(
    {
        *("nlpkit.chat.connections", "nlpkit.chat.endpoints", "nlpkit.chat.server"),
        *("nlpkit.metrics.modules", "nlpkit.training.estimator"),
        *("nlpkit.models.embedding_reader", "nlpkit.models.entailment_reader"),
        *("nlpkit.models.likelihood_reader", "nlpkit.models.mean_pooled"),
        "nlpkit.models.picture_classifier",
    }
)
"""Modules whose classes inherit from a heavy library or are read by it; no other module imports them."""

ONLY_IN = {
    "ray": "nlpkit.scoring",
    "gradio": "demo",
    "trl": "nlpkit.training",
    "optuna": "nlpkit.search",
    "fastapi": "nlpkit.chat",
    "prometheus_client": "nlpkit.chat",
}
"""Libraries that one place alone may import."""


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {
    name_of(path): path
    for folder in ("nlpkit", "recipes", "demo", "benchmarks")
    for path in sorted((ROOT / folder).rglob("*.py"))
}


def layer_of(module: str) -> int:
    fitting = [
        (len(name), line)
        for line, names in enumerate(LAYERS)
        for name in names
        if f"{module}.".startswith(f"{name}.")
    ]
    assert fitting, f"{module} stands in no layer: give it a line in LAYERS"
    return max(fitting)[1]


def package_of(module: str) -> str:
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "nlpkit" else parts[0]


def is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def imports(
    tree: ast.AST, *, module: str, in_functions: bool, for_types: bool = False
) -> Iterator[tuple[int, str, str]]:
    """(line, module, name) of each import; those for type checkers only where asked for."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, one.name, "") for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}, line {node.lineno}: a relative import; write the whole name"
            yield from ((node.lineno, str(node.module), one.name) for one in node.names)
        elif is_for_types(node) and not for_types:
            assert isinstance(node, ast.If)
            yield from (
                found
                for other in node.orelse
                for found in imports(other, module=module, in_functions=in_functions)
            )
        elif in_functions or not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield from imports(node, module=module, in_functions=in_functions, for_types=for_types)


def imports_of(module: str, *, in_functions: bool, for_types: bool = False) -> Iterator[tuple[int, str, str]]:
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    return imports(tree, module=module, in_functions=in_functions, for_types=for_types)


def target_of(module: str, name: str) -> str:
    """The module that `from module import name` reaches."""
    whole = f"{module}.{name}"
    return whole if whole in MODULES else module


def is_allowed(module: str, target: str) -> bool:
    return package_of(module) == package_of(target) or layer_of(target) < layer_of(module)


def edges() -> dict[str, set[str]]:
    """Which module imports which, at its top, in functions and for type checkers alike."""
    found: dict[str, set[str]] = {}
    for module in set(MODULES) - {"nlpkit"}:
        reached = {
            target_of(imported, name)
            for _, imported, name in imports_of(module, in_functions=True, for_types=True)
        }
        found[module] = {target for target in reached if target in MODULES and target != "nlpkit"}
    return found


def test_no_module_imports_itself_through_others() -> None:
    from graphlib import CycleError, TopologicalSorter

    try:
        TopologicalSorter(edges()).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' -> '.join(error.args[1])}")


def test_a_module_imports_only_from_layers_above_its_own() -> None:
    wrong = []
    for module in set(MODULES) - {"nlpkit"}:
        for line, imported, name in imports_of(module, in_functions=True, for_types=True):
            target = target_of(imported, name)
            if target == "nlpkit":
                # the root's names reach everything, its version reaches nothing
                wrong += (
                    []
                    if name == "__version__"
                    else [f"{module}, line {line}: {name or target} through the package's root"]
                )
            elif target.split(".")[0] in ("nlpkit", "recipes", "demo", "benchmarks") and not is_allowed(
                module, target
            ):
                wrong.append(f"{module}, line {line}: {target}")
    assert sorted(wrong) == []


def test_the_table_of_layers_stands_in_the_guide() -> None:
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = guide.partition("<!-- layers -->")[2].partition("<!-- /layers -->")[0]
    assert table.strip() == layer_table(), "paste what `python -m tests.unit.test_layers` prints"


def test_the_root_imports_nothing_of_the_package() -> None:
    assert [
        imported
        for _, imported, _ in imports_of("nlpkit", in_functions=True)
        if imported.startswith("nlpkit")
    ] == []


def test_heavy_libraries_are_imported_by_functions_only() -> None:
    watched = [
        module
        for module in MODULES
        if module.startswith(("nlpkit", "recipes")) and module not in HEAVY_BY_NATURE
    ]
    wrong = [
        f"{module}, line {line}: {imported}"
        for module in watched
        for line, imported, _ in imports_of(module, in_functions=False)
        if imported.split(".")[0] in NEVER_AT_IMPORT
    ]
    assert wrong == []


def test_nothing_imports_a_module_that_is_heavy_by_nature() -> None:
    reached = {
        target_of(imported, name)
        for module in MODULES
        for _, imported, name in imports_of(module, in_functions=False)
    }
    assert not reached & HEAVY_BY_NATURE


def test_a_library_that_has_one_place_is_imported_there_only() -> None:
    wrong = []
    for module in MODULES:
        for line, imported, name in imports_of(module, in_functions=True):
            trains = imported == "transformers" and name.endswith(("Trainer", "TrainingArguments"))
            home = "nlpkit.training" if trains else ONLY_IN.get(imported.split(".")[0], "")
            if module.startswith("benchmarks."):
                continue  # what nlpkit is compared with stands there
            if not f"{module}.".startswith(f"{home}." if home else ""):
                wrong.append(f"{module}, line {line}: {imported} {name} belongs in {home}")
    assert wrong == []


def test_a_recipe_holds_order_and_no_computing() -> None:
    # What writes a data set stands next to it, in recipes/data
    recipes = [module for module in MODULES if re.match(r"recipes\.(?!data\.)", module)]
    assert recipes
    for module in recipes:
        used = {imported.split(".")[0] for _, imported, _ in imports_of(module, in_functions=True)}
        assert not used & (NEVER_AT_IMPORT | {"numpy"}), module
        assert len(MODULES[module].read_text(encoding="utf-8").splitlines()) <= 120, module


@pytest.mark.parametrize(
    ("module", "target", "allowed"),
    [
        ("nlpkit.tasks.polarity", "nlpkit.data.records", True),
        ("nlpkit.data.records", "nlpkit.tasks.polarity", False),
        ("nlpkit.data.checks", "nlpkit.data.records", True),
        ("nlpkit.metrics.score", "nlpkit.reports.report", False),
        ("nlpkit.sources.fetching", "nlpkit.data.checks", False),
        ("nlpkit.scoring.score", "nlpkit.evaluation.evaluate", False),
        ("nlpkit.evaluation.evaluate", "nlpkit.cli.app", False),
        ("recipes.sentiment", "nlpkit.training.trainer", True),
    ],
)
def test_the_rule_itself(module: str, target: str, allowed: bool) -> None:
    assert is_allowed(module, target) is allowed


@pytest.mark.parametrize("loaded", ["nlpkit", "nlpkit.cli.app"])
def test_loading_the_package_or_its_command_loads_nothing_heavy(loaded: str) -> None:
    code = f"import sys, {loaded}; print(*sorted({{one.split('.')[0] for one in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert not set(done.stdout.split()) & NEVER_AT_IMPORT


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "sys.argv = ['nlpkit', '--help']\n"
        "from nlpkit.cli.app import main\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as end:\n"
        "    print(end.code, file=sys.stderr)\n"
        "print(*sorted({one.split('.')[0] for one in sys.modules}), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    exit_code, loaded = done.stderr.splitlines()
    assert exit_code in ("0", "None")
    assert "nlpkit" in loaded.split()
    assert not set(loaded.split()) & (NEVER_AT_IMPORT | {"numpy"})


if __name__ == "__main__":
    print(layer_table())
