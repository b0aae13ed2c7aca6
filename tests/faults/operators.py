"""Small faults that a program could hold, made one at a time in its source: what mutation testing tries."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from typing import NamedTuple

COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Pow: ast.Mult, ast.Mod: ast.Add,
}  # fmt: skip
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}


class Mutant(NamedTuple):
    """A text with one fault."""

    line: int
    what: str
    """The line's part before and after."""
    text: str


def mutants(text: str) -> Iterator[Mutant]:
    """Yield the source with one fault at a time, in the order of its lines."""
    tree = ast.parse(text)
    passed_over = set(_passed_over(tree))
    for node in ast.walk(tree):
        if id(node) not in passed_over and hasattr(node, "lineno"):
            for changed in _changed(node):
                yield _put(text, node, ast.unparse(changed))


def _passed_over(tree: ast.AST) -> Iterator[int]:
    """Yield the nodes that no test should hold fast: annotations, decorators, messages, imports for types."""
    for node in ast.walk(tree):
        left_out: list[ast.AST | None] = []
        if isinstance(node, (ast.JoinedStr, ast.Raise)):
            left_out = [node]
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            left_out = [node.returns, *node.decorator_list]
        elif isinstance(node, ast.ClassDef):
            left_out = [*node.decorator_list]
        elif isinstance(node, (ast.arg, ast.AnnAssign)):
            left_out = [node.annotation]
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            left_out = [node]
        for top in left_out:
            yield from (id(inner) for inner in ast.walk(top)) if top is not None else ()


def _changed(node: ast.AST) -> Iterator[ast.AST]:
    new = copy.deepcopy(node)
    if isinstance(new, ast.Compare) and type(new.ops[0]) in COMPARED:
        new.ops[0] = COMPARED[type(new.ops[0])]()
        yield new
    elif isinstance(new, ast.BinOp) and type(new.op) in COMPUTED:
        new.op = COMPUTED[type(new.op)]()
        yield new
    elif isinstance(new, ast.BoolOp):
        new.op = ast.Or() if isinstance(new.op, ast.And) else ast.And()
        yield new
    elif isinstance(new, ast.UnaryOp) and isinstance(new.op, ast.Not):
        yield new.operand
    elif isinstance(new, ast.IfExp):
        new.body, new.orelse = new.orelse, new.body
        yield new
    elif isinstance(new, ast.Constant) and isinstance(new.value, bool):
        yield ast.Constant(not new.value)
    elif isinstance(new, ast.Constant) and isinstance(new.value, (int, float)):
        yield ast.Constant(new.value + 1)
    elif isinstance(new, ast.Name) and new.id in NAMES:
        yield ast.Name(NAMES[new.id])
    elif isinstance(new, ast.Return) and new.value is not None and ast.unparse(new.value) != "None":
        yield ast.Return(ast.Constant(None))
    elif isinstance(new, ast.Expr) and isinstance(new.value, ast.Call):
        yield ast.Pass()


def _put(text: str, node: ast.AST, new: str) -> Mutant:
    """Return the text with other words in place of a node, in brackets where it is a part of a line."""
    lines = text.splitlines(keepends=True)
    start = len("".join(lines[: node.lineno - 1]).encode()) + node.col_offset  # type: ignore[attr-defined]
    end = len("".join(lines[: node.end_lineno - 1]).encode()) + node.end_col_offset  # type: ignore[attr-defined]
    data = text.encode()
    if isinstance(node, ast.expr) and not isinstance(node, (ast.Name, ast.Constant)):
        new = f"({new})"
    old = " ".join(data[start:end].decode().split())
    return Mutant(
        line=node.lineno,  # type: ignore[attr-defined]
        what=f"{old[:60]} -> {' '.join(new.split())[:60]}",
        text=(data[:start] + new.encode() + data[end:]).decode(),
    )
