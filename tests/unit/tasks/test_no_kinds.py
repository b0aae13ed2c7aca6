"""No code outside nlpkit/tasks/ asks which task it has: read from the syntax trees, so that nothing hides."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
FOLDERS = ("nlpkit", "recipes", "demo", "benchmarks")

CLASSES = {
    "Polarity",
    "Intensity",
    "Emotions",
    "Intents",
    "TurnEmotions",
    "Aspects",
    "AspectPolarity",
    "Dialogue",
    "OneLabel",
    "LabelSet",
    "Number",
    "Spans",
    "Reply",
    "LabelOutcomes",
    "LabelSetOutcomes",
    "ValueOutcomes",
    "OpinionOutcomes",
}
KINDS = {
    "polarity", "intensity", "emotions", "intents", "turn_emotions", "aspects", "aspect_polarity",
    "dialogue", "labels", "values",
}  # fmt: skip
"""What a kind is compared with: of a task, of outcomes, of a report."""

ANSWER_FIELDS = {"label", "value"}
"""Fields whose absence is a sign of the kind, in an example or an answer."""

SCORES = {
    "accuracy",
    "baseline",
    "error",
    "first",
    "ours",
    "theirs",
    "loss",
    "mae",
    "metric",
    "pearson",
    "rate",
    "score",
    "second",
    "side",
}
"""Names of scores: their `value` is None where a metric is undefined, whatever the task."""

OLD_FORMATS = {"nlpkit/reports/old_format.py"}
"""Readers of files that an older version wrote: such a file names its kind."""


def kind_tests(root: Path) -> list[str]:
    """Return each line outside nlpkit/tasks/ that tests a kind of task, as file:line."""
    return [
        f"{path.relative_to(root)}:{line}"
        for folder in FOLDERS
        for path in sorted((root / folder).rglob("*.py"))
        if not path.is_relative_to(root / "nlpkit" / "tasks")
        and path.relative_to(root).as_posix() not in OLD_FORMATS
        for line in sorted(set(_lines(ast.parse(path.read_text(encoding="utf-8")))))
    ]


def _lines(tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        if (isinstance(node, ast.Compare) and _tests_a_kind(node)) or (
            isinstance(node, ast.Call) and _asks_for_a_class(node)
        ):
            yield node.lineno


def _tests_a_kind(node: ast.Compare) -> bool:
    sides = [node.left, *node.comparators]
    if any(isinstance(op, (ast.Is, ast.IsNot)) for op in node.ops):
        return _is_none(sides[-1]) and isinstance(sides[0], ast.Attribute) and _of_an_answer(sides[0])
    return any(map(_names_a_kind, sides)) and any(map(_holds_a_kind, sides))


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _of_an_answer(node: ast.Attribute) -> bool:
    if node.attr not in ANSWER_FIELDS:
        return False
    owner = node.value
    named = (
        owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
    )
    return named not in SCORES


def _names_a_kind(node: ast.expr) -> bool:
    """Whether it is `x.kind`, `kind`, or `x["kind"]` or `x.get("kind")`."""
    if isinstance(node, (ast.Attribute, ast.Name)):
        return (node.attr if isinstance(node, ast.Attribute) else node.id) == "kind"
    if isinstance(node, ast.Subscript):
        return isinstance(node.slice, ast.Constant) and node.slice.value == "kind"
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "get"
        and bool(node.args)
        and isinstance(node.args[0], ast.Constant)
        and node.args[0].value == "kind"
    )


def _holds_a_kind(node: ast.expr) -> bool:
    """Whether it is the name of a kind, or holds one, or is a kind itself."""
    if isinstance(node, ast.Constant):
        return node.value in KINDS
    if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
        return any(map(_holds_a_kind, node.elts))
    return False


def _asks_for_a_class(node: ast.Call) -> bool:
    if not (isinstance(node.func, ast.Name) and node.func.id in ("isinstance", "issubclass")):
        return False
    return any(isinstance(name, ast.Name) and name.id in CLASSES for name in ast.walk(node.args[1]))


def test_no_line_outside_tasks_tests_a_kind_of_task() -> None:
    assert kind_tests(ROOT) == []


def test_each_way_of_asking_is_seen(tmp_path: Path) -> None:
    folder = tmp_path / "nlpkit" / "scoring"
    folder.mkdir(parents=True)
    (folder / "asks.py").write_text(
        "\n".join(
            [
                'task.kind == "intensity"',
                'run.read().task["kind"] != "dialogue"',
                'kind in ("polarity", "intensity")',
                "isinstance(task, Polarity | Intensity)",
                "answer.label is None",
                "row.example.value is not None",
                'record.get("kind") == "dialogue"',
                'entry.kind == "weights"',  # of something else
                "score.value is None",  # a metric that is undefined
            ]
        )
    )
    assert kind_tests(tmp_path) == [f"nlpkit/scoring/asks.py:{line}" for line in range(1, 8)]
    tasks = tmp_path / "nlpkit" / "tasks"
    tasks.mkdir()
    (tasks / "own.py").write_text("answer.label is None")
    assert len(kind_tests(tmp_path)) == 7


if __name__ == "__main__":
    lines = kind_tests(Path(sys.argv[1]))
    print(*lines, f"{len(lines)} lines", sep="\n")
